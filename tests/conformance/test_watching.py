"""What the monitor needs of a provider: a cheap listing that agrees with direct looks, and to be told, or not."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from domain.errors import ProviderError
from domain.glimpses import Glimpse
from domain.work import Seen, Work
from providers.base import Provider
from tests.conformance.base import OTHER_SERVER, Can, Harness, RawState
from tests.conformance.scene import Scene, needs
from tests.support.patience import busy

_TOLD_SECONDS = 2.0


class Listener:
    """A bell that writes down what it is rung for."""

    def __init__(self) -> None:
        self.rung: list[str | None] = []
        self.ended = threading.Event()
        self.failed: list[str] = []
        self._thread: threading.Thread | None = None

    def ring(self, instance_id: str | None = None) -> None:
        self.rung.append(instance_id)

    def wait(self, seconds: float) -> bool:
        return self.ended.wait(seconds) if seconds > 0 else self.ended.is_set()

    def follow(self, provider: Provider, rings_to_begin: int) -> bool:
        """Begin to listen; whether the provider tells anything at all."""

        def run() -> None:
            try:
                provider.watch(self)
            except ProviderError as error:
                self.failed.append(error.message)

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()
        until(lambda: self.rung.count(None) >= rings_to_begin or not self._thread_lives(), 60.0)
        return bool(self.rung)

    def end(self) -> None:
        self.ended.set()
        assert self._thread is not None
        self._thread.join(60.0)
        assert not self._thread.is_alive(), "a watch ends soon after nobody listens"

    def _thread_lives(self) -> bool:
        return self._thread is not None and self._thread.is_alive()


def until(reached: Any, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def glimpses(provider: Provider, work: Work) -> list[Glimpse]:
    return [one for one in provider.glance() if one.instance_id == work.instance_id]


def test_a_listing_shows_one_object_per_instance_as_a_look_sees_it(harness: Harness) -> None:
    scene = Scene(harness)
    assert glimpses(scene.provider(), scene.work) == []
    scene.do("create")
    for verb, seen in (("stop", Seen.DOWN), ("start", Seen.UP)):
        scene.do(verb)  # type: ignore[arg-type]
        (found,) = glimpses(scene.provider(), scene.work)
        assert (found.seen, found.generation) == (seen, scene.work.identity.generation), verb
        assert found.provider_id == scene.look().provider_id
    scene.do("delete")
    assert glimpses(scene.provider(), scene.work) == []


def test_a_listing_agrees_with_every_state_that_the_place_knows(harness: Harness, raw_state: RawState) -> None:
    """Down may stand for crashed, and what is not listed is looked at; but trouble must not pass for up."""
    scene = Scene(harness)
    scene.do("create")
    raw_state.bring(harness, scene.work)
    scene.until(raw_state.seen)
    found = [glimpse.seen for glimpse in glimpses(scene.provider(), scene.work)]
    assert Seen.UP not in found or raw_state.name in harness.unlisted


def test_a_listing_shows_nothing_of_another_berth(harness: Harness) -> None:
    scene = Scene(harness)
    scene.do("create")
    other = harness.provider(OTHER_SERVER)
    assert glimpses(other, scene.work) == []


@needs(Can.BE_UNREACHABLE)
def test_a_place_that_is_away_is_never_an_empty_listing(harness: Harness) -> None:
    scene = Scene(harness)
    scene.do("create")
    provider = scene.provider()
    with harness.unreachable(), pytest.raises(ProviderError) as caught:
        provider.glance()
    assert caught.value.retryable


def test_whoever_is_told_is_told_of_an_end_and_of_a_start_within_two_seconds(harness: Harness) -> None:
    """A provider that tells nothing returns at once, and is listed instead."""
    scene = Scene(harness)
    scene.do("create")
    listener, provider = Listener(), scene.provider()
    if not listener.follow(provider, harness.rings_to_begin):
        assert listener.failed == []
        assert provider.glance_seconds <= 15.0
        return
    try:
        assert listener.rung[0] is None, "the beginning of a stream asks for everything"
        for verb in ("stop", "start"):
            listener.rung.clear()
            scene.do(verb)
            told = until(lambda: scene.work.instance_id in listener.rung, _TOLD_SECONDS * busy())
            assert told, f"nothing was told of a {verb}: {listener.rung} {listener.failed}"
        listener.rung.clear()
        harness.vanish(scene.work)
        assert until(lambda: scene.work.instance_id in listener.rung, _TOLD_SECONDS * busy()), listener.rung
    finally:
        listener.end()
    assert listener.failed == []

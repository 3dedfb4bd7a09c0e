"""Providers as a worker keeps them: opened once they are configured, and believed only as themselves."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from activities import places as module
from activities.guarded import GuardedProvider
from activities.places import Place, Places
from domain.errors import ProviderError, ProviderErrorKind
from domain.work import Seen
from providers.base import Provider
from providers.entry import ProviderEntry, Setup, Unconfigured
from providers.simulated import SimulatedProvider
from services.places.reported import PlaceFacts, Verdict
from tests.support.calls import RecordingCall
from tests.support.workers import wait_for
from tests.support.works import a_work

pytestmark = pytest.mark.unit


class Somewhere(SimulatedProvider):
    """A simulated provider whose identity a test can change, or make fail or hang."""

    who: Callable[[], str] = staticmethod(lambda: "here")

    def identity(self) -> str:
        return type(self).who()


class Records:
    """What would be recorded: the first identity stays."""

    def __init__(self) -> None:
        self.known: str | None = None
        self.facts: list[PlaceFacts] = []

    def __call__(self, found: Sequence[PlaceFacts]) -> dict[str, Verdict]:
        self.facts += found
        self.known = self.known or found[-1].identity
        swapped = found[-1].identity is not None and found[-1].identity != self.known
        return {found[-1].provider: Verdict("it is another one" if swapped else None)}


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Somewhere, "who", staticmethod(lambda: "here"))
    monkeypatch.setattr(module, "_FRESH_SECONDS", 0.0)


def made(tmp_path: Path, records: Records, refusing: Callable[[], str | None] = lambda: None) -> Places:
    def opened(setup: Setup) -> Provider:
        if (why := refusing()) is not None:
            raise Unconfigured(why)
        return Somewhere(tmp_path / "simulated.db", "server")

    entry = ProviderEntry("somewhere", "Somewhere", "For tests.", None, on_host=False, open=opened)
    setup = Setup({}, tmp_path, tmp_path, "server", "host", lambda _: True)
    return Places([Place(entry, setup, None)], records)


def answering(monkeypatch: pytest.MonkeyPatch, who: Callable[[], str]) -> None:
    monkeypatch.setattr(Somewhere, "who", staticmethod(who))


def test_what_is_not_configured_says_so_until_it_is(tmp_path: Path) -> None:
    reasons = iter(["set X", "set X", None])
    records = Records()
    places = made(tmp_path, records, lambda: next(reasons))
    places.refresh()
    with pytest.raises(ProviderError, match="Somewhere is not configured: set X") as refused:
        places["somewhere"]
    assert (refused.value.code, refused.value.retryable) == ("provider-unavailable", False)
    assert ("somewhere" in places, list(places), places.served) == (False, [], [])
    places.refresh()
    assert records.facts[-1] == PlaceFacts("somewhere", configured=False, reason="set X", identity=None)
    places.refresh()
    assert isinstance(places["somewhere"], GuardedProvider)
    assert ("somewhere" in places, len(places), places.reasons) == (True, 1, {})


def test_what_this_worker_does_not_serve_is_said_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="this worker does not serve the provider ec2"):
        made(tmp_path, Records())["ec2"]


def test_one_that_does_not_answer_keeps_its_reason_and_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()
    records = Records()
    places = made(tmp_path, records)
    places.refresh()
    answering(monkeypatch, lambda: "here" if released.wait(120) else "")
    monkeypatch.setattr(module, "_IDENTITY_SECONDS", 0.1)
    for reason in ("no answer within 0.1 s", "an earlier question to it still hangs"):
        begun = time.monotonic()
        places.refresh()
        assert time.monotonic() - begun < 60
        assert reason in (records.facts[-1].reason or "")
        assert records.facts[-1].configured
    released.set()
    monkeypatch.setattr(module, "_IDENTITY_SECONDS", 60.0)

    def said() -> bool:
        places.refresh()
        return records.facts[-1].reason is None

    wait_for(said, 20, lambda: str(records.facts[-1]))


def test_one_that_cannot_be_reached_is_no_evidence_of_an_absence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = made(tmp_path, Records())
    places.refresh()
    provider = places["somewhere"]
    assert provider.observe(a_work()).seen is Seen.ABSENT

    def away() -> str:
        raise ProviderError(ProviderErrorKind.TRANSIENT, "connection refused")

    answering(monkeypatch, away)
    look = provider.observe(a_work())
    assert (look.seen, look.detail) == (Seen.NO_EVIDENCE, "connection refused")
    with pytest.raises(ProviderError, match="connection refused"):
        provider.delete(a_work(), RecordingCall())


def test_bad_credentials_are_said_to_be_so_and_not_tried_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = made(tmp_path, Records())
    places.refresh()

    def refused() -> str:
        raise ProviderError(ProviderErrorKind.AUTH, "the credentials have expired")

    answering(monkeypatch, refused)
    for ask in (places["somewhere"].observe, lambda work: places["somewhere"].delete(work, RecordingCall())):
        with pytest.raises(ProviderError, match="the credentials have expired") as error:
            ask(a_work())
        assert not error.value.retryable


def test_another_one_under_the_same_name_is_neither_changed_nor_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = made(tmp_path, Records())
    places.refresh()
    provider, work, call = places["somewhere"], a_work(), RecordingCall()
    provider.create(work, call)
    answering(monkeypatch, lambda: "elsewhere")
    with pytest.raises(ProviderError, match="it is another one") as refused:
        provider.delete(work, call)
    assert (refused.value.code, refused.value.retryable) == ("provider-swapped", False)
    for verb in (provider.create, provider.start, provider.stop, provider.restart, provider.modify):
        with pytest.raises(ProviderError, match="it is another one"):
            verb(work, call)
    assert provider.observe(work).seen is Seen.NO_EVIDENCE
    with pytest.raises(ProviderError, match="it is another one"):
        provider.inventory()
    answering(monkeypatch, lambda: "here")
    places.refresh()
    assert provider.observe(work).seen is Seen.UP
    assert provider.delete(work, call).confirmed

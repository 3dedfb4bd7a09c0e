"""Killed, fenced off or cancelled at every point of a verb: the next attempt ends with exactly one object."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from itertools import cycle

import pytest

from domain.errors import CallCancelled, FenceLost, ProviderError
from domain.work import Seen
from tests.conformance.base import VERBS, Can, Harness, Verb
from tests.conformance.crashing import killed_after, killed_at_guard
from tests.conformance.scene import ENDS, Scene, StoppedCall, before, finished, needs
from tests.support.calls import RecordingCall

_MOST_GUARDS = 30
_MOMENTS = 4


def guards_of(harness: Harness, verb: Verb) -> int:
    scene, call = before(harness, verb), RecordingCall()
    scene.settle(scene.call(verb, call), ENDS.get(verb, Seen.UP))
    assert 1 <= call.guards <= _MOST_GUARDS
    if verb != "delete":
        scene.do("delete")
    return call.guards


def test_a_create_killed_at_any_guard_or_after_the_last_is_finished_by_the_next(harness: Harness) -> None:
    for at in range(1, guards_of(harness, "create") + 2):
        scene = Scene(harness)
        killed_at_guard(harness, scene.work, "create", at)
        assert scene.objects() <= 1
        finished(scene, "create")


def test_a_create_killed_at_any_guard_or_after_the_last_can_be_deleted(harness: Harness) -> None:
    for at in range(1, guards_of(harness, "create") + 2):
        scene = Scene(harness)
        killed_at_guard(harness, scene.work, "create", at)
        scene.do("delete")
        scene.gone()


def test_a_create_killed_at_any_moment_is_finished_by_the_next(harness: Harness) -> None:
    chance = random.Random(7)
    started = time.monotonic()
    finished(Scene(harness), "create")
    usual = time.monotonic() - started
    for _ in range(_MOMENTS):
        scene = Scene(harness)
        killed_after(harness, scene.work, "create", chance.uniform(0, usual))
        finished(scene, "create")


@pytest.mark.parametrize("verb", ["stop", "restart", "delete"])
def test_another_verb_killed_at_any_guard_is_finished_by_the_next(harness: Harness, verb: Verb) -> None:
    for at in range(1, guards_of(harness, verb) + 2):
        scene = before(harness, verb)
        killed_at_guard(harness, scene.work, verb, at)
        finished(scene, verb)


@pytest.mark.parametrize("verb", VERBS)
def test_nothing_changes_after_a_guard_has_refused_and_the_next_attempt_finishes(
    harness: Harness, verb: Verb
) -> None:
    refused = sum(1 for _ in stopped_attempts(harness, verb))
    assert refused >= 1


def stopped_attempts(harness: Harness, verb: Verb) -> Iterator[None]:
    """One attempt per guard of the verb, stopped there: by the fence, by a cancellation, in turn."""
    for at, error in zip(range(1, _MOST_GUARDS), cycle((FenceLost, CallCancelled)), strict=False):
        scene = before(harness, verb)
        call = StoppedCall(at, error, lambda: harness.fingerprint(scene.work))  # noqa: B023
        try:
            scene.settle(scene.call(verb, call), ENDS.get(verb, Seen.UP))
        except error:
            assert harness.fingerprint(scene.work) == call.then, f"changed after guard {at} of {verb}"
            assert scene.objects() <= 1
            finished(scene, verb)
            yield
        else:
            return
    raise AssertionError(f"{verb} has more than {_MOST_GUARDS} guards")


@pytest.mark.parametrize("verb", VERBS)
def test_a_wait_that_is_cancelled_leaves_nothing_that_a_later_attempt_cannot_finish(
    harness: Harness, verb: Verb
) -> None:
    for sleeps in range(2):
        scene = before(harness, verb)
        try:
            scene.settle(scene.call(verb, RecordingCall(cancel_after_sleeps=sleeps)), ENDS.get(verb, Seen.UP))
        except CallCancelled:
            assert scene.objects() <= 1
        finished(scene, verb)


@needs(Can.RACE)
def test_creates_side_by_side_make_one_object(harness: Harness) -> None:
    scene = Scene(harness)
    unexpected: list[Exception] = []

    def attempt() -> None:
        try:
            scene.provider().create(scene.work, RecordingCall())
        except ProviderError as error:
            unexpected.extend([] if error.retryable else [error])

    attempts = [threading.Thread(target=attempt) for _ in range(3)]
    for one in attempts:
        one.start()
    for one in attempts:
        one.join(120)
    assert unexpected == []
    finished(scene, "create")

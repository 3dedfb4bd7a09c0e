"""Answers lost, calls refused, calls that hang, a place that is away: bounded, classified, mended by a repeat."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest

from domain.errors import CallCancelled, ProviderError, ProviderErrorKind
from domain.work import Outcome, Seen
from tests.conformance.base import VERBS, BadWork, Can, Harness, Verb
from tests.conformance.scene import ENDS, Scene, before, finished, needs, up
from tests.support.calls import RecordingCall
from tests.support.patience import busy

_MANY = 50


def tried(scene: Scene, verb: Verb, call: RecordingCall | None = None) -> Outcome | ProviderError:
    try:
        return scene.call(verb, call)
    except ProviderError as error:
        return error


@needs(Can.LOSE_ANSWER)
@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_whose_answer_was_lost_is_finished_by_a_repeat_without_a_second_object(
    harness: Harness, verb: Verb
) -> None:
    scene = before(harness, verb)
    with harness.lose_answer(verb, scene.work):
        ended = tried(scene, verb)
    assert isinstance(ended, Outcome) or ended.retryable, ended
    assert scene.objects() <= 1
    finished(scene, verb)


@needs(Can.LOSE_ANSWER)
def test_a_create_whose_answer_was_lost_can_be_deleted(harness: Harness) -> None:
    scene = Scene(harness)
    with harness.lose_answer("create", scene.work):
        tried(scene, "create")
    scene.do("delete")
    scene.gone()


def test_a_refusal_is_told_as_what_it_is_and_leaves_nothing_in_the_way(
    harness: Harness, refusal: ProviderErrorKind
) -> None:
    scene = Scene(harness)
    with harness.refuse("create", scene.work, refusal, _MANY):
        started = time.monotonic()
        with pytest.raises(ProviderError) as refused:
            scene.call("create")
        assert time.monotonic() - started < harness.cut_seconds * busy()
    assert refused.value.kind is refusal, refused.value
    assert len(refused.value.message) > 20
    assert scene.objects() <= 1
    finished(scene, "create")


@needs(Can.REFUSE_TRANSIENT)
@pytest.mark.parametrize("verb", ["start", "stop", "restart", "modify"])
def test_a_verb_that_is_refused_for_a_while_changes_nothing_it_cannot_finish(harness: Harness, verb: Verb) -> None:
    scene = before(harness, verb)
    with harness.refuse(verb, scene.work, ProviderErrorKind.TRANSIENT, 1):
        ended = tried(scene, verb)
    assert isinstance(ended, Outcome) or ended.retryable, ended
    finished(scene, verb)


@needs(Can.REFUSE_TRANSIENT)
def test_a_delete_that_is_refused_for_a_while_is_not_done_before_it_is_proven(harness: Harness) -> None:
    scene = up(harness)
    with harness.refuse("delete", scene.work, ProviderErrorKind.TRANSIENT, _MANY):
        for _ in range(2):
            ended = tried(scene, "delete")
            assert isinstance(ended, ProviderError), "it claims a delete that was refused"
            assert ended.retryable
            assert scene.objects() == 1
            assert scene.look().seen is not Seen.ABSENT
    scene.do("delete")
    scene.gone()


@needs(Can.HANG, Can.CUT_HANGS)
@pytest.mark.parametrize("verb", VERBS)
def test_a_hang_is_cut_at_a_time_out_of_its_own_that_says_so(harness: Harness, verb: Verb) -> None:
    scene = before(harness, verb)
    with harness.hang(verb, scene.work):
        started = time.monotonic()
        with pytest.raises(ProviderError) as cut:
            scene.call(verb)
        assert time.monotonic() - started < harness.cut_seconds * busy()
    assert cut.value.retryable, cut.value
    assert len(cut.value.message) > 20
    finished(scene, verb)


@needs(Can.HANG)
@pytest.mark.parametrize("verb", ["create", "delete"])
def test_a_cancel_during_a_hang_ends_it_in_bounded_time_and_without_a_second_object(
    harness: Harness, verb: Verb
) -> None:
    scene = before(harness, verb)
    with harness.hang(verb, scene.work):
        started = time.monotonic()
        with pytest.raises((CallCancelled, ProviderError)):
            scene.call(verb, RecordingCall(cancel_after_sleeps=0))
        assert time.monotonic() - started < harness.cut_seconds * busy()
    finished(scene, verb)


@needs(Can.HANG_LOOKS)
def test_a_look_that_gets_no_answer_is_no_evidence_of_anything(harness: Harness) -> None:
    scene = up(harness)
    with harness.hang("observe", scene.work):
        started = time.monotonic()
        found = scene.look()
        assert time.monotonic() - started < harness.cut_seconds * busy()
    assert found.seen is Seen.NO_EVIDENCE
    assert found.detail
    assert scene.look().seen is Seen.UP


@needs(Can.BE_UNREACHABLE)
def test_a_place_that_is_away_is_told_and_nothing_is_concluded_from_it(harness: Harness) -> None:
    scene = up(harness)
    before_it = harness.fingerprint(scene.work)
    with harness.unreachable():
        assert scene.look().seen is Seen.NO_EVIDENCE
        for ask in ("identity", "inventory"):
            with pytest.raises(ProviderError) as away:
                getattr(scene.provider(), ask)()
            assert away.value.retryable, ask
        for verb in VERBS:
            started = time.monotonic()
            with pytest.raises(ProviderError) as away:
                scene.call(verb)
            assert away.value.retryable, verb
            assert time.monotonic() - started < harness.cut_seconds * busy()
    assert harness.fingerprint(scene.work) == before_it
    finished(scene, "stop")


def test_what_cannot_become_an_instance_is_told_with_its_name_and_leaves_nothing(
    harness: Harness, bad_work: BadWork
) -> None:
    scene = Scene(harness, bad_work.make(harness))
    if bad_work.kind is None:
        outcome = scene.call("create")
        assert not outcome.confirmed
        deadline = time.monotonic() + harness.settle_seconds
        while bad_work.says not in str((found := scene.look()).detail):
            assert time.monotonic() < deadline, found
            harness.pause()
        assert found.seen in (Seen.TRANSIENT, Seen.CRASHED)
    else:
        with pytest.raises(ProviderError) as refused:
            scene.call("create")
        assert refused.value.kind is bad_work.kind, refused.value
        assert bad_work.says in refused.value.message
    scene.do("delete")
    scene.gone()


@needs(Can.REFUSE_TRANSIENT)
def test_a_work_that_was_refused_for_good_does_not_stand_in_the_way_of_another(harness: Harness) -> None:
    scene = Scene(harness, harness.bad_works[0].make(harness))
    with suppress(ProviderError):
        scene.call("create")
    other = up(harness)
    assert other.objects() == 1
    assert ENDS["create"] is other.look().seen

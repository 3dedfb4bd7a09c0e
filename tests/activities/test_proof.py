"""What looks add up to, without waiting: an absence is proven, a gone object noticed; silence proves nothing."""

from __future__ import annotations

import pytest

from activities.proof import Proof, Verdict
from domain.limits import ABSENCE_SECONDS
from domain.work import Observation, Seen

pytestmark = pytest.mark.unit

UP = Observation(Seen.UP, "running")
GOING = Observation(Seen.TRANSIENT, "shutting-down")
NOTHING = Observation(Seen.ABSENT, "not found", certain=False)
GONE = Observation(Seen.ABSENT, "terminated")
SILENCE = Observation(Seen.NO_EVIDENCE, "unknown")


def after(proof: Proof, *looks: tuple[float, Observation]) -> list[Verdict]:
    return [proof.add(look, at) for at, look in looks]


def test_what_is_waited_for_is_shown_by_one_look() -> None:
    assert after(Proof(Seen.UP, 0), (0, GOING), (1, UP)) == [Verdict.OPEN, Verdict.SHOWN]
    assert after(Proof(Seen.ABSENT, 30), (0, GOING), (1, GONE)) == [Verdict.OPEN, Verdict.SHOWN]


def test_an_uncertain_absence_counts_when_it_is_seen_again_after_the_window() -> None:
    looks = [(0.0, NOTHING), (29.0, NOTHING), (30.0, NOTHING)]
    assert after(Proof(Seen.ABSENT, 30), *looks) == [Verdict.OPEN, Verdict.OPEN, Verdict.SHOWN]


def test_an_absence_begins_anew_when_something_was_seen_between() -> None:
    looks = [(0.0, NOTHING), (20.0, GOING), (31.0, NOTHING), (60.0, NOTHING), (61.0, NOTHING)]
    assert after(Proof(Seen.ABSENT, 30), *looks) == [Verdict.OPEN] * 4 + [Verdict.SHOWN]


def test_silence_neither_proves_an_absence_nor_ends_it() -> None:
    looks = [(0.0, NOTHING), (31.0, SILENCE), (32.0, NOTHING)]
    assert after(Proof(Seen.ABSENT, 30), *looks) == [Verdict.OPEN, Verdict.OPEN, Verdict.SHOWN]


def test_what_was_accepted_and_is_not_found_for_long_is_gone() -> None:
    proof = Proof(Seen.UP, 0)
    assert after(proof, (0, NOTHING), (ABSENCE_SECONDS - 0.1, NOTHING)) == [Verdict.OPEN] * 2
    assert proof.add(NOTHING, ABSENCE_SECONDS) is Verdict.GONE


def test_no_object_is_gone_before_its_provider_is_consistent() -> None:
    proof = Proof(Seen.UP, 60)
    assert after(proof, (0, NOTHING), (59, NOTHING), (60, NOTHING)) == [Verdict.OPEN] * 2 + [Verdict.GONE]


def test_a_poll_that_saw_nothing_but_silence_is_blind() -> None:
    proof = Proof(Seen.UP, 0)
    after(proof, (0, SILENCE), (1, SILENCE))
    assert (proof.blind, proof.looks) == (True, 2)
    proof.add(GOING, 2)
    assert not proof.blind


def test_the_next_look_comes_when_an_absence_can_be_proven() -> None:
    proof = Proof(Seen.ABSENT, 3)
    assert proof.wait(10, 0) == 10
    proof.add(NOTHING, 0)
    assert proof.wait(10, 1) == 2
    assert proof.wait(0.5, 1) == 0.5
    assert proof.wait(10, 5) > 0

"""A secret is nowhere but in the running object: not in what a provider answers, raises, says or shows."""

from __future__ import annotations

import logging
import traceback
from dataclasses import astuple

import pytest

from domain.errors import ProviderError, ProviderErrorKind
from tests.conformance.base import CANARY, VERBS, Can, Harness, Verb
from tests.conformance.scene import Scene, before, up
from tests.support.calls import RecordingCall
from tests.support.leaks import leaks

_LONGEST_DETAIL = 2000


def told(scene: Scene, verb: Verb) -> str:
    """All that a person or a log could get from one call, its whole traceback included."""
    call = RecordingCall()
    try:
        answer = repr(astuple(scene.call(verb, call)))
    except ProviderError as error:
        answer = "".join(traceback.format_exception(error))
    found = scene.look()
    assert len(str(found.detail)) < _LONGEST_DETAIL
    return f"{answer}\n{found!r}\n{call.messages}\n{scene.provider().inventory()!r}"


def test_a_canary_is_in_nothing_that_a_provider_tells_or_shows(
    harness: Harness, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    places = []
    with caplog.at_level(logging.INFO):
        scene = up(harness)
        places.append(("what others can read", harness.exposed(scene.work)))
        for verb in ("modify", "restart", "stop", "start", "delete", "stop"):
            places.append((f"the answer of {verb}", told(scene, verb)))
        bad = Scene(harness, harness.bad_works[0].make(harness))
        places.append(("a refusal for good", told(bad, "create")))
    output = capfd.readouterr()
    places += [("log", caplog.text), ("stdout", output.out), ("stderr", output.err)]
    assert leaks([(name, text.encode()) for name, text in places], [CANARY]) == []


@pytest.mark.parametrize("verb", VERBS)
def test_a_canary_is_in_no_error_of_a_fault(
    harness: Harness, verb: Verb, caplog: pytest.LogCaptureFixture
) -> None:
    scene, places = before(harness, verb), []
    with caplog.at_level(logging.INFO):
        if Can.REFUSE_TRANSIENT not in harness.lacks:
            with harness.refuse(verb, scene.work, ProviderErrorKind.TRANSIENT, 50):
                places.append(("a refusal", told(scene, verb)))
        if Can.LOSE_ANSWER not in harness.lacks:
            scene = before(harness, verb)
            with harness.lose_answer(verb, scene.work):
                places.append(("a lost answer", told(scene, verb)))
    places.append(("log", caplog.text))
    assert leaks([(name, text.encode()) for name, text in places], [CANARY]) == []

"""A life at every provider: each verb once, twice, and from every state that the place itself knows."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from domain.errors import ProviderError, ProviderErrorKind
from domain.work import Seen
from providers.base import PreviousGone
from tests.conformance.base import Can, Harness, RawState, Verb
from tests.conformance.scene import Scene, needs, up
from tests.support.calls import RecordingCall

_TEXT = "what must not be lost"


def test_a_life_from_create_to_delete(harness: Harness) -> None:
    scene = Scene(harness)
    scene.until(Seen.ABSENT)
    assert scene.objects() == 0
    for verb in ("create", "stop", "start", "restart", "stop", "delete"):
        scene.do(verb)
        assert scene.objects() == (0 if verb == "delete" else 1), verb
    scene.gone()


def test_every_verb_twice_is_the_same_as_once(harness: Harness) -> None:
    scene = Scene(harness)
    verbs: tuple[Verb, ...] = ("create", "start", "stop", "start", "delete")
    for verb in verbs:
        scene.do(verb)
        before = harness.objects(scene.work)
        scene.do(verb)
        assert harness.objects(scene.work) == before, verb


def test_a_second_create_that_knows_nothing_of_the_first_adopts_its_object(harness: Harness) -> None:
    scene = up(harness)
    before = harness.objects(scene.work)
    scene.work = replace(scene.work, provider_id=None)
    scene.do("create")
    assert harness.objects(scene.work) == before


def test_a_create_brings_up_what_is_stopped(harness: Harness) -> None:
    scene = up(harness)
    scene.do("stop")
    scene.do("create")
    assert scene.objects() == 1


def test_an_outcome_an_observation_and_the_inventory_name_the_same_object(harness: Harness) -> None:
    scene = Scene(harness)
    outcome = scene.do("create")
    found = scene.look()
    if outcome.confirmed:
        assert (found.provider_state, found.endpoint) == (outcome.provider_state, outcome.endpoint)
    (item,) = [i for i in scene.provider().inventory() if i.instance_id == scene.work.instance_id]
    assert scene.work.provider_id == found.provider_id == item.provider_id
    assert found.generation in (None, scene.work.identity.generation)
    assert item.generation == scene.work.identity.generation
    assert item.deployment_id == scene.work.identity.deployment_id
    assert item.owned


def test_what_a_provider_says_of_itself_is_usable(harness: Harness) -> None:
    provider = harness.provider()
    assert provider.name == harness.name
    assert provider.poll_seconds > 0
    assert 0 <= provider.consistency_seconds <= 60
    if provider.needs_port:
        assert harness.work().port is not None


def test_the_identity_of_the_place_is_the_same_at_every_opening(harness: Harness) -> None:
    first = harness.provider().identity()
    assert first
    up(harness)
    assert harness.provider().identity() == first


@needs(Can.KEEP_DATA)
def test_data_survives_a_stop_and_a_restart_and_goes_with_the_instance(harness: Harness) -> None:
    scene = up(harness)
    harness.write(scene.work, _TEXT)
    scene.do("stop")
    scene.do("start")
    assert harness.read(scene.work) == _TEXT
    scene.do("restart")
    assert harness.read(scene.work) == _TEXT
    scene.do("delete")
    scene.gone()


@needs(Can.SHOW_RESTART)
def test_a_restart_really_starts_anew_and_a_start_of_what_runs_does_not(harness: Harness) -> None:
    scene = up(harness)
    first = harness.run_id(scene.work)
    scene.do("start")
    assert harness.run_id(scene.work) == first
    scene.do("restart")
    assert harness.run_id(scene.work) != first


def test_a_change_reaches_the_object_and_a_repeat_changes_nothing(harness: Harness) -> None:
    scene = up(harness)
    scene.work = harness.changed(scene.work)
    assert not harness.shows(scene.work)
    for _ in range(2):
        scene.do("modify", Seen.UP)
        assert harness.shows(scene.work)
        assert scene.objects() == 1


def test_a_change_of_what_is_stopped_shows_once_it_runs(harness: Harness) -> None:
    scene = up(harness)
    scene.do("stop")
    scene.work = harness.changed(scene.work)
    scene.do("modify", Seen.DOWN)
    scene.do("start")
    assert harness.shows(scene.work)


def test_a_raw_state_is_seen_as_what_it_means(harness: Harness, raw_state: RawState) -> None:
    scene = up(harness)
    raw_state.bring(harness, scene.work)
    scene.until(raw_state.seen, raw_state.says)
    before = harness.fingerprint(scene.work)
    scene.look()
    assert harness.fingerprint(scene.work) == before, "a look changes nothing"


def test_what_is_in_a_raw_state_can_be_deleted(harness: Harness, raw_state: RawState) -> None:
    scene = up(harness)
    raw_state.bring(harness, scene.work)
    scene.do("delete")
    scene.gone()


def test_an_object_that_vanished_is_absent_and_its_delete_is_a_success(harness: Harness) -> None:
    scene = up(harness)
    harness.vanish(scene.work)
    scene.until(Seen.ABSENT)
    scene.do("delete")
    scene.do("delete")
    scene.gone()


@pytest.mark.parametrize("verb", ["start", "stop", "restart", "modify"])
def test_a_verb_on_what_vanished_says_that_it_is_gone_and_makes_nothing(harness: Harness, verb: Verb) -> None:
    scene = up(harness)
    harness.vanish(scene.work)
    scene.until(Seen.ABSENT)
    with pytest.raises(ProviderError) as refused:
        scene.call(verb)
    assert refused.value.kind is ProviderErrorKind.NOT_FOUND
    assert scene.objects() == 0


def test_a_create_after_its_object_vanished_makes_one_new_one(harness: Harness) -> None:
    scene = up(harness)
    harness.vanish(scene.work)
    scene.until(Seen.ABSENT)
    try:
        outcome = scene.call("create")
    except PreviousGone:
        scene.do("create")
    else:
        scene.settle(outcome, Seen.UP)
    assert scene.objects() == 1


def test_the_inner_address_works_or_is_refused_with_a_reason(harness: Harness) -> None:
    scene = up(harness)
    if Can.INNER_ADDRESS in harness.lacks:
        with pytest.raises(ProviderError) as refused:
            scene.provider().inner_address(scene.work)
        assert refused.value.kind is ProviderErrorKind.INVALID
        assert len(refused.value.message) > 20
        return
    host, port = scene.provider().inner_address(scene.work)
    assert harness.leads_to(scene.work, host, port)


@needs(Can.WRITE_LOGS)
def test_logs_are_the_last_lines_and_no_more(harness: Harness) -> None:
    scene = up(harness, harness.chatty())
    deadline = time.monotonic() + harness.settle_seconds
    while not (lines := list(scene.provider().logs(scene.work, 3))) or not lines[-1].endswith("line 50"):
        assert time.monotonic() < deadline, lines
        harness.pause()
    assert [line[-7:] for line in lines] == ["line 48", "line 49", "line 50"]
    assert len(list(scene.provider().logs(scene.work, 1000))) <= 1000


def test_logs_are_bounded_and_of_what_never_was_there_are_none(harness: Harness) -> None:
    scene = up(harness)
    for asked, tail in ((scene.work, 2), (harness.work(), 2)):
        try:
            lines = list(scene.provider().logs(asked, tail))
        except ProviderError as refused:
            lines = [refused.message]
        assert len(lines) <= tail
        assert all("\n" not in line for line in lines)


def test_labels_of_the_user_describe_and_never_select(harness: Harness) -> None:
    victim = up(harness)
    hostile = {
        "app": "shop",
        "berth.dev/instance-id": victim.work.instance_id,
        "berth:instance-id": victim.work.instance_id,
        "berth.dev/signature": victim.work.identity.signature,
    }
    scene = up(harness, harness.work(labels=hostile))
    mine = [i for i in scene.provider().inventory() if i.owned]
    assert {i.instance_id for i in mine} == {victim.work.instance_id, scene.work.instance_id}
    assert len(mine) == 2
    scene.do("delete")
    assert (victim.objects(), victim.look().seen) == (1, Seen.UP)


def test_a_verb_tells_what_it_does_and_asks_before_it_changes_anything(harness: Harness) -> None:
    scene, call = Scene(harness), RecordingCall()
    scene.settle(scene.call("create", call), Seen.UP)
    assert call.guards >= 1
    for verb in ("stop", "start", "restart", "delete"):
        call = RecordingCall()
        outcome = scene.call(verb, call)
        scene.until(Seen.DOWN if verb == "stop" else Seen.ABSENT if verb == "delete" else Seen.UP)
        assert call.guards >= 1, verb
        assert outcome.provider_state, verb

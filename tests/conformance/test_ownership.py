"""Whose an object is: nobody touches what is not signed as this very instance of this very server."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain.errors import CallCancelled, FenceLost, ProviderError, ProviderErrorKind
from domain.work import InventoryItem, Seen
from tests.conformance.base import VERBS, Can, Foreign, Harness, RawState
from tests.conformance.scene import ENDS, Scene, StoppedCall, needs, next_generation, up
from tests.support.calls import RecordingCall


def items(scene: Scene) -> list[InventoryItem]:
    """What its server's inventory lists under the instance's id."""
    return [item for item in scene.provider().inventory() if item.instance_id == scene.work.instance_id]


def refuse_everything(scene: Scene) -> None:
    """Every verb is refused for good, and the place looks as before."""
    before = scene.harness.fingerprint(scene.work)
    assert scene.look().seen is Seen.FOREIGN
    for verb in VERBS:
        with pytest.raises(ProviderError) as refused:
            scene.call(verb)
        assert refused.value.kind is ProviderErrorKind.INVALID, verb
        assert not refused.value.retryable, verb
    assert scene.harness.fingerprint(scene.work) == before


def refuse_removal(scene: Scene) -> None:
    for item in items(scene):
        assert not item.owned
        with pytest.raises(ProviderError) as refused:
            scene.provider().remove(item.provider_id, RecordingCall())
        assert refused.value.kind is ProviderErrorKind.INVALID


@needs(Can.HOLD_UNSIGNED)
def test_an_unsigned_object_in_the_place_is_foreign_and_touched_by_nobody(harness: Harness) -> None:
    scene = Scene(harness)
    harness.plant(scene.work, Foreign.UNSIGNED)
    refuse_everything(scene)
    refuse_removal(scene)
    assert scene.objects() == 1


@needs(Can.HOLD_STOLEN)
def test_an_object_with_the_signature_of_another_instance_is_foreign_and_touched_by_nobody(
    harness: Harness,
) -> None:
    scene = Scene(harness)
    harness.plant(scene.work, Foreign.STOLEN)
    refuse_everything(scene)
    refuse_removal(scene)
    assert scene.objects() == 1


def test_an_object_of_another_generation_is_foreign_until_it_is_deleted(harness: Harness) -> None:
    scene = up(harness)
    old, scene.work = scene.work, next_generation(scene.work)
    before = harness.fingerprint(old)
    assert scene.look().seen is Seen.FOREIGN
    for verb in VERBS:
        if verb != "delete":
            with pytest.raises(ProviderError) as refused:
                scene.call(verb)
            assert refused.value.kind is ProviderErrorKind.INVALID, verb
    assert harness.fingerprint(old) == before
    scene.do("delete")
    scene.gone()


@needs(Can.HOLD_TWINS)
def test_two_objects_of_one_identity_are_shown_and_settled_as_the_provider_promises(harness: Harness) -> None:
    scene = up(harness)
    harness.add_twin(scene.work)
    assert len(items(scene)) == 2
    if not harness.twins_are_settled:
        refuse_everything(scene)
        assert scene.objects() == 2
        return
    assert scene.look().provider_id == scene.work.provider_id
    outcome = scene.do("create")
    assert outcome.note, "it says what it removed"
    assert outcome.provider_id == scene.work.provider_id, "the recorded one stays"
    assert scene.objects() == 1


def test_the_inventory_lists_each_of_ours_exactly_once(harness: Harness) -> None:
    scenes = [up(harness) for _ in range(3)]
    scenes[1].do("stop")
    listed = [item.instance_id for item in harness.provider().inventory() if item.owned]
    assert sorted(map(str, listed)) == sorted(scene.work.instance_id for scene in scenes)
    scenes[2].do("delete")
    assert len([item for item in harness.provider().inventory() if item.owned]) == 2


def test_what_is_in_a_raw_state_is_still_listed_as_ours(harness: Harness, raw_state: RawState) -> None:
    scene = up(harness)
    raw_state.bring(harness, scene.work)
    scene.until(raw_state.seen)
    (item,) = items(scene)
    assert item.owned


def test_an_orphan_is_removed_and_a_second_removal_finds_nothing_to_do(harness: Harness) -> None:
    orphan, neighbour = up(harness), up(harness)
    (item,) = items(orphan)
    for _ in range(2):
        harness.provider().remove(item.provider_id, RecordingCall())
        orphan.until(Seen.ABSENT)
        orphan.gone()
    assert neighbour.look().seen is Seen.UP


@pytest.mark.parametrize("error", [FenceLost, CallCancelled])
def test_a_removal_that_is_stopped_at_its_guard_touches_nothing(
    harness: Harness, error: type[FenceLost | CallCancelled]
) -> None:
    scene = up(harness)
    (item,) = items(scene)
    before = harness.fingerprint(scene.work)
    with pytest.raises(error):
        harness.provider().remove(item.provider_id, StoppedCall(1, error, lambda: None))
    assert harness.fingerprint(scene.work) == before
    assert scene.look().seen is Seen.UP


@pytest.mark.parametrize("nonsense", ["", "../../etc", "no-such-object", "i-0123456789abcdef0"])
def test_a_removal_of_what_is_not_there_removes_nothing(harness: Harness, nonsense: str) -> None:
    scene = up(harness)
    before = harness.fingerprint(scene.work)
    try:
        harness.provider().remove(nonsense, RecordingCall())
    except ProviderError as refused:
        assert not refused.retryable  # noqa: PT017 - either answer will do
    assert harness.fingerprint(scene.work) == before


def test_two_servers_at_one_place_never_touch_each_others_objects(harness: Harness) -> None:
    ours = up(harness)
    theirs = up(harness, harness.work(server_id=harness.other_server_id))
    for mine, strange in ((ours, theirs), (theirs, ours)):
        before = harness.fingerprint(strange.work)
        listed = mine.provider().inventory()
        assert [item.instance_id for item in listed if item.owned] == [mine.work.instance_id]
        (known,) = items(strange)
        try:
            mine.provider().remove(known.provider_id, RecordingCall())
        except ProviderError as refused:
            assert not refused.retryable  # noqa: PT017 - to find nothing is as good as to refuse
        assert harness.fingerprint(strange.work) == before
    ours.do("delete")
    assert theirs.look().seen is Seen.UP


def test_an_instance_id_that_another_server_planted_gives_it_nothing(harness: Harness) -> None:
    theirs = up(harness, harness.work(server_id=harness.other_server_id))
    identity = replace(theirs.work.identity, server_id=harness.server_id)
    ours = Scene(harness, harness.work(instance_id=identity.instance_id))
    before = harness.fingerprint(theirs.work)
    assert ours.look().seen in (Seen.ABSENT, Seen.FOREIGN)
    for verb in VERBS:
        try:
            ours.do(verb, ENDS.get(verb, Seen.UP))
        except ProviderError as refused:
            assert not refused.retryable, verb  # noqa: PT017 - or it found nothing of ours
        assert harness.fingerprint(theirs.work) == before, verb
    assert theirs.look().seen is Seen.UP

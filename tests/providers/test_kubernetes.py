"""The kubernetes provider on a real control plane: a life, repeats, too little room, refusals."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import pytest

from domain.errors import CallCancelled, FenceLost, ProviderError, ProviderErrorKind
from domain.work import ContainerRecipe, Resources, Secrets, Seen
from tests.support.calls import RecordingCall
from tests.support.kubernetes import RECIPE, AsContainer, Yard, container_work, eventually
from tests.support.patience import busy

pytestmark = [pytest.mark.servers, pytest.mark.kubernetes]
PLAIN = ContainerRecipe(image="berth-test/plain:1", port=80)


def test_a_life_from_create_to_delete(yard: Yard) -> None:
    work, call, provider = container_work(), RecordingCall(), yard.provider
    place = yard.place(work)
    assert provider.observe(work).seen is Seen.ABSENT
    made = provider.create(work, call)
    address = f"{place.name}.{place.namespace}.svc"
    assert (made.confirmed, made.provider_state, made.endpoint) == (True, "Running", f"{address}:8069")
    assert provider.inner_address(work) == (address, 8069)
    seen = provider.observe(work)
    assert (seen.seen, seen.provider_id, seen.generation) == (Seen.UP, place.provider_id, 1)
    kinds = sorted(name.split("/")[0] for name in yard.names(work))
    assert kinds == ["claim", "deployment", "pod", "replicaset", "secret", "service", "volume"]
    assert provider.stop(work, call).provider_state == "Stopped"
    assert provider.observe(work).seen is Seen.DOWN
    assert not yard.cluster.pods(place)
    assert any(name.startswith("volume/") for name in yard.names(work))
    assert provider.start(work, call).confirmed
    (before,) = yard.cluster.pods(place)
    assert provider.restart(work, call).confirmed
    (after,) = yard.cluster.pods(place)
    assert before.metadata.uid != after.metadata.uid
    assert provider.delete(work, call).confirmed
    assert yard.names(work) == []
    assert provider.observe(work).seen is Seen.ABSENT
    assert provider.inventory() == []


def test_every_verb_twice_is_the_same_as_once(yard: Yard) -> None:
    work, call = container_work(), RecordingCall()
    for verb in ("create", "start", "stop", "start", "modify"):
        first = getattr(yard.provider, verb)(work, call)
        version = yard.cluster.deployment(yard.place(work)).metadata.generation
        assert getattr(yard.provider, verb)(work, call) == first
        assert yard.cluster.deployment(yard.place(work)).metadata.generation == version
    for _ in range(2):
        assert yard.provider.delete(work, call).confirmed


@pytest.mark.usefixtures("brief")
def test_too_little_room_is_said_in_the_schedulers_words_and_a_new_node_is_enough(yard: Yard) -> None:
    work = container_work(resources=Resources(8, 64, 1))
    started = time.monotonic()
    made = yard.provider.create(work, RecordingCall())
    assert time.monotonic() - started < 10 * busy()
    assert (made.confirmed, made.provider_state) == (False, "Pending")
    words = "0/1 nodes are available: 1 Insufficient cpu."
    eventually(lambda: yard.provider.observe(work).detail == words)  # at first its volume is not there either
    seen = yard.provider.observe(work)
    assert (seen.seen, seen.provider_state) == (Seen.TRANSIENT, "Pending")
    with yard.cluster.node("big", "16"):
        eventually(lambda: yard.provider.observe(work).seen is Seen.UP)
        assert yard.provider.delete(work, RecordingCall()).confirmed
    assert yard.names(work) == []


@pytest.mark.usefixtures("brief")
def test_a_pending_one_is_deleted_with_all_it_has(yard: Yard) -> None:
    work = container_work(resources=Resources(8, 64, 1))
    yard.provider.create(work, RecordingCall())
    assert yard.provider.delete(work, RecordingCall()).confirmed
    assert yard.names(work) == []


def test_modify_brings_resources_environment_and_secrets(yard: Yard) -> None:
    work, call = container_work(), RecordingCall()
    yard.provider.create(work, call)
    (before,) = yard.cluster.pods(yard.place(work))
    recipe = RECIPE
    more = replace(recipe, environment={"GREETING": "bye"}, secrets=Secrets(ADMIN_PASSWORD="another"))
    changed = replace(work, recipes=AsContainer(more), resources=Resources(0.2, 128, 1))
    assert yard.provider.modify(changed, call).confirmed
    (after,) = yard.cluster.pods(yard.place(work))
    assert after.metadata.uid != before.metadata.uid
    limits = after.spec.containers[0].resources
    assert limits.limits == limits.requests == {"cpu": "200m", "memory": "128Mi"}
    assert {one.name: one.value for one in after.spec.containers[0].env}["GREETING"] == "bye"
    yard.provider.stop(changed, call)
    assert yard.provider.modify(work, call).provider_state == "Stopped"
    assert yard.provider.observe(work).seen is Seen.DOWN


def test_a_changed_secret_alone_starts_a_new_pod(yard: Yard) -> None:
    work, call = container_work(), RecordingCall()
    yard.provider.create(work, call)
    (before,) = yard.cluster.pods(yard.place(work))
    recipe = replace(RECIPE, secrets=Secrets(ADMIN_PASSWORD="another"))
    yard.provider.modify(replace(work, recipes=AsContainer(recipe)), call)
    (after,) = yard.cluster.pods(yard.place(work))
    assert after.metadata.uid != before.metadata.uid


def test_a_volume_can_not_be_made_smaller_and_the_servers_reason_is_told(yard: Yard) -> None:
    work, call = container_work(resources=Resources(0.1, 64, 2)), RecordingCall()
    yard.provider.create(work, call)
    with pytest.raises(ProviderError, match="less than") as caught:
        yard.provider.modify(replace(work, resources=Resources(0.1, 64, 1)), call)
    assert caught.value.kind is ProviderErrorKind.INVALID


def test_only_create_makes_things(yard: Yard) -> None:
    work = container_work()
    for verb in ("start", "stop", "restart", "modify"):
        with pytest.raises(ProviderError) as caught:
            getattr(yard.provider, verb)(work, RecordingCall())
        assert caught.value.kind is ProviderErrorKind.NOT_FOUND


def test_an_image_that_is_not_there_is_refused_with_its_name(yard: Yard) -> None:
    work = container_work(replace(PLAIN, image="berth-test/missing:9"))
    with pytest.raises(ProviderError, match="berth-test/missing:9 cannot be pulled") as caught:
        yard.provider.create(work, RecordingCall())
    assert caught.value.kind is ProviderErrorKind.INVALID
    seen = yard.provider.observe(work)
    assert (seen.seen, seen.provider_state) == (Seen.TRANSIENT, "ImagePullBackOff")
    assert yard.provider.delete(work, RecordingCall()).confirmed


@pytest.mark.usefixtures("brief")
def test_a_container_that_ends_again_and_again_is_crashed_with_its_exit_code(yard: Yard) -> None:
    work = container_work(replace(PLAIN, image="berth-test/crashing:1"))
    made = yard.provider.create(work, RecordingCall())
    assert (made.confirmed, made.provider_state) == (False, "CrashLoopBackOff")
    seen = yard.provider.observe(work)
    assert seen.seen is Seen.CRASHED
    assert seen.detail is not None
    assert "exit code 3" in seen.detail


@pytest.mark.usefixtures("brief")
def test_a_container_that_ended_shows_its_exit_code(yard: Yard) -> None:
    work = container_work(replace(PLAIN, image="berth-test/finishing:1"))
    yard.provider.create(work, RecordingCall())

    def ended() -> bool:
        seen = yard.provider.observe(work)
        return seen.provider_state == "Restarting" and "exit code 3" in (seen.detail or "")

    eventually(ended)


@pytest.mark.usefixtures("brief")
def test_a_volume_that_nobody_provides_is_named(yard: Yard) -> None:
    work = container_work()
    other = yard.another(storage_class="nowhere")
    made = other.create(work, RecordingCall())
    assert not made.confirmed
    eventually(lambda: "nowhere" in (other.observe(work).detail or ""))


def test_a_quota_is_refused_at_once_and_named(yard: Yard) -> None:
    provider = yard.another(quota="limits.cpu=500m,limits.memory=1Gi")
    provider.create(container_work(resources=Resources(0.4, 64, 1)), RecordingCall())
    started = time.monotonic()
    with pytest.raises(ProviderError, match="exceeded quota") as caught:
        provider.create(container_work(resources=Resources(0.2, 64, 1)), RecordingCall())
    assert caught.value.kind is ProviderErrorKind.QUOTA
    assert time.monotonic() - started < 10 * busy(), "it waited for what cannot come"


def test_running_as_root_is_refused_before_anything_is_made(yard: Yard) -> None:
    work = container_work(replace(PLAIN, user=0))
    with pytest.raises(ProviderError, match="root") as caught:
        yard.provider.create(work, RecordingCall())
    assert caught.value.kind is ProviderErrorKind.INVALID
    assert yard.names(work) == []


def test_several_volumes_and_no_port(yard: Yard) -> None:
    volumes = {"data": PurePosixPath("/data"), "logs": PurePosixPath("/logs")}
    work = container_work(ContainerRecipe(image="berth-test/plain:1", volumes=volumes))
    made = yard.provider.create(work, RecordingCall())
    assert (made.confirmed, made.endpoint) == (True, None)
    assert len([name for name in yard.names(work) if name.startswith(("claim/", "volume/"))]) == 4
    with pytest.raises(ProviderError, match="serves no port"):
        yard.provider.inner_address(work)
    assert yard.provider.delete(work, RecordingCall()).confirmed
    assert yard.names(work) == []


def test_a_lost_fence_stops_a_create_between_any_two_objects(yard: Yard) -> None:
    work = container_work()
    for guard in range(1, 5):
        with pytest.raises(FenceLost):
            yard.provider.create(work, RecordingCall(lose_fence_at_guard=guard))
    assert yard.provider.create(work, RecordingCall()).confirmed
    assert yard.provider.delete(work, RecordingCall()).confirmed
    assert yard.names(work) == []


def test_a_partial_create_is_removed_at_every_stage(yard: Yard) -> None:
    for guard in range(1, 7):
        work = container_work(project=f"p{guard}")
        with pytest.raises(FenceLost):
            yard.provider.create(work, RecordingCall(lose_fence_at_guard=guard))
        assert yard.provider.delete(work, RecordingCall()).confirmed
        assert yard.names(work) == []


def test_waiting_ends_with_a_cancel(yard: Yard) -> None:
    recipe = replace(PLAIN, image="berth-test/slow:1")
    work = container_work(recipe)
    provider = yard.another(node_selector="no-such=label")
    call = RecordingCall(cancel_after_seconds=0.0)
    with pytest.raises(CallCancelled):
        provider.create(work, call)


def test_a_user_s_labels_describe_and_select_nothing(yard: Yard) -> None:
    planted = {"berth.dev/instance-id": "ins_other", "team": "blue", "a/b c": "x"}
    work = container_work(labels=planted)
    yard.provider.create(work, RecordingCall())
    metadata: Any = yard.cluster.deployment(yard.place(work)).metadata
    assert metadata.labels["berth.dev/instance-id"] == work.instance_id
    assert "team" not in metadata.labels
    assert metadata.annotations["labels.berth.dev/team"] == "blue"
    assert metadata.annotations["berth.dev/instance-id"] == work.instance_id
    assert sum(value == "ins_other" for value in metadata.annotations.values()) == 1


def test_the_output_of_an_instance_is_read(yard: Yard) -> None:
    work = container_work(PLAIN)
    assert list(yard.provider.logs(work, 10)) == []
    yard.provider.create(work, RecordingCall())
    yard.cluster.plane.pod_log.write_text("".join(f"2026-01-01T00:00:0{n}Z stdout F line {n}\n" for n in range(5)))
    assert list(yard.provider.logs(work, 2))[-1].endswith("line 4")


def test_the_place_has_the_clusters_own_id(yard: Yard) -> None:
    system: Any = yard.cluster.core.read_namespace("kube-system")
    assert yard.provider.identity() == system.metadata.uid

"""The kubernetes provider when answers are lost, parts die, and strangers stand in the way."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from domain.errors import ProviderError, ProviderErrorKind
from domain.work import Resources, Seen, Work
from providers.kubernetes.watch import Hints
from tests.support.calls import RecordingCall
from tests.support.faulty_proxy import FaultyProxy
from tests.support.kubernetes import Cluster, Yard, container_work, eventually, open_provider
from tests.support.patience import busy
from tests.support.works import signed

pytestmark = [pytest.mark.servers, pytest.mark.kubernetes]
ONE_OF_EACH = ["claim", "deployment", "pod", "replicaset", "secret", "service", "volume"]


def kinds(yard: Yard, work: Work) -> list[str]:
    return sorted(name.split("/")[0] for name in yard.names(work))


class KillingCall(RecordingCall):
    def __init__(self, at: int) -> None:
        super().__init__()
        self._at = at

    def guard(self) -> None:
        super().guard()
        if self.guards == self._at:
            os.kill(os.getpid(), signal.SIGKILL)


def create_and_die(path: str, prefix: str, work: Work, at: int) -> None:
    open_provider(path, prefix).create(work, KillingCall(at))


@pytest.mark.crash
def test_a_create_killed_between_any_two_objects_leaves_one_set_after_the_next(yard: Yard) -> None:
    work = container_work()
    for guard in range(1, 7):
        process = multiprocessing.get_context("spawn").Process(
            target=create_and_die, args=(yard.cluster.kubeconfig, yard.prefix, work, guard)
        )
        process.start()
        process.join(120)
        assert process.exitcode in {-signal.SIGKILL, 0}
    assert yard.another().create(work, RecordingCall()).confirmed
    assert kinds(yard, work) == ONE_OF_EACH
    assert len(yard.provider.inventory()) == 1


def test_a_lost_answer_of_any_call_leaves_one_set_after_the_next(yard: Yard, tmp_path: Path) -> None:
    work = container_work()
    with FaultyProxy.start(yard.cluster.plane.server) as proxy:
        provider = yard.another(yard.cluster.proxied(proxy.url, tmp_path))
        for path in (r"namespaces\?", "networkpolicies", "deployments", "claims", "secrets", "services"):
            rule = proxy.lose_answer(method="PATCH|POST", path=path)
            with pytest.raises(ProviderError) as caught:
                provider.create(work, RecordingCall())
            assert caught.value.kind is ProviderErrorKind.TRANSIENT
            assert proxy.applied(rule) == 1
        assert provider.create(work, RecordingCall()).confirmed
        assert kinds(yard, work) == ONE_OF_EACH
        for verb, method in (("stop", "PATCH"), ("delete", "DELETE")):
            proxy.lose_answer(method=method, path="deployments")
            with pytest.raises(ProviderError):
                getattr(provider, verb)(work, RecordingCall())
            assert getattr(provider, verb)(work, RecordingCall()).confirmed
        assert yard.names(work) == []


def test_throttling_and_outages_are_told_apart_and_a_hang_is_cut(yard: Yard, tmp_path: Path) -> None:
    work = container_work()
    with FaultyProxy.start(yard.cluster.plane.server) as proxy:
        provider = yard.another(yard.cluster.proxied(proxy.url, tmp_path))
        proxy.refuse_with(429, '{"message": "too many requests"}', {"Retry-After": "7"}, method="POST")
        with pytest.raises(ProviderError) as caught:
            provider.create(work, RecordingCall())
        assert (caught.value.kind, caught.value.retry_after) == (ProviderErrorKind.THROTTLED, 7.0)
        proxy.refuse(503, "no", method="POST")
        with pytest.raises(ProviderError) as caught:
            provider.create(work, RecordingCall())
        assert caught.value.kind is ProviderErrorKind.TRANSIENT
        proxy.hang(times=-1)
        started = time.monotonic()
        assert provider.observe(work).seen is Seen.NO_EVIDENCE
        assert time.monotonic() - started < 10 * busy()
        proxy.clear()
        proxy.close_connections(times=-1)
        assert provider.observe(work).seen is Seen.NO_EVIDENCE
        with pytest.raises(ProviderError, match="does not answer"):
            provider.identity()


def test_a_strangers_deployment_of_that_name_is_left_alone_by_every_verb(yard: Yard) -> None:
    work, stolen = container_work(), container_work()
    place = yard.place(work)
    yard.provider.create(stolen, RecordingCall())  # so that the namespace is there
    other: Any = yard.cluster.deployment(yard.place(stolen))
    spec = {"replicas": 0, "selector": {"matchLabels": {"a": "b"}}}
    spec["template"] = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "x", "image": "y"}]}}
    signature = {**other.metadata.annotations, "berth.dev/instance-id": work.instance_id}
    for signed_by in ({}, signature):
        body: Any = {"metadata": {"name": place.name, "annotations": signed_by}, "spec": spec}
        yard.cluster.apps.create_namespaced_deployment(place.namespace, body)
        assert yard.provider.observe(work).seen is Seen.FOREIGN
        for verb in ("create", "start", "stop", "restart", "modify", "delete"):
            with pytest.raises(ProviderError, match="left untouched") as caught:
                getattr(yard.provider, verb)(work, RecordingCall())
            assert caught.value.kind is ProviderErrorKind.INVALID
        assert yard.cluster.deployment(place).spec.replicas == 0
        yard.cluster.apps.delete_namespaced_deployment(place.name, place.namespace)
        eventually(lambda: yard.provider.observe(work).seen is Seen.ABSENT)


@pytest.mark.parametrize("kind", ["service", "secret", "claim"])
def test_a_strangers_object_of_another_kind_is_not_overwritten(yard: Yard, kind: str) -> None:
    work = container_work()
    place, core = yard.place(work), yard.cluster.core
    yard.provider.create(container_work(), RecordingCall())
    specs: dict[str, Any] = {
        "service": {"spec": {"ports": [{"port": 1}]}},
        "secret": {"data": {}},
        "claim": {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}},
    }
    name = place.claim("data") if kind == "claim" else place.name
    creates: dict[str, Any] = {
        "service": core.create_namespaced_service,
        "secret": core.create_namespaced_secret,
        "claim": core.create_namespaced_persistent_volume_claim,
    }
    creates[kind](place.namespace, {"metadata": {"name": name}, **specs[kind]})
    with pytest.raises(ProviderError, match="not signed by this Berth") as caught:
        yard.provider.create(work, RecordingCall())
    assert caught.value.kind is ProviderErrorKind.INVALID
    assert yard.provider.delete(work, RecordingCall()).confirmed  # what the create had made, and nothing else
    assert kinds(yard, work) == []


def test_two_deployments_with_one_identity_are_touched_by_nobody(yard: Yard) -> None:
    work = container_work()
    yard.provider.create(work, RecordingCall())
    place = yard.place(work)
    twin: Any = yard.cluster.plain(yard.cluster.deployment(place))
    kept = twin["metadata"]
    twin["metadata"] = {"name": "twin", "labels": kept["labels"], "annotations": kept["annotations"]}
    twin["spec"]["replicas"] = 0
    del twin["status"]
    yard.cluster.apps.create_namespaced_deployment(place.namespace, twin)
    seen = yard.provider.observe(work)
    assert (seen.seen, "ambiguous" in (seen.detail or "")) == (Seen.FOREIGN, True)
    for verb in ("create", "stop", "delete"):
        with pytest.raises(ProviderError, match="ambiguous"):
            getattr(yard.provider, verb)(work, RecordingCall())
    assert {item.provider_id for item in yard.provider.inventory()} == {
        place.provider_id,
        f"{place.namespace}/twin",
    }
    yard.provider.remove(f"{place.namespace}/twin", RecordingCall())
    assert yard.provider.observe(work).seen is Seen.UP


def test_another_berths_objects_are_seen_and_never_removed(yard: Yard) -> None:
    theirs = container_work(server_id="another-berth-0001")
    other = yard.another(server_id="another-berth-0001")
    assert other.create(theirs, RecordingCall()).confirmed
    (item,) = yard.provider.inventory()
    assert (item.owned, item.instance_id) == (False, theirs.instance_id)
    with pytest.raises(ProviderError, match="left untouched"):
        yard.provider.remove(item.provider_id, RecordingCall())
    mine = container_work(instance_id=theirs.instance_id)
    assert yard.provider.observe(mine).seen is Seen.FOREIGN
    (item,) = other.inventory()
    assert item.owned


def test_another_generation_is_foreign_but_can_be_deleted(yard: Yard) -> None:
    work = container_work()
    yard.provider.create(work, RecordingCall())
    later = replace(work, identity=signed(replace(work.identity, generation=2)))
    assert yard.provider.observe(later).seen is Seen.FOREIGN
    with pytest.raises(ProviderError, match="another generation"):
        yard.provider.start(later, RecordingCall())
    assert yard.provider.delete(later, RecordingCall()).confirmed


def test_an_orphan_is_removed_by_its_name_with_what_was_left_of_it(yard: Yard) -> None:
    whole, left = container_work(), container_work(project="other")
    for work in (whole, left):
        yard.provider.create(work, RecordingCall())
    place = yard.place(left)
    gone: Any = {"propagationPolicy": "Orphan"}
    yard.cluster.apps.delete_namespaced_deployment(place.name, place.namespace, body=gone)
    eventually(lambda: "its Deployment is gone" in (yard.provider.observe(left).detail or ""))
    assert yard.provider.observe(left).seen is Seen.CRASHED
    states = {item.provider_id: (item.state, item.owned) for item in yard.provider.inventory()}
    assert states == {yard.place(whole).provider_id: ("Running", True), place.provider_id: ("Leftover", True)}
    for item in yard.provider.inventory():
        yard.provider.remove(item.provider_id, RecordingCall())
    assert yard.provider.inventory() == []
    assert yard.names(whole) + yard.names(left) == []


def test_pods_alone_are_an_orphan_and_go_by_its_name(yard: Yard) -> None:
    work = container_work()
    yard.provider.create(work, RecordingCall())
    place = yard.place(work)
    orphan: Any = {"propagationPolicy": "Orphan"}
    yard.cluster.apps.delete_namespaced_deployment(place.name, place.namespace, body=orphan)
    for kind in ("service", "secret", "persistent_volume_claim"):
        end = getattr(yard.cluster.core, f"delete_collection_namespaced_{kind}")
        end(place.namespace, label_selector=place.selector)

    def left() -> list[tuple[str, str, bool]]:
        return [(item.provider_id, item.state, item.owned) for item in yard.provider.inventory()]

    eventually(lambda: left() == [(place.provider_id, "Leftover", True)])
    yard.provider.remove(place.provider_id, RecordingCall())
    assert left() == []
    assert yard.names(work) == []


@pytest.mark.usefixtures("brief")
def test_the_api_server_restarts_while_a_create_waits(yard: Yard, cluster: Cluster) -> None:
    """The waiting create sees the outage as its error; the next attempt adopts and the watch goes on."""
    work = container_work(resources=Resources(8, 64, 1))
    yard.provider.create(work, RecordingCall())
    hints = Hints(yard.provider._api, work.identity.server_id)
    call = RecordingCall()
    try:
        with hints.of(yard.place(work)) as ticket:
            assert ticket.wait(call, 60.0)  # the first list
            cluster.plane.kill("kube-apiserver")
            assert yard.provider.observe(work).seen is Seen.NO_EVIDENCE
            with pytest.raises(ProviderError) as caught:
                yard.provider.create(work, RecordingCall())
            assert caught.value.kind is ProviderErrorKind.TRANSIENT
            cluster.plane.run("kube-apiserver")
            cluster.plane.await_api()
            eventually(lambda: state_after_create(yard, work) == "Pending")
            while ticket.wait(call, 1.0):
                pass
            with cluster.node("afterwards", "16"):
                assert ticket.wait(call, 60.0), "the watch did not go on"
                eventually(lambda: yard.provider.observe(work).seen is Seen.UP)
                yard.provider.delete(work, RecordingCall())
    finally:
        hints.close()
    assert hints.watches() == 0


def state_after_create(yard: Yard, work: Work) -> str | None:
    """None where a server that has only just begun refuses for a moment."""
    try:
        return yard.provider.create(work, RecordingCall()).provider_state
    except ProviderError as error:
        if not error.retryable:
            raise
        return None


def test_a_watch_begins_anew_when_its_version_is_too_old(yard: Yard, tmp_path: Path) -> None:
    gone = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired"}}
    with FaultyProxy.start(yard.cluster.plane.server) as proxy:
        provider = yard.another(yard.cluster.proxied(proxy.url, tmp_path))
        stale = proxy.refuse(200, gone, path="watch=true", times=2)
        refused = proxy.refuse(410, {"code": 410, "message": "too old"}, path="watch=true", times=2)
        first = container_work()
        with provider._hints.of(yard.place(first)):  # it watches as long as anybody waits
            assert provider.create(first, RecordingCall()).confirmed
            eventually(lambda: proxy.applied(stale) == 2 and proxy.applied(refused) == 2)
        again = container_work()
        assert provider.create(again, RecordingCall()).confirmed


def test_one_watch_serves_all_who_wait_and_ends_with_them(yard: Yard) -> None:
    works = [container_work() for _ in range(4)]
    yard.provider.create(works[0], RecordingCall())
    threads = [threading.Thread(target=yard.provider.create, args=(work, RecordingCall())) for work in works[1:]]
    for thread in threads:
        thread.start()
    hints = yard.provider._hints
    assert hints.watches() <= 2
    for thread in threads:
        thread.join(120)
    assert all(yard.provider.observe(work).seen is Seen.UP for work in works)
    assert hints.watches() == 0
    eventually(lambda: not [one for one in threading.enumerate() if yard.prefix in one.name])


def test_a_refused_secret_never_shows_its_values(yard: Yard) -> None:
    secret = "c4nary value"
    recipe = replace(container_work().recipes.container_recipe(container_work()))  # type: ignore[union-attr]
    recipe = replace(recipe, secrets=type(recipe.secrets)({"not a key": secret}))
    with pytest.raises(ProviderError) as caught:
        yard.provider.create(container_work(recipe), RecordingCall())
    assert caught.value.kind is ProviderErrorKind.INVALID
    assert secret not in caught.value.message

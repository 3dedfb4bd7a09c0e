"""Verbs of the Docker provider killed with SIGKILL between any two calls, and answers that were lost."""

from __future__ import annotations

import multiprocessing
import os
import signal
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest
from docker.models.containers import Container

from domain.errors import ProviderError, ProviderErrorKind
from domain.work import Secrets, Seen, Work
from providers.docker.labels import PROJECT, SERVER, container_name, former_name, network_name
from providers.docker.options import Options
from providers.docker.provider import DockerProvider
from tests.support.calls import RecordingCall
from tests.support.docker_instances import WEB, Dock, a_web, options_for, wait_until, with_recipe
from tests.support.faulty_proxy import FaultyProxy
from tests.support.works import verify

pytestmark = [pytest.mark.processes, pytest.mark.docker]
DATA = {"data": PurePosixPath("/data")}
_CONTEXT = multiprocessing.get_context("forkserver")
_MOST_GUARDS = 20


class KillingCall(RecordingCall):
    def __init__(self, at: int) -> None:
        super().__init__()
        self._at = at

    def guard(self) -> None:
        super().guard()
        if self.guards == self._at:
            os.kill(os.getpid(), signal.SIGKILL)


def attempt(options: Options, server_id: str, verb: str, work: Work, at: int) -> None:
    getattr(DockerProvider(options, server_id=server_id, verify=verify), verb)(work, KillingCall(at))


def killed(dock: Dock, verb: str, work: Work, at: int) -> bool:
    """Whether the verb came to its `at`-th change and was killed right before it; else it is done."""
    _CONTEXT.set_forkserver_preload([__name__])
    process = _CONTEXT.Process(target=attempt, args=(dock.options, dock.server_id, verb, work, at))
    process.start()
    process.join(120)
    assert process.exitcode in {0, -signal.SIGKILL}
    return process.exitcode != 0


def test_a_create_killed_before_its_start_is_adopted_and_started(dock: Dock) -> None:
    work = dock.work(a_web(volumes=DATA))
    at, left = 0, list[Container]()
    while not left:
        at += 1
        assert killed(dock, "create", work, at), "the container was never there before its start"
        left = dock.containers(work)
    assert left[0].status == "created"
    outcome = dock.provider.create(work, dock.call)
    assert outcome.provider_id == left[0].id
    assert [one.status for one in dock.containers(work)] == ["running"]


def replacing(dock: Dock, at: int) -> tuple[Work, Work, bool]:
    """An instance with data whose replacement is killed at its `at`-th change."""
    old = dock.created(a_web(volumes=DATA, environment={"COLOUR": "red"}))
    dock.execute(old, "sh", "-c", "echo kept > /data/file")
    new = with_recipe(old, environment={"COLOUR": "green"})
    was_killed = killed(dock, "modify", new, at)
    assert len(dock.containers(old)) in {1, 2}
    assert sum(one.status == "running" for one in dock.containers(old)) <= 1
    assert dock.provider.observe(old).seen in {Seen.UP, Seen.DOWN}
    return old, new, was_killed


def colour(dock: Dock, work: Work) -> str:
    (one,) = dock.containers(work)
    assert (one.name, one.status) == (container_name(work.instance_id), "running")
    return dock.execute(work, "sh", "-c", "echo $COLOUR $(cat /data/file)")


def test_a_replacement_killed_at_any_point_is_finished_by_the_next_attempt(dock: Dock) -> None:
    for at in range(1, _MOST_GUARDS):
        _, new, was_killed = replacing(dock, at)
        dock.provider.modify(new, dock.call)
        dock.provider.start(new, dock.call)  # as the operation does where it ran before
        assert colour(dock, new) == "green kept"
        dock.provider.delete(new, dock.call)
        if not was_killed:
            break
    assert at > 4


def test_a_replacement_killed_at_any_point_can_be_given_up_for_what_was_before(dock: Dock) -> None:
    for at in range(1, _MOST_GUARDS):
        old, _, was_killed = replacing(dock, at)
        if not was_killed:
            break
        dock.provider.restart(old, dock.call)
        assert colour(dock, old) == "red kept"
        dock.provider.delete(old, dock.call)
    assert at > 4


def test_a_replacement_killed_at_any_point_can_be_deleted(dock: Dock) -> None:
    for at in range(1, _MOST_GUARDS):
        old, _, was_killed = replacing(dock, at)
        dock.provider.delete(old, dock.call)
        assert (dock.containers(old), dock.volumes(old)) == ([], [])
        if not was_killed:
            break


def test_the_old_container_serves_under_its_other_name_until_the_new_one_is_there(dock: Dock) -> None:
    old, _, _ = replacing(dock, 2)
    (one,) = dock.containers(old)
    assert one.name == former_name(old.instance_id)
    found = dock.provider.observe(old)
    assert (found.seen, found.provider_id) == (Seen.UP, one.id)
    assert dock.provider.start(old, dock.call).provider_id == one.id
    assert colour(dock, old) == "red kept"


@pytest.mark.parametrize("path", ["/containers/create", "/start", "/networks/create", "/volumes/create"])
def test_a_lost_answer_leaves_one_container(dock: Dock, tmp_path: Path, path: str) -> None:
    work = dock.work(a_web(volumes=DATA, secrets=Secrets(TOKEN="hidden-hidden")))
    with FaultyProxy.start(dock.engine.host, socket=tmp_path / "p.sock") as proxy:
        dock.options = options_for(proxy.url)
        rule = proxy.lose_answer(method="POST", path=path)
        with pytest.raises(ProviderError) as lost:
            dock.provider.create(work, dock.call)
        assert (lost.value.kind, proxy.applied(rule)) == (ProviderErrorKind.TRANSIENT, 1)
        assert "hidden" not in lost.value.message
        assert dock.provider.create(work, dock.call).confirmed
        assert len(dock.containers(work)) == 1
        creates = [one for one in proxy.requests() if "/containers/create" in one["path"]]
        assert len(creates) == (1 if "containers" in path or "start" in path else len(creates))


def test_a_lost_answer_of_a_removal_is_no_failure(dock: Dock, tmp_path: Path) -> None:
    work = dock.created()
    with FaultyProxy.start(dock.engine.host, socket=tmp_path / "p.sock") as proxy:
        dock.options = options_for(proxy.url)
        rule = proxy.lose_answer(method="DELETE", path="/containers/")
        assert dock.provider.delete(work, dock.call).confirmed
        assert proxy.applied(rule) == 1


def test_of_two_networks_with_the_projects_name_one_stays(dock: Dock) -> None:
    """Two processes that create the first containers of a project at the same moment can make two."""
    work = dock.work()
    labels = {SERVER: dock.server_id, PROJECT: "default"}
    for _ in range(2):
        dock.client.networks.create(network_name(work.identity), labels=labels)
    assert dock.provider.create(work, dock.call).confirmed
    assert len(dock.client.networks.list(names=[network_name(work.identity)])) == 1
    dock.provider.delete(work, dock.call)
    assert dock.client.networks.list(names=[network_name(work.identity)]) == []


def test_of_two_networks_the_one_in_use_stays(dock: Dock) -> None:
    work = dock.work()
    name, labels = network_name(work.identity), {SERVER: dock.server_id, PROJECT: "default"}
    older, newer = (dock.client.networks.create(name, labels=labels) for _ in range(2))
    newer.connect(
        dock.client.containers.run(WEB, network=dock.client.networks.create("elsewhere").name, detach=True)
    )
    dock.provider.create(work, dock.call)
    assert [one.id for one in dock.client.networks.list(names=[name])] == [newer.id]
    attached = dock.inspected(work)["NetworkSettings"]["Networks"]
    assert [one["NetworkID"] for one in attached.values()] == [newer.id]
    assert older.id != newer.id


def test_an_orphan_is_removed_by_name_with_its_volumes(dock: Dock) -> None:
    orphan, neighbour = dock.created(a_web(volumes=DATA)), dock.created(a_web(volumes=DATA))
    (item,) = [one for one in dock.provider.inventory() if one.instance_id == orphan.instance_id]
    assert (item.owned, item.state, item.endpoint) == (True, "running", f"127.0.0.1:{orphan.port}")
    dock.provider.remove(item.provider_id, dock.call)
    assert (dock.containers(orphan), dock.volumes(orphan)) == ([], [])
    assert dock.provider.observe(neighbour).seen is Seen.UP


def test_data_without_a_container_is_listed_and_can_be_removed(dock: Dock) -> None:
    work = dock.created(a_web(volumes=DATA))
    dock.container(work).remove(force=True)
    (item,) = dock.provider.inventory()
    assert (item.provider_id, item.state, item.owned) == (f"volume/{dock.volumes(work)[0]}", "volume", True)
    dock.provider.remove(item.provider_id, dock.call)
    assert (dock.volumes(work), list(dock.provider.inventory())) == ([], [])


def test_another_berths_container_is_listed_as_not_ours_and_never_removed(dock: Dock) -> None:
    theirs = replace(dock, server_id="fedcba9876543210")
    work = theirs.created()
    (item,) = dock.provider.inventory()
    assert (item.owned, item.instance_id) == (False, work.instance_id)
    with pytest.raises(ProviderError, match="not signed by this Berth"):
        dock.provider.remove(item.provider_id, dock.call)
    assert wait_until(lambda: theirs.provider.observe(work).seen is Seen.UP)

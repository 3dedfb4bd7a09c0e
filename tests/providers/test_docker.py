"""The Docker provider against a real engine: the life of a container, verb by verb."""

from __future__ import annotations

import re
import signal
import socket
import time
import urllib.request
from dataclasses import replace
from pathlib import PurePosixPath

import pytest
from docker.models.networks import Network

from domain.errors import ProviderError, ProviderErrorKind
from domain.work import Resources, Secrets, Seen, Work
from providers.base import PortBusy
from tests.support.calls import RecordingCall
from tests.support.docker_instances import Dock, a_command, a_web, wait_until, with_recipe
from tests.support.patience import busy

pytestmark = [pytest.mark.processes, pytest.mark.docker]
DATA = {"data": PurePosixPath("/data")}


def test_a_created_container_serves_on_its_loopback_port_alone(dock: Dock) -> None:
    work = dock.work()
    outcome = dock.provider.create(work, dock.call)
    assert (outcome.confirmed, outcome.provider_state, outcome.port) == (True, "running", work.port)
    assert outcome.provider_id == dock.container(work).id
    assert outcome.endpoint == f"127.0.0.1:{work.port}"
    assert wait_until(lambda: served(work.port)) == "ok\n"
    bound = dock.inspected(work)["NetworkSettings"]["Ports"]["8080/tcp"]
    assert bound == [{"HostIp": "127.0.0.1", "HostPort": str(work.port)}]


def served(port: int | None, path: str = "/healthz") -> str | None:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as answer:
            return str(answer.read().decode())
    except OSError:
        return None


def test_a_second_create_adopts_the_container_and_does_not_restart_it(dock: Dock) -> None:
    work = dock.work()
    first = dock.provider.create(work, dock.call)
    started = dock.inspected(work)["State"]["StartedAt"]
    assert dock.provider.create(work, dock.call) == first
    assert dock.inspected(work)["State"]["StartedAt"] == started
    assert len(dock.containers(work)) == 1


def test_a_stop_is_graceful_and_keeps_the_data(dock: Dock) -> None:
    work = dock.created(a_web(volumes=DATA))
    wait_until(lambda: served(work.port))
    dock.execute(work, "sh", "-c", "echo kept > /data/file")
    outcome = dock.provider.stop(work, dock.call)
    assert (outcome.confirmed, outcome.provider_state, outcome.endpoint) == (True, "exited", None)
    assert dock.inspected(work)["State"]["ExitCode"] == 0
    assert dock.provider.observe(work).seen is Seen.DOWN
    assert dock.provider.stop(work, dock.call).provider_state == "exited"
    dock.provider.start(work, dock.call)
    assert dock.execute(work, "cat", "/data/file") == "kept"


def test_a_container_that_ignores_its_signal_is_killed_after_its_time(dock: Dock) -> None:
    work = dock.created(a_command("sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"))
    started = time.monotonic()
    outcome = dock.provider.stop(work, dock.call)
    assert 1 <= time.monotonic() - started < 10 * busy()
    assert outcome.provider_state == "exited"
    assert dock.inspected(work)["State"]["ExitCode"] == 137
    assert "did not end within 1 s" in dock.call.messages[-1]


def test_the_recipes_own_signal_stops_it(dock: Dock) -> None:
    script = "trap 'exit 0' USR1; trap '' TERM; echo ready; while :; do sleep 0.1; done"
    work = dock.created(a_command("sh", "-c", script, stop_signal=signal.SIGUSR1, stop_seconds=30))
    wait_until(lambda: dock.provider.logs(work, 1) == ["ready"])
    dock.provider.stop(work, dock.call)
    assert dock.inspected(work)["State"]["ExitCode"] == 0


def test_a_stop_of_a_paused_container_lets_it_end_cleanly(dock: Dock) -> None:
    work = dock.created()
    wait_until(lambda: served(work.port))
    dock.container(work).pause()
    dock.provider.stop(work, dock.call)
    assert dock.inspected(work)["State"]["ExitCode"] == 0


def test_a_restart_runs_a_new_process_in_the_same_container(dock: Dock) -> None:
    work = dock.created()
    before = dock.inspected(work)
    outcome = dock.provider.restart(work, dock.call)
    after = dock.inspected(work)
    assert outcome.provider_id == before["Id"] == after["Id"]
    assert after["State"]["StartedAt"] > before["State"]["StartedAt"]
    assert after["State"]["Running"]


def test_a_start_lets_a_paused_container_go_on(dock: Dock) -> None:
    work = dock.created()
    dock.container(work).pause()
    assert dock.provider.start(work, dock.call).provider_state == "running"
    assert wait_until(lambda: served(work.port))


def test_a_delete_removes_container_volumes_and_the_last_network(dock: Dock) -> None:
    first, second = dock.created(a_web(volumes=DATA)), dock.created(a_web(volumes=DATA))
    assert len(dock.volumes(first)) == 1
    networks = {network.id for network in networks_of(dock)}
    assert len(networks) == 1
    outcome = dock.provider.delete(first, dock.call)
    assert (outcome.confirmed, outcome.provider_state) == (True, "absent")
    assert (dock.containers(first), dock.volumes(first)) == ([], [])
    assert {network.id for network in networks_of(dock)} == networks
    dock.provider.delete(second, dock.call)
    assert dock.provider.delete(second, dock.call).confirmed
    assert networks_of(dock) == []
    assert dock.provider.observe(second).seen is Seen.ABSENT
    assert list(dock.provider.inventory()) == []


def networks_of(dock: Dock) -> list[Network]:
    return list(dock.client.networks.list(filters={"label": f"berth.dev/server-id={dock.server_id}"}))


def test_instances_of_a_project_reach_each_other_by_the_inner_address(dock: Dock) -> None:
    server, client = dock.created(), dock.created(a_command("sleep", "100"))
    host, port = dock.provider.inner_address(server)
    assert port == 8080
    wait_until(lambda: served(server.port))
    assert dock.execute(client, "wget", "-qO-", f"http://{host}:{port}/healthz") == "ok"


def test_another_project_has_another_network(dock: Dock) -> None:
    server, stranger = dock.created(), dock.created(a_command("sleep", "100"), project="other")
    attached = [set(dock.inspected(work)["NetworkSettings"]["Networks"]) for work in (server, stranger)]
    assert attached == [{f"berth-{dock.server_id}-default"}, {f"berth-{dock.server_id}-other"}]
    host, port = dock.provider.inner_address(server)
    wait_until(lambda: served(server.port))
    asked = ["wget", "-qO-", f"http://{host}:{port}/"]
    assert dock.container(server).exec_run(["timeout", "30", *asked])[0] == 0
    assert dock.container(stranger).exec_run(["timeout", "2", *asked])[0] != 0


def test_a_start_survives_the_loss_of_its_network(dock: Dock) -> None:
    work, other = dock.created(), dock.created(a_command("sleep", "100"))
    dock.provider.stop(work, dock.call)
    dock.provider.stop(other, dock.call)
    for network in networks_of(dock):
        network.remove()
    dock.provider.start(other, dock.call)
    assert dock.provider.start(work, dock.call).provider_state == "running"
    host, port = dock.provider.inner_address(work)
    wait_until(lambda: served(work.port))
    assert dock.execute(other, "wget", "-qO-", f"http://{host}:{port}/healthz") == "ok"


def test_logs_are_the_last_lines_of_both_streams(dock: Dock) -> None:
    work = dock.created(a_command("sh", "-c", "seq 1 500; echo oops >&2; sleep 100"))
    wait_until(lambda: len(dock.provider.logs(work, 1000)) == 501)
    assert len(dock.provider.logs(work, 3)) == 3
    assert sorted(dock.provider.logs(work, 1000)) == sorted([*map(str, range(1, 501)), "oops"])
    assert dock.provider.logs(work, 0) == []


def test_logs_are_bounded_however_much_is_written(dock: Dock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("providers.docker.logs._SECONDS", 60.0)
    script = "head -c 20000 /dev/zero | tr '\\0' x; echo; seq 1 40000 | sed 's/^/0123456789 /'; sleep 100"
    work = dock.created(a_command("sh", "-c", script))
    wait_until(lambda: dock.provider.logs(work, 1) == ["0123456789 40000"])
    lines = dock.provider.logs(work, 100_000)
    assert lines[-1] == "0123456789 40000"
    assert sum(map(len, lines)) <= 256 << 10
    assert max(map(len, lines)) <= 4096
    config = dock.inspected(work)["HostConfig"]["LogConfig"]
    assert config == {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}


def test_a_missing_image_is_refused_with_what_to_do_and_nothing_is_made(dock: Dock) -> None:
    work = dock.work(a_web(image="berth-test/none:7", volumes=DATA))
    with pytest.raises(ProviderError) as refused:
        dock.provider.create(work, dock.call)
    assert refused.value.kind is ProviderErrorKind.INVALID
    assert refused.value.message == (
        "image berth-test/none:7 is not on this host; pull or build it: docker pull berth-test/none:7"
    )
    assert (dock.containers(work), dock.volumes(work), dock.call.guards) == ([], [], 0)


def test_a_pull_that_is_allowed_and_fails_says_why(dock: Dock) -> None:
    dock.options = replace(dock.options, pull=True)
    with pytest.raises(ProviderError, match=r"image 127\.0\.0\.1:1/none:7 cannot be pulled: .*refused"):
        dock.provider.create(dock.work(a_web(image="127.0.0.1:1/none:7")), dock.call)


def test_a_port_that_somebody_listens_on_is_named_and_another_one_can_be_tried(dock: Dock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        work = dock.work(port=stranger.getsockname()[1])
        with pytest.raises(PortBusy) as busy:
            dock.provider.create(work, dock.call)
        assert busy.value.port == work.port
        elsewhere = replace(work, port=dock.work().port)
        assert dock.provider.create(elsewhere, dock.call).port == elsewhere.port
    assert len(dock.containers(work)) == 1
    assert wait_until(lambda: served(elsewhere.port))


def test_a_port_of_another_container_is_busy_too(dock: Dock) -> None:
    first = dock.created()
    with pytest.raises(PortBusy, match=f"port {first.port} is taken"):
        dock.provider.create(dock.work(port=first.port), dock.call)


class UntilItEnds(RecordingCall):
    """The moment in which a container may end at once lasts until this one has."""

    def __init__(self, dock: Dock, work: Work) -> None:
        super().__init__()
        self._dock, self._work = dock, work

    def sleep(self, seconds: float) -> None:
        wait_until(lambda: self._dock.container(self._work).status == "exited")


def test_a_container_that_ends_at_once_fails_with_its_last_words_but_no_secret(dock: Dock) -> None:
    recipe = a_command("sh", "-c", "echo no good: $TOKEN; exit 3", secrets=Secrets(TOKEN="hunter2hunter2"))
    work = dock.work(recipe)
    with pytest.raises(ProviderError) as failed:
        dock.provider.create(work, UntilItEnds(dock, work))
    assert failed.value.message == "shop ended at once: it ended with exit code 3; last output: no good: ***"


def test_what_a_container_printed_is_quoted_without_its_control_characters(dock: Dock) -> None:
    recipe = a_command(
        "sh", "-c", r"printf '\033]0;owned\007\033[31mred\033[0m \bhunter2\033[1mhunter2\r\n'; exit 3"
    )
    recipe = replace(recipe, secrets=Secrets(TOKEN="hunter2hunter2"))
    work = dock.work(recipe)
    with pytest.raises(ProviderError) as failed:
        dock.provider.create(work, UntilItEnds(dock, work))
    assert failed.value.message.endswith("last output: red ***")


def test_a_program_that_is_not_in_the_image_is_the_recipes_fault(dock: Dock) -> None:
    with pytest.raises(ProviderError, match="no-such-program") as failed:
        dock.provider.create(dock.work(a_command("/bin/no-such-program")), dock.call)
    assert failed.value.message


@pytest.mark.parametrize(
    ("resources", "kind", "says"),
    [
        (Resources(memory_mb=2), ProviderErrorKind.INVALID, "memory_mb is 2; Docker takes 6 or more"),
        (Resources(cpu=0.001), ProviderErrorKind.INVALID, "cpu is 0.001; Docker takes 0.01 or more"),
        (Resources(cpu=5000), ProviderErrorKind.NO_CAPACITY, "CPUs"),
    ],
)
def test_limits_that_docker_cannot_give_are_refused(
    dock: Dock, resources: Resources, kind: ProviderErrorKind, says: str
) -> None:
    work = dock.work(resources=resources)
    with pytest.raises(ProviderError, match=says) as refused:
        dock.provider.create(work, dock.call)
    assert refused.value.kind is kind
    assert dock.containers(work) == []


def test_limits_are_seen_in_inspect_and_change_while_it_runs(dock: Dock) -> None:
    work = dock.created(resources=Resources(cpu=0.5, memory_mb=64))
    before = dock.inspected(work)
    assert limits(before) == (500_000_000, 64 << 20, 64 << 20, 1024)
    changed = replace(work, resources=Resources(cpu=1.0, memory_mb=128))
    dock.provider.modify(changed, dock.call)
    after = dock.inspected(work)
    assert limits(after) == (1_000_000_000, 128 << 20, 128 << 20, 1024)
    assert (after["Id"], after["State"]["StartedAt"]) == (before["Id"], before["State"]["StartedAt"])
    assert dock.provider.modify(changed, dock.call).confirmed


def limits(inspected: dict[str, dict[str, int]]) -> tuple[int, ...]:
    host = inspected["HostConfig"]
    return tuple(host[name] for name in ("NanoCpus", "Memory", "MemorySwap", "PidsLimit"))


def test_a_limit_below_what_is_used_is_refused_and_nothing_changes(dock: Dock) -> None:
    fill = "head -c 60000000 /dev/zero | tr '\\0' x > /dev/shm/fill; sleep 100"
    work = dock.created(a_command("sh", "-c", fill), resources=Resources(memory_mb=128))
    wait_until(lambda: dock.execute(work, "stat", "-c", "%s", "/dev/shm/fill") == "60000000")
    with pytest.raises(ProviderError) as refused:
        dock.provider.modify(replace(work, resources=Resources(memory_mb=8)), dock.call)
    assert refused.value.kind is ProviderErrorKind.INVALID
    assert re.fullmatch(r"it uses \d+ MB of memory now, more than 8; stop it first, .*", refused.value.message)
    assert dock.inspected(work)["State"]["Running"]
    assert dock.inspected(work)["HostConfig"]["Memory"] == 128 << 20


def test_what_cannot_change_in_place_replaces_the_container_and_keeps_its_data(dock: Dock) -> None:
    work = dock.created(a_web(volumes=DATA), resources=Resources(memory_mb=64))
    dock.execute(work, "sh", "-c", "echo kept > /data/file")
    before = dock.container(work)
    changed = with_recipe(work, environment={"COLOUR": "green"})
    outcome = dock.provider.modify(changed, dock.call)
    after = dock.container(work)
    assert outcome.provider_id == after.id != before.id
    assert after.status == "running"
    assert dock.execute(changed, "sh", "-c", "echo $COLOUR; cat /data/file") == "green\nkept"
    assert len(dock.containers(work)) == 1


def test_a_limit_that_is_lifted_replaces_the_container(dock: Dock) -> None:
    work = dock.created(resources=Resources(memory_mb=64))
    dock.provider.modify(replace(work, resources=Resources()), dock.call)
    assert limits(dock.inspected(work)) == (0, 0, 0, 1024)


def test_a_changed_secret_reaches_the_container_at_the_next_start(dock: Dock) -> None:
    recipe = a_command("sleep", "100", secrets=Secrets(TOKEN="first-secret"))
    work = dock.created(recipe)
    changed = with_recipe(work, secrets=Secrets(TOKEN="second-secret"))
    assert dock.provider.start(changed, dock.call).confirmed
    assert dock.execute(work, "sh", "-c", "echo $TOKEN") == "first-secret", "what runs is left running"
    dock.provider.restart(changed, dock.call)
    assert dock.execute(work, "sh", "-c", "echo $TOKEN") == "second-secret"


def test_a_change_of_a_stopped_instance_leaves_it_stopped(dock: Dock) -> None:
    work = dock.created()
    dock.provider.stop(work, dock.call)
    changed = with_recipe(work, environment={"COLOUR": "green"})
    dock.provider.modify(changed, dock.call)
    found = dock.provider.observe(changed)
    assert (found.seen, found.provider_state) == (Seen.DOWN, "created")
    dock.provider.modify(with_recipe(work, environment={"COLOUR": "blue"}), dock.call)
    assert len(dock.containers(work)) == 1
    dock.provider.start(with_recipe(work, environment={"COLOUR": "blue"}), dock.call)
    assert dock.execute(work, "sh", "-c", "echo $COLOUR") == "blue"


def test_a_change_to_an_image_that_is_missing_leaves_the_instance_as_it_was(dock: Dock) -> None:
    work = dock.created()
    before = dock.inspected(work)
    for changed in (
        with_recipe(work, image="berth-test/none:7"),
        replace(with_recipe(work, environment={"A": "b"}), resources=Resources(cpu=5000)),
    ):
        with pytest.raises(ProviderError):
            dock.provider.modify(changed, dock.call)
        after = dock.inspected(work)
        assert (after["Id"], after["State"], after["Name"]) == (before["Id"], before["State"], before["Name"])


def test_data_where_the_image_declares_a_volume_survives_a_replacement_too(dock: Dock) -> None:
    recipe = a_web(image="odoo:17.0", port=8069)
    work = dock.created(recipe)
    dock.execute(work, "sh", "-c", "echo kept > /var/lib/odoo/file")
    changed = with_recipe(work, environment={"DATABASE_NAME": "shop"})
    dock.provider.modify(changed, dock.call)
    assert dock.execute(work, "cat", "/var/lib/odoo/file") == "kept"
    dock.provider.delete(changed, dock.call)
    assert dock.client.volumes.list() == []


def test_a_disk_limit_that_cannot_be_enforced_is_said(dock: Dock) -> None:
    outcome = dock.provider.create(dock.work(resources=Resources(disk_gb=5)), dock.call)
    assert outcome.note is not None
    assert "not enforced" in outcome.note


def test_labels_of_the_user_are_prefixed_and_said_to_come_later_when_they_change(dock: Dock) -> None:
    work = dock.created(labels={"team": "red"})
    assert dock.container(work).labels["labels.berth.dev/team"] == "red"
    outcome = dock.provider.modify(replace(work, labels={"team": "blue"}), dock.call)
    assert "labels are fixed" in str(outcome.note)


def test_the_identity_is_the_daemons(dock: Dock) -> None:
    assert dock.provider.identity() == f"docker/{dock.client.info()['ID']}"


def test_a_cancelled_stop_ends_soon_and_can_be_repeated(dock: Dock) -> None:
    script = "trap '' TERM; while :; do sleep 0.1; done"
    work = dock.created(a_command("sh", "-c", script, stop_seconds=30))
    started = time.monotonic()
    with pytest.raises(Exception, match="cancelled"):
        dock.provider.stop(work, RecordingCall(cancel_after_seconds=0.3))
    assert time.monotonic() - started < 10 * busy()
    assert dock.provider.observe(work).seen is Seen.UP
    dock.provider.delete(work, dock.call)
    assert dock.containers(work) == []

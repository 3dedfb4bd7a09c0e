"""What a container may not do to its host, and what nobody can plant: as `docker inspect` and it itself see it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import pytest

from domain.errors import ProviderError, ProviderErrorKind
from domain.work import Resources, Secrets, Seen
from providers.docker.labels import container_name, identity_labels, network_name, volume_name
from tests.support.docker_instances import WEB, Dock, a_command, a_web
from tests.support.works import an_id, signed

pytestmark = [pytest.mark.processes, pytest.mark.docker]
DATA = {"data": PurePosixPath("/data")}
CANARY = "c4nary-Never-To-Be-Seen-77"


def test_nothing_of_the_host_is_given_to_a_container(dock: Dock) -> None:
    found = dock.inspected(dock.created(a_web(volumes=DATA)))
    host: dict[str, Any] = found["HostConfig"]
    assert host["Privileged"] is False
    assert not any(host[name] for name in ("Binds", "Devices", "DeviceRequests", "CapAdd", "VolumesFrom", "Links"))
    assert [mount["Type"] for mount in found["Mounts"]] == ["volume"]
    assert (host["CapDrop"], host["SecurityOpt"]) == (["ALL"], ["no-new-privileges:true"])
    assert (host["PidMode"], host["UTSMode"], host["UsernsMode"]) == ("", "", "")
    assert (host["IpcMode"], host["CgroupnsMode"]) == ("private", "private")
    assert host["NetworkMode"] not in {"host", "bridge", "default"}
    assert host["RestartPolicy"]["Name"] == "no"
    assert host["PidsLimit"] == 1024
    assert host["PublishAllPorts"] is False


def test_a_process_inside_has_no_capability_and_can_gain_none(dock: Dock) -> None:
    work = dock.created(a_command("sleep", "100"))
    status = dock.execute(work, "grep", "-E", "^(Cap(Inh|Prm|Eff|Bnd|Amb)|NoNewPrivs)", "/proc/1/status")
    facts = dict(line.split(":\t") for line in status.splitlines())
    assert facts.pop("NoNewPrivs") == "1"
    assert set(facts.values()) == {"0" * 16}
    assert dock.container(work).exec_run(["mount", "-t", "tmpfs", "none", "/tmp"])[0] != 0


def test_a_recipes_user_is_who_it_runs_as(dock: Dock) -> None:
    work = dock.created(a_command("sleep", "100", user=999))
    assert dock.execute(work, "id", "-u") == "999"
    assert dock.execute(work, "id", "-g") == "999"


def test_a_fork_bomb_ends_at_the_limit(dock: Dock) -> None:
    dock.options = replace(dock.options, pids_limit=20)
    work = dock.created(a_command("sleep", "100"))
    code, said = dock.container(work).exec_run(["sh", "-c", "for i in $(seq 1 50); do sleep 5 & done; wait"])
    assert code != 0 or b"can't fork" in said


def test_user_labels_never_become_berths_own(dock: Dock) -> None:
    victim = dock.created()
    planted = identity_labels(victim)
    work = dock.created(labels=planted)
    labels = dock.container(work).labels
    assert labels["berth.dev/instance-id"] == work.instance_id
    assert labels["labels.berth.dev/berth.dev/instance-id"] == victim.instance_id
    assert dock.provider.observe(victim).seen is Seen.UP


@pytest.mark.parametrize("signature", ["", "0" * 64, "another's"])
def test_a_container_planted_in_a_victims_place_is_foreign_and_touched_by_nobody(
    dock: Dock, signature: str
) -> None:
    work = dock.work()
    other = signed(replace(work.identity, instance_id=an_id("ins"))).signature
    forged = replace(work.identity, signature=other if signature == "another's" else signature)
    planted = dock.client.containers.run(
        WEB,
        name=container_name(work.instance_id),
        labels=identity_labels(replace(work, identity=forged)),
        detach=True,
    )
    assert dock.provider.observe(work).seen is Seen.FOREIGN
    for verb in ("create", "start", "stop", "restart", "modify", "delete"):
        with pytest.raises(ProviderError, match="left untouched") as refused:
            getattr(dock.provider, verb)(work, dock.call)
        assert refused.value.kind is ProviderErrorKind.INVALID
    (item,) = [item for item in dock.provider.inventory() if item.instance_id == work.instance_id]
    assert not item.owned
    with pytest.raises(ProviderError, match="not signed by this Berth"):
        dock.provider.remove(item.provider_id, dock.call)
    planted.reload()
    assert planted.status == "running"


def test_a_strangers_container_of_the_same_name_is_left_alone(dock: Dock) -> None:
    work = dock.work()
    stranger = dock.client.containers.run(WEB, name=container_name(work.instance_id), detach=True)
    with pytest.raises(ProviderError, match="is not Berth's"):
        dock.provider.create(work, dock.call)
    with pytest.raises(ProviderError, match="is not Berth's"):
        dock.provider.logs(work, 5)
    stranger.reload()
    assert stranger.status == "running"


def test_a_planted_volume_is_neither_mounted_nor_removed(dock: Dock) -> None:
    work = dock.work(a_web(volumes=DATA))
    name = volume_name(work.instance_id, "data")
    dock.client.volumes.create(name)
    with pytest.raises(ProviderError, match=f"volume {name} is not shop's"):
        dock.provider.create(work, dock.call)
    assert dock.containers(work) == []
    dock.provider.delete(work, dock.call)
    assert dock.client.volumes.get(name).name == name


def test_a_planted_network_is_refused(dock: Dock) -> None:
    work = dock.work()
    dock.client.networks.create(network_name(work.identity))
    with pytest.raises(ProviderError, match=r"network .* is not this Berth's"):
        dock.provider.create(work, dock.call)


def test_a_secret_is_in_the_environment_of_the_container_and_nowhere_else(dock: Dock) -> None:
    work = dock.created(a_web(secrets=Secrets(ADMIN_PASSWORD=CANARY), volumes=DATA), resources=Resources(cpu=0.5))
    found = dock.inspected(work)
    environment = found["Config"].pop("Env")
    assert f"ADMIN_PASSWORD={CANARY}" in environment
    assert CANARY not in repr(found)
    assert CANARY not in repr(dock.client.api.containers(all=True))
    assert CANARY not in repr([volume.attrs for volume in dock.client.volumes.list()])
    assert CANARY not in repr([dock.provider.observe(work), list(dock.provider.inventory()), dock.call.messages])


def test_a_secret_that_docker_repeats_in_its_refusal_is_masked(dock: Dock) -> None:
    """Docker names a variable that it does not accept, with its value."""
    with pytest.raises(ProviderError) as refused:
        dock.provider.create(dock.work(a_web(secrets=Secrets({"": CANARY}))), dock.call)
    assert CANARY not in repr(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None

"""A secret parameter from the request to the running container and nowhere else, also when it is set anew."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.docker import DockerEngine
from tests.support.leaks import leaks, of_files, of_processes, of_records, of_temporal
from tests.support.whole import MakeWhole, Whole
from workflows.connection import connect

pytestmark = pytest.mark.docker
FIRST, SECOND = "c4n4ry-Of/th3 f1rst-ü", "c4n4ry-Of/th3 s3cond-ö"


@pytest.fixture(scope="module")
def whole(make_whole: MakeWhole, docker_engine: DockerEngine) -> Whole:
    return make_whole(BERTH_DOCKER_HOST=docker_engine.host, BERTH_LOG_LEVEL="DEBUG")


def environment(engine: DockerEngine, whole: Whole, name: str) -> list[str]:
    """Of the one container of the instance, as the engine itself says it."""
    (container,) = engine.client.containers.list(
        all=True, filters={"label": f"berth.dev/instance-id={whole.instance(name)['id']}"}
    )
    assert container.status == "running"
    shown = {**container.attrs, "Config": {**container.attrs["Config"], "Env": []}}
    assert leaks([("container", repr(shown).encode())], [FIRST, SECOND]) == []
    found: list[str] = container.attrs["Config"]["Env"]
    return found


async def test_a_secret_parameter_reaches_the_container_and_nothing_else_also_when_it_is_set_anew(
    whole: Whole, docker_engine: DockerEngine
) -> None:
    params = {
        "image": "berth-test/web:1",
        "container_port": 8080,
        "health_path": "/healthz",
        "secret_environment": {"TOKEN": FIRST},
    }
    whole.done(whole.create(name="keeper", blueprint="container", provider="docker", params=params))
    assert f"TOKEN={FIRST}" in environment(docker_engine, whole, "keeper")

    whole.modify("keeper", {"params": {"secret_environment": {"TOKEN": SECOND}}})
    now = environment(docker_engine, whole, "keeper")
    assert f"TOKEN={SECOND}" in now
    assert f"TOKEN={FIRST}" not in now
    assert whole.instance("keeper")["pending_changes"] == []

    whole.act("keeper", "restart")
    whole.modify("keeper", {"params": {"secret_environment": {"TOKEN": None}}})
    assert not any(variable.startswith("TOKEN=") for variable in environment(docker_engine, whole, "keeper"))
    whole.delete("keeper")

    spine = whole.spine
    client = await connect(spine.temporal.address, spine.namespace)
    places = await of_temporal(client, Path(spine.temporal.folder))
    places += [*of_records(spine), *of_files(worker.log for worker in spine.workers), *of_processes({os.getuid()})]
    assert leaks(places, [FIRST, SECOND]) == []

"""The monitor with real containers of a real daemon: what is done to them by hand is followed, kept, or told."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from db.models import Host, Instance, LifecycleEvent, Observer
from domain.lifecycle import Health, Operation, Status
from domain.specs import Accepted
from tests.support.docker import DockerEngine
from tests.support.faulty_proxy import FaultyProxy
from tests.support.spine import Spine
from tests.support.spines import MakeSpine
from tests.support.workers import wait_for

pytestmark = [pytest.mark.processes, pytest.mark.docker]
_IMAGE = {"image": "berth-test/web:1", "container_port": 8080, "health_path": "/"}


@pytest.fixture
def spine(docker_engine: DockerEngine, make_spine: MakeSpine) -> Iterator[Spine]:
    made = make_spine(BERTH_MONITOR="1", BERTH_DOCKER_HOST=docker_engine.host)
    made.start_worker()
    yield made
    made.close()
    docker_engine.clear()


@pytest.fixture
def proxy(docker_engine: DockerEngine, tmp_path: Path) -> Iterator[FaultyProxy]:
    """Between a worker and the daemon."""
    with FaultyProxy.start(docker_engine.host, socket=tmp_path / "docker.sock") as made:
        yield made


@pytest.fixture
def behind_proxy(docker_engine: DockerEngine, proxy: FaultyProxy, make_spine: MakeSpine) -> Iterator[Spine]:
    made = make_spine(BERTH_MONITOR="1", BERTH_DOCKER_HOST=proxy.url)
    made.start_worker()
    yield made
    made.close()
    docker_engine.clear()


def create(spine: Spine) -> Accepted:
    (host,) = spine.rows(select(Host.id))
    made = spine.create(provider="docker", blueprint="container", host_id=host, params=_IMAGE)
    spine.succeeded(made, 60)
    return made


def container(engine: DockerEngine, row: Instance) -> Any:
    assert row.cloud_instance_id is not None
    return engine.client.containers.get(row.cloud_instance_id)


def told(spine: Spine, row: Instance) -> list[str]:
    query = select(LifecycleEvent).where(LifecycleEvent.instance_id == row.id, LifecycleEvent.source == "monitor")
    return [
        f"{e.event_type} {e.from_status} {e.to_status}" for e in spine.rows(query.order_by(LifecycleEvent.seq))
    ]


def becomes(spine: Spine, made: Accepted, seconds: float = 20.0, **wanted: Any) -> Instance:
    def reached() -> bool:
        row = spine.instance(made.deployment_id)
        return all(getattr(row, name) == value for name, value in wanted.items())

    def story() -> str:
        row = spine.instance(made.deployment_id)
        log = spine.workers[-1].log.read_text()[-2500:]
        return f"{[getattr(row, name) for name in wanted]} is not {wanted}: {told(spine, row)}\n{log}"

    wait_for(reached, seconds, story)
    return spine.instance(made.deployment_id)


def test_pause_unpause_stop_start_and_removal_by_hand(spine: Spine, docker_engine: DockerEngine) -> None:
    made = create(spine)
    row = becomes(spine, made, health=Health.HEALTHY)
    wait_for(lambda: streaming(spine), 10, "the daemon tells of nothing")

    container(docker_engine, row).pause()
    row = becomes(spine, made, health=Health.DEGRADED)
    assert (row.status, row.health_reason) == (Status.RUNNING, "the container is paused")
    container(docker_engine, row).unpause()
    assert becomes(spine, made, health=Health.HEALTHY).status is Status.RUNNING

    container(docker_engine, row).stop(timeout=2)
    becomes(spine, made, status=Status.STOPPED)
    container(docker_engine, row).start()
    becomes(spine, made, status=Status.RUNNING, health=Health.HEALTHY)

    container(docker_engine, row).remove(force=True)
    row = becomes(spine, made, status=Status.ERROR)
    assert (row.error_origin, row.error_message) == ("monitor", f"{row.name} is absent at its provider")
    spine.succeeded(spine.delete(made.deployment_id), 60)
    said = told(spine, row)
    for line in ("OBSERVED running stopped", "OBSERVED stopped running"):
        assert line in said
    assert said[-1] in {"OBSERVED running error", "OBSERVED stopped error"}


def streaming(spine: Spine) -> bool:
    return any(one.streaming for one in spine.rows(select(Observer)) if one.scope.startswith("docker/"))


def test_a_container_killed_while_a_restart_runs_ends_as_the_restart_says(
    spine: Spine, docker_engine: DockerEngine
) -> None:
    made = create(spine)
    becomes(spine, made, health=Health.HEALTHY)
    asked = spine.act(Operation.RESTART, made.deployment_id)
    row = spine.instance(made.deployment_id)
    seen = set()
    while not spine.operation(asked.operation_id).status.done:
        seen.add(spine.instance(made.deployment_id).status)
    spine.succeeded(asked, 60)
    assert seen <= {Status.RUNNING, Status.RESTARTING}, "the container's stop was never taken for a stop"
    becomes(spine, made, status=Status.RUNNING, health=Health.HEALTHY)
    assert not [line for line in told(spine, row) if line.startswith("OBSERVED")]


def test_what_happens_while_the_daemon_is_away_is_found_by_comparing(
    spine: Spine, docker_engine: DockerEngine
) -> None:
    """A killed daemon leaves its containers running; one of them ends before the next daemon could tell of it."""
    made = create(spine)
    row = becomes(spine, made, health=Health.HEALTHY)
    wait_for(lambda: streaming(spine), 10, "the daemon tells of nothing")
    pid = int(container(docker_engine, row).attrs["State"]["Pid"])
    docker_engine.kill()
    wait_for(lambda: not streaming(spine), 20, "the end of the stream was not noticed")
    os.kill(pid, signal.SIGKILL)
    assert spine.instance(made.deployment_id).status is Status.RUNNING, "nothing is known while it is away"
    docker_engine.start()
    wait_for(
        lambda: spine.instance(made.deployment_id).status in {Status.STOPPED, Status.ERROR},
        40,
        lambda: spine.workers[-1].log.read_text()[-2500:],
    )
    wait_for(lambda: streaming(spine), 40, "the stream did not come back")


def test_a_cut_stream_is_noticed_and_what_it_would_have_told_is_found_by_comparing(
    behind_proxy: Spine, proxy: FaultyProxy, docker_engine: DockerEngine
) -> None:
    """The daemon lives and answers the rest: only the stream of events breaks, and cannot be begun again."""
    spine = behind_proxy
    made = create(spine)
    row = becomes(spine, made, health=Health.HEALTHY)
    wait_for(lambda: streaming(spine), 20, "the daemon tells of nothing")
    cut = proxy.cut(0.5, path="/events")
    proxy.close_connections(path="/events", times=-1)
    wait_for(lambda: proxy.applied(cut) == 1 and not streaming(spine), 30, "the cut was not noticed")

    container(docker_engine, row).stop(timeout=2)
    becomes(spine, made, 40, status=Status.STOPPED)
    assert not streaming(spine), "it was found by listing"
    proxy.clear()
    wait_for(lambda: streaming(spine), 40, "the stream did not come back")
    container(docker_engine, row).start()
    becomes(spine, made, 20, status=Status.RUNNING, health=Health.HEALTHY)

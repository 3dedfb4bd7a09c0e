"""Workers as agents: they serve what they are told, nothing else; each is the only one; successors take over."""

from __future__ import annotations

import os
import re
import shutil
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, insert, select, update

from agent.locks import AgentLocks
from db.direct import direct
from db.models import Host, Instance, ProviderPlace
from db.session import DatabaseClock, FixedClock
from domain.errors import HostUnavailable, ProviderUnavailable
from domain.lifecycle import Operation
from domain.operations import OperationStatus
from services.places.reported import check_configured, places
from tests.spine.test_confirmations import evidence
from tests.support.spine import Spine
from tests.support.spines import MakeSpine
from tests.support.workers import WorkerProcess, wait_for

pytestmark = pytest.mark.servers


def agent(spine: Spine, *options: str, folder: Path | None = None, **settings: str) -> WorkerProcess:
    """An agent, once it is ready; in a data directory of its own, as on another machine, or in the shared one."""
    worker = launch(spine, *options, folder=folder, **settings)
    worker.wait_until("worker ready")
    return worker


def launch(spine: Spine, *options: str, folder: Path | None = None, **settings: str) -> WorkerProcess:
    if folder is not None:
        folder.mkdir(exist_ok=True)
        shutil.copy(spine.folder / "keys", folder / "keys")
        settings["BERTH_DATA_DIR"] = str(folder)
    return spine.launch_worker(options=options, **settings)


def refused(worker: WorkerProcess) -> str:
    """Why an agent did not start, from its standard error."""
    assert worker.process.wait(120) == 1
    return worker.log.read_text()


def hosts(spine: Spine) -> list[Host]:
    return spine.rows(select(Host).order_by(Host.id))


def test_an_agent_serves_its_provider_and_neither_workflows_nor_the_host(
    make_spine: MakeSpine, tmp_path: Path
) -> None:
    spine = make_spine()
    agent(spine, "--provider", "simulated")
    made = spine.create()
    with pytest.raises(AssertionError, match="did not get there"):
        spine.wait_operation(made, lambda row: row.status is not OperationStatus.PENDING, seconds=1.5)
    assert hosts(spine) == []
    central = agent(spine, "--host", folder=tmp_path / "other")
    (host,) = hosts(spine)
    assert set(host.providers) - {"docker"} == {"process"}  # an engine of this machine is served, too
    central.stop()
    spine.start_worker()
    spine.succeeded(made)
    spine.invariants()


def test_what_an_agent_confirms_is_recorded_as_the_agents(make_spine: MakeSpine) -> None:
    """A worker whose own `simulated` holds nothing plans; the agent with the real one acts and polls."""
    spine = make_spine()
    spine.start_worker(BERTH_LOCAL_MODE="0")
    agent(spine, "--provider", "simulated")
    made = spine.create(simulate={"create": {"fault": "unconfirmed", "seconds": 0.5}})
    spine.succeeded(made)
    assert evidence(spine, made) == ("agent", "provider_poll")
    gone = spine.delete(made.deployment_id)
    spine.succeeded(gone)
    (told,) = [event for event in spine.events(gone.operation_id) if event.event_type == "TERMINATE_CONFIRMED"]
    assert (told.source, told.confirmation_method) == ("agent", "provider_poll")


def test_a_second_live_agent_of_one_host_is_refused_and_told_who_has_it(make_spine: MakeSpine) -> None:
    spine = make_spine()
    first = agent(spine, "--host")
    said = refused(launch(spine, "--host"))
    assert re.search(rf"berth-worker: the id host_\w+ is taken by berth \S+ pid {first.pid} on", said), said
    first.kill()
    agent(spine, "--host")


def test_a_second_live_agent_of_one_id_is_refused_whatever_it_serves_and_is_called(make_spine: MakeSpine) -> None:
    spine = make_spine()
    whole = spine.start_worker()
    first = agent(spine, "--provider", "simulated", "--name", "one")
    for options in (["--provider", "simulated"], ["--provider", "ec2"]):
        said = refused(launch(spine, *options, "--name", "two"))
        assert re.search(rf"the id host_\w+ is taken by berth one pid {first.pid} on", said), said
    first.kill()
    agent(spine, "--provider", "simulated", "--name", "two")
    assert whole.process.poll() is None


def test_two_agents_of_one_name_on_different_hosts_are_refused(make_spine: MakeSpine, tmp_path: Path) -> None:
    spine = make_spine()
    agent(spine, "--host", "--name", "build7")
    said = refused(launch(spine, "--host", "--name", "build7", folder=tmp_path / "other"))
    assert "the name build7 is taken by berth build7 pid" in said
    agent(spine, "--host", "--name", "build8", folder=tmp_path / "other")
    assert {host.name for host in hosts(spine)} == {"build7", "build8"}


def test_the_name_of_a_host_that_is_away_is_not_given_to_another(make_spine: MakeSpine, tmp_path: Path) -> None:
    spine = make_spine()
    agent(spine, "--host", "--name", "build7").kill()
    said = refused(launch(spine, "--host", "--name", "build7", folder=tmp_path / "other"))
    assert "another host is known as build7" in said


def test_a_second_worker_stands_by_for_the_host_and_takes_over_when_the_first_dies(make_spine: MakeSpine) -> None:
    spine = make_spine()
    first = spine.start_worker()
    second = spine.start_worker()
    assert "stands by for the host" in second.log.read_text()
    queue = f"host-{hosts(spine)[0].id}"
    assert queue not in second.log.read_text()
    first.kill()
    second.wait_until(f'"queue": "{queue}"', seconds=20)
    spine.create_done()


def test_a_worker_whose_lock_is_lost_leaves_the_host_and_comes_back(make_spine: MakeSpine) -> None:
    spine = make_spine()
    worker = spine.start_worker()
    host = hosts(spine)[0]
    spine.end_connection(f"berth {host.name} %")
    worker.wait_until("the host's lock is lost", seconds=20)
    wait_for(
        lambda: worker.log.read_text().count(f'"queue": "host-{host.id}"') >= 2,
        30,
        "the host was not served again",
    )
    spine.create_done()
    worker.kill()


def test_locks_are_free_the_moment_that_their_holder_is_gone(make_spine: MakeSpine) -> None:
    spine = make_spine()
    keys = [("the host", "berth/agent/host/x"), ("the name", "berth/agent/name/x")]
    first = AgentLocks(direct(spine.database.engine, "first"), keys)
    second = AgentLocks(direct(spine.database.engine, "second"), keys[1:])
    assert second.acquire() is None
    assert (first.acquire() or "").startswith("the name is taken by second (this machine, since ")
    other = AgentLocks(direct(spine.database.engine, "other"), keys[:1])
    assert other.acquire() is None, "who did not get all of them keeps none"
    other.release()
    second.release()
    wait_for(lambda: first.acquire() is None, 20, "the locks were not free")
    assert first.alive()
    first.release()
    assert not first.alive()


def test_a_killed_workers_successor_serves_within_two_seconds_of_its_start(make_spine: MakeSpine) -> None:
    spine = make_spine()
    first = spine.start_worker()
    spine.create_done()
    first.kill()
    spine.start_worker()
    spine.succeeded(spine.create(), seconds=2)
    spine.invariants()


def silent(spine: Spine, clock: FixedClock, seconds: float) -> None:
    """As if nobody had heard of any host for so long."""
    ago = update(Host).values(last_seen_at=clock.at - timedelta(seconds=seconds))
    spine.write(lambda tx: tx.session.execute(ago))


def test_work_for_a_silent_host_is_refused_and_its_delete_waits(make_spine: MakeSpine) -> None:
    spine = make_spine()
    worker = spine.start_worker()
    host = hosts(spine)[0]
    made = spine.create_done(host_id=host.id)
    worker.kill()
    clock = spine.database.clock = FixedClock(datetime.now(UTC))
    silent(spine, clock, 29)
    spine.cancel(spine.act(Operation.RESTART, made.deployment_id).operation_id)
    silent(spine, clock, 31)
    with pytest.raises(HostUnavailable, match=rf"Host {host.name} has not been seen for 31 s: start its worker"):
        spine.act(Operation.RESTART, made.deployment_id)
    with pytest.raises(HostUnavailable):
        spine.modify(made.deployment_id, greeting="two")
    with pytest.raises(HostUnavailable):
        spine.create(host_id=host.id)
    spine.database.clock = DatabaseClock()
    gone = spine.delete(made.deployment_id)
    spine.start_worker()
    spine.succeeded(gone)


def test_a_provider_that_no_live_worker_serves_takes_no_new_work(
    spine: Spine, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FixedClock(datetime.now(UTC))
    monkeypatch.setattr(spine.database, "clock", clock)

    def reported(seconds: float) -> None:
        ago = clock.at - timedelta(seconds=seconds)
        spine.write(lambda tx: tx.session.execute(insert(ProviderPlace).values(**known, checked_at=ago)))

    known = {"provider": "ec2", "host_id": "host_x", "agent": "build7", "configured": True, "available": True}
    reported(28)
    spine.write(lambda tx: check_configured(tx, "ec2"))
    spine.write(lambda tx: tx.session.execute(delete(ProviderPlace).where(ProviderPlace.host_id == "host_x")))
    reported(40)
    with pytest.raises(ProviderUnavailable, match="build7, which serves it, was last heard of 40 s ago"):
        spine.write(lambda tx: check_configured(tx, "ec2"))
    (shown,) = spine.write(lambda tx: [p for p in places(tx.session)["ec2"] if p["host_id"] == "host_x"])
    spine.write(lambda tx: tx.session.execute(delete(ProviderPlace).where(ProviderPlace.host_id == "host_x")))
    assert not shown["available"]


def test_places_are_recorded_with_what_is_missing(spine: Spine) -> None:
    found = {row.provider: row for row in spine.rows(select(ProviderPlace))}
    assert (found["process"].available, found["simulated"].available) == (True, True)
    assert found["simulated"].identity == spine.server_id
    for row in found.values():
        assert row.available or (row.reason or "").strip()


def test_another_place_under_the_same_name_is_neither_changed_nor_believed(make_spine: MakeSpine) -> None:
    spine = make_spine()
    worker = spine.start_worker()
    made = spine.create_done()
    row = spine.instance(made.deployment_id)
    worker.stop()
    worker = spine.start_worker(BERTH_SIMULATED_IDENTITY="elsewhere")
    failed = spine.failed(spine.act(Operation.RESTART, made.deployment_id))
    assert failed.error is not None
    assert failed.error["code"] == "provider-swapped"
    assert "BERTH_SIMULATED_ACCEPT_IDENTITY=elsewhere" in failed.error["message"]
    failed = spine.failed(spine.delete(made.deployment_id))
    assert spine.calls(row.id).get("delete", 0) == 0, "finding nothing there would have been taken for gone"
    (place,) = spine.rows(select(ProviderPlace).where(ProviderPlace.provider == "simulated"))
    assert (place.available, place.identity) == (False, "elsewhere")
    worker.stop()
    spine.start_worker(BERTH_SIMULATED_IDENTITY="elsewhere", BERTH_SIMULATED_ACCEPT_IDENTITY="elsewhere")
    spine.succeeded(spine.retry(failed.id))
    assert spine.rows(select(Instance)) == []


def test_a_place_that_holds_nothing_may_be_another_one(make_spine: MakeSpine) -> None:
    spine = make_spine()
    spine.start_worker().stop()
    spine.start_worker(BERTH_SIMULATED_IDENTITY="elsewhere")
    spine.create_done()


def test_a_stopped_agent_exits_cleanly(make_spine: MakeSpine) -> None:
    spine = make_spine()
    worker = agent(spine, "--provider", "simulated", "--host")
    os.kill(worker.pid, signal.SIGTERM)
    assert worker.process.wait(90) == 0

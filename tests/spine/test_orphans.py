"""The sweep of orphans through API, worker and real providers: what it takes, and what it never touches."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select

from activities.orphans import OrphanCall
from blueprints.registry import BLUEPRINTS
from db.models import Instance, LifecycleEvent
from domain.errors import FenceLost
from domain.work import Identity, Resources, Secrets, Work
from providers.process import ProcessProvider
from providers.simulated import SimulatedProvider
from services.operations.works import load_work
from tests.support.api import Api, add_host, running_api
from tests.support.calls import RecordingCall
from tests.support.instances import end_all, free_port
from tests.support.postgres import PostgresServer
from tests.support.process_spine import ProcessSpine
from tests.support.spine import Spine
from tests.support.spines import working_spine
from tests.support.temporal import TemporalServer
from tests.support.works import a_work, an_id, verify

pytestmark = pytest.mark.servers


@contextmanager
def served(spine: Spine) -> Iterator[Api]:
    known = {"TEMPORAL_ADDRESS": spine.temporal.address, "TEMPORAL_NAMESPACE": spine.namespace}
    with running_api(spine.folder, spine.database_url, **known) as api:
        yield api


@pytest.fixture(scope="module")
def spine(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer, temporal_server: TemporalServer
) -> Iterator[Spine]:
    with working_spine(tmp_path_factory, postgres_server, temporal_server) as made:
        yield made


@pytest.fixture(scope="module")
def api(spine: Spine) -> Iterator[Api]:
    with served(spine) as running:
        yield running


def work_of(spine: Spine, deployment_id: str) -> Work:
    """As the worker would load it."""
    with spine.database.begin() as tx:
        row = tx.session.get_one(Instance, spine.instance(deployment_id).id)
        spec = row.applied_spec or {"params": {}, "resources": {}}
        work = load_work(tx, spine.vault, spine.server_id, row, spec)
    return replace(work, recipes=BLUEPRINTS[work.blueprint])


def finished(spine: Spine) -> Work:
    """An object that stands there again although its instance was terminated."""
    made = spine.create_done()
    work = work_of(spine, made.deployment_id)
    spine.succeeded(spine.delete(made.deployment_id))
    spine.provider.create(work, RecordingCall())
    return work


def unknown(spine: Spine) -> Work:
    """An object that is signed by this Berth and known to no record."""
    parts = (spine.server_id, "default", an_id("dep"), an_id("ins"), "1")
    identity = Identity(parts[0], parts[1], parts[2], parts[3], 1, spine.vault.sign(*parts))
    work = Work(identity, "lost", "web", {}, Resources(), secrets=Secrets())
    spine.provider.create(work, RecordingCall())
    return work


def strange(spine: Spine) -> Work:
    """Another Berth's object at the same place."""
    work = a_work(server_id="another-berth-0001")
    SimulatedProvider(spine.folder / "simulated.db", "another-berth-0001").create(work, RecordingCall())
    return work


def line(report: Any, work: Work) -> Any:
    (found,) = [item for item in report["items"] if item["instance_id"] == work.instance_id]
    return found


def sweep(api: Api, **body: Any) -> Any:
    answer = api.ask("POST", "/orphans:sweep", body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def held(spine: Spine, work: Work) -> bool:
    return work.instance_id in {item.instance_id for item in spine.inventory()}


def events(spine: Spine, work: Work) -> list[LifecycleEvent]:
    query = select(LifecycleEvent).where(
        LifecycleEvent.instance_id == work.instance_id, LifecycleEvent.event_type.like("ORPHAN_%")
    )
    return spine.rows(query.order_by(LifecycleEvent.seq))


def test_a_report_says_of_each_object_what_it_is_and_removes_nothing(api: Api, spine: Spine) -> None:
    over, lost, other = finished(spine), unknown(spine), strange(spine)
    lives = work_of(spine, spine.create_done().deployment_id)

    for report in (api.get("/orphans"), sweep(api)):
        assert report["dry_run"]
        facts = [(line(report, work)["why"], line(report, work)["outcome"]) for work in (over, lost, other)]
        assert facts == [("finished life", "remove"), ("unknown", "keep"), ("not ours", "keep")]
        assert line(report, over)["name"] == over.name
        assert line(report, over)["ended_at"] is not None
        assert lives.instance_id not in {item["instance_id"] for item in report["items"]}
    assert all(held(spine, work) for work in (over, lost, other, lives))
    assert events(spine, over) == []


def test_a_sweep_takes_the_finished_lives_and_leaves_the_rest(api: Api, spine: Spine) -> None:
    over, lost, other = finished(spine), unknown(spine), strange(spine)
    lives = work_of(spine, spine.create_done().deployment_id)

    report = sweep(api, dry_run=False)

    assert line(report, over)["outcome"] == "removed"
    assert [line(report, work)["outcome"] for work in (lost, other)] == ["kept", "kept"]
    assert [held(spine, work) for work in (over, lost, other, lives)] == [False, True, True, True]
    assert [event.event_type for event in events(spine, over)] == ["ORPHAN_REMOVE_REQUESTED", "ORPHAN_REMOVED"]
    last = events(spine, over)[-1]
    assert (last.actor, last.reason, last.project) == ("admin", "cleanup", "default")
    assert (last.cloud_instance_id, last.data["provider"]) == (f"sim-{over.instance_id}", "simulated")
    told = api.get(f"/instances/{over.instance_id}/history")["items"]
    assert "ORPHAN_REMOVED" in [event["event_type"] for event in told]
    assert over.instance_id not in str(sweep(api, dry_run=False)["items"])


def test_an_unknown_object_goes_when_it_is_named_and_nothing_that_is_not_named_goes_with_it(
    api: Api, spine: Spine
) -> None:
    over, lost = finished(spine), unknown(spine)

    report = sweep(api, dry_run=False, ids=[f"sim-{lost.instance_id}", "sim-nobody"])

    assert line(report, lost)["outcome"] == "removed"
    assert line(report, over) | {"outcome": "kept", "reason": "not named"} == line(report, over)
    assert report["missing"] == ["sim-nobody"]
    assert [held(spine, work) for work in (over, lost)] == [True, False]


def test_what_another_berth_signed_is_never_touched_even_when_it_is_named(api: Api, spine: Spine) -> None:
    other = strange(spine)
    report = sweep(api, dry_run=False, ids=[f"sim-{other.instance_id}"])
    assert line(report, other)["outcome"] == "kept"
    assert held(spine, other)
    assert events(spine, other) == []


def test_the_object_of_a_living_instance_is_no_orphan_even_when_it_is_named(api: Api, spine: Spine) -> None:
    lives = work_of(spine, spine.create_done().deployment_id)
    report = sweep(api, dry_run=False, ids=[f"sim-{lives.instance_id}"])
    assert report["missing"] == [f"sim-{lives.instance_id}"]
    assert held(spine, lives)


def test_an_object_whose_record_was_lost_is_only_reported(api: Api, spine: Spine) -> None:
    work = work_of(spine, spine.create_done().deployment_id)
    with spine.database.begin() as tx:
        tx.session.execute(delete(Instance).where(Instance.id == work.instance_id))
    assert line(sweep(api, dry_run=False), work)["why"] == "unknown"
    assert held(spine, work)


def test_a_second_object_of_a_living_instance_is_ambiguous_and_touched_by_nobody(api: Api, spine: Spine) -> None:
    made = spine.create_done()
    work = work_of(spine, made.deployment_id)
    with spine.database.begin() as tx:
        tx.session.get_one(Instance, work.instance_id).cloud_instance_id = "sim-another"
    report = sweep(api, dry_run=False, ids=[f"sim-{work.instance_id}"])
    assert (line(report, work)["why"], line(report, work)["outcome"]) == ("ambiguous", "kept")
    assert held(spine, work)


def test_the_records_are_asked_again_right_before_a_removal(spine: Spine) -> None:
    lives = work_of(spine, spine.create_done().deployment_id)
    lost = unknown(spine)
    for work, named, against in ((lives, True, "lives"), (lost, False, "nobody named")):
        call = OrphanCall(spine.database, work.instance_id, named, float("inf"))
        with pytest.raises(FenceLost, match=against):
            spine.provider.remove(f"sim-{work.instance_id}", call)
        assert held(spine, work)
    spine.provider.remove(
        f"sim-{lost.instance_id}", OrphanCall(spine.database, lost.instance_id, True, float("inf"))
    )
    assert not held(spine, lost)


def test_a_place_that_cannot_be_asked_is_named(api: Api, spine: Spine) -> None:
    with spine.database.begin() as tx:
        away = datetime.now(UTC) - timedelta(hours=1)
        host = add_host(tx, "away", last_seen_at=away)
    unasked = api.get("/orphans")["unasked"]
    (found,) = [place for place in unasked if place["host_id"] == host]
    assert found["provider"] == "process"
    assert "away has not been seen" in found["reason"]
    assert all(place["reason"] for place in unasked)
    only = api.get("/orphans?provider=simulated")
    assert only["unasked"] == []
    assert api.ask("GET", "/orphans?provider=nowhere").status_code == 404


def test_a_worker_that_does_not_answer_is_named(api: Api, spine: Spine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.asks.ASK_SECONDS", 1.0)
    with spine.database.begin() as tx:
        host = add_host(tx, "silent")
    (found,) = [place for place in api.get("/orphans")["unasked"] if place["host_id"] == host]
    assert "does not answer" in found["reason"]


def test_what_was_only_accepted_and_still_shows_is_not_called_removed(api: Api, spine: Spine) -> None:
    over = finished(spine)
    columns = (
        "instance_id server_id project deployment_id generation signature name state settles_to settles_at params"
    )
    stay = ", ".join(f"old.{column}" for column in columns.split())
    with closing(sqlite3.connect(spine.folder / "simulated.db")) as db:
        db.execute(f"create trigger stay after delete on objects begin insert into objects values ({stay}); end")
        try:
            report = sweep(api, dry_run=False, ids=[f"sim-{over.instance_id}"])
        finally:
            db.execute("drop trigger stay")
    assert line(report, over)["outcome"] == "removing"
    assert "still shows as running" in line(report, over)["reason"]
    assert line(sweep(api, dry_run=False), over)["outcome"] == "removed"


def test_a_wrong_wish_is_refused_with_its_place(api: Api) -> None:
    answer = api.ask("POST", "/orphans:sweep", {"dry_run": "no", "ids": [""], "force": True})
    assert answer.status_code == 422
    assert {error["pointer"] for error in answer.json()["errors"]} == {"/dry_run", "/ids/0", "/force"}


@pytest.mark.processes
def test_orphaned_processes_are_ended_with_their_data_and_another_berths_go_on(
    process_spine: ProcessSpine, runtime_base: Path
) -> None:
    spine, strange_id = process_spine, "another-" + process_spine.server_id[-8:]
    spine.start_worker()
    made = spine.on_host(blueprint="web")
    spine.succeeded(made)
    work = work_of(spine, made.deployment_id)
    spine.succeeded(spine.delete(made.deployment_id))
    ours = a_provider(runtime_base, spine.server_id, made_on(work), spine._verify)
    theirs = a_provider(runtime_base, strange_id, made_on(work), verify)
    ours.create(work, RecordingCall())
    other = a_work(server_id=strange_id, port=free_port(), recipes=BLUEPRINTS["web"])
    theirs.create(other, RecordingCall())
    try:
        with served(spine) as api:
            report = sweep(api, dry_run=False)
        assert line(report, work)["outcome"] == "removed"
        assert line(report, other)["outcome"] == "kept"
        assert work.instance_id not in {item.instance_id for item in ours.inventory()}
        assert theirs.observe(other).seen == "up"
    finally:
        end_all(strange_id)


def made_on(work: Work) -> str:
    """The host, as it stands in the object's id."""
    assert work.provider_id is not None
    return work.provider_id.partition("/")[0]


def a_provider(base: Path, server_id: str, host_id: str, verified: Callable[[Identity], bool]) -> ProcessProvider:
    """As the worker opens it, also for another Berth of the same machine."""
    return ProcessProvider(
        root=base / "instances",
        runtime_root=base / "runtime",
        server_id=server_id,
        host_id=host_id,
        verify=verified,
    )

"""Through the whole: API, Temporal, a worker and the simulated provider, all real."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from api import asks
from tests.support.api import Api, running_api
from tests.support.postgres import PostgresServer
from tests.support.spine import Spine
from tests.support.spines import working_spine
from tests.support.temporal import TemporalServer
from tests.support.workers import wait_for

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def spine(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer, temporal_server: TemporalServer
) -> Iterator[Spine]:
    with working_spine(tmp_path_factory, postgres_server, temporal_server) as made:
        yield made


@pytest.fixture(scope="module")
def api(spine: Spine) -> Iterator[Api]:
    with running_api(
        spine.folder,
        spine.database_url,
        TEMPORAL_ADDRESS=spine.temporal.address,
        TEMPORAL_NAMESPACE=spine.namespace,
        temporal_ui_url="http://127.0.0.1:8233",
    ) as running:
        yield running


def done(api: Api, answer: Any, wanted: str = "succeeded") -> Any:
    """The operation of a 202 once it is over."""
    form = answer.json() if hasattr(answer, "json") else answer
    operation_id = form["operation"]["id"]
    wait_for(lambda: api.get(f"/operations/{operation_id}?wait=10")["done"], 60, "it does not end")
    operation = api.get(f"/operations/{operation_id}")
    assert operation["status"] == wanted, operation
    return operation


def test_the_whole_journey_of_an_instance(api: Api) -> None:
    made = api.create(params={"greeting": "Hi"})
    key = made["instance"]["id"]

    created = done(api, made)
    assert [s["status"] for s in created["steps"]] == ["done"] * len(created["steps"])
    assert created["progress"]["step"] == created["progress"]["total"]
    assert created["temporal_url"].endswith(f"{created['workflow_id']}/{created['run_id']}/timeline")
    assert api.get(f"/instances/{key}")["status"] == "running"
    assert done(api, api.act(key, "stop"))["kind"] == "stop"
    assert api.get(f"/instances/{key}")["status"] == "stopped"
    done(api, api.act(key, "start"))
    done(api, api.act(key, "restart"))
    tag = api.ask("GET", f"/instances/{key}").headers["ETag"]
    done(api, api.ask("PATCH", f"/instances/{key}", {"params": {"greeting": "Ho"}}, If_Match=tag))
    record = api.get(f"/instances/{key}")
    assert (record["applied_spec"]["params"], record["pending_changes"]) == ({"greeting": "Ho"}, [])
    done(api, api.ask("DELETE", f"/instances/{key}"))
    gone = api.ask("GET", f"/instances/{key}")
    assert gone.json()["code"] == "terminated"
    run = api.client.get(gone.json()["run_url"]).json()
    assert run["total_runtime_seconds"] > 0


def test_the_provider_is_asked_for_its_own_word(api: Api) -> None:
    key = done(api, api.create())["instance_ids"][0]

    # The worker is waited for two seconds; a read without its word tells the last one, and no time.
    wait_for(lambda: api.get(f"/instances/{key}")["provider_state_at"] is not None, 30, "nobody looked")

    assert api.get(f"/instances/{key}")["provider_state"]


def test_maintenance_ends_in_what_a_look_shows(api: Api, spine: Spine) -> None:
    key = done(api, api.create())["instance_ids"][0]
    done(api, api.act(key, "stop"))
    done(api, api.act(key, "maintenance_on"))
    time.sleep(1.1)  # an earlier look is a second old at most

    assert api.act(key, "maintenance_off").json()["instance"]["status"] == "stopped"


def test_inventory_tells_orphans_and_calls(api: Api) -> None:
    key = done(api, api.create())["instance_ids"][0]

    form = api.get("/providers/simulated/inventory")

    item = next(i for i in form["items"] if i["instance_id"] == key)
    assert item["owned"]
    assert item["calls"]["create"] >= 1
    assert key not in {o["instance_id"] for o in form["orphans"]}


def test_a_worker_too_slow_for_a_look_is_asked_by_who_has_more_patience(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = done(api, api.create())["instance_ids"][0]
    monkeypatch.setattr(asks, "LOOK_SECONDS", 0.001)

    assert api.get(f"/instances/{key}")["provider_state_at"] is None
    assert api.get("/providers/simulated/inventory")["items"]


def test_what_a_provider_said_before_a_change_is_not_told_after_it(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asks, "_KEPT_SECONDS", 60.0)
    key = done(api, api.create())["instance_ids"][0]
    assert api.get(f"/instances/{key}")["provider_state"] == "running"
    done(api, api.act(key, "stop"))
    assert api.get(f"/instances/{key}")["provider_state"] == "stopped"


def failures_of_the_day(api: Api) -> int:
    return sum(hour["failures"] for hour in api.get("/admin/stats")["hourly"])


def test_a_scripted_fault_fails_an_operation_that_then_can_be_retried(api: Api) -> None:
    failures = failures_of_the_day(api)
    body = {"verb": "create", "fault": "invalid", "times": 1}
    assert api.ask("PUT", "/providers/simulated/faults", body).status_code == 200
    assert len(api.get("/providers/simulated/faults")["items"]) == 1

    failed = done(api, api.create(), wanted="failed")
    assert failures_of_the_day(api) == failures + 1
    assert api.ask("DELETE", "/providers/simulated/faults").json()["items"] == []

    assert failed["error"]["help"]["text"]
    assert api.get("/operations?needs_you=true")["items"][0]["id"] == failed["id"]
    record = api.get(f"/instances/{failed['instance_ids'][0]}")
    assert record["last_failed_operation_id"] == failed["id"]
    retried = done(api, api.act(record["id"], "retry"))
    assert retried["retry_of"] == failed["id"]
    assert api.get(f"/instances/{record['id']}")["status"] == "running"


def test_an_older_retry_makes_what_failed_to_be_made(api: Api) -> None:
    failed = done(api, api.create(params={"simulate": {"create": {"fault": "invalid", "times": 1}}}), "failed")
    key = failed["instance_ids"][0]

    job = api.client.post(f"/api/instance/admin/retry-instance/{key}").json()

    done(api, {"operation": {"id": job["job_id"]}})
    record = api.get(f"/instances/{key}")
    assert (record["status"], record["provisioning_status"]) == ("running", "completed")


def test_a_wrong_fault_is_refused_before_the_worker_is_asked(api: Api) -> None:
    answer = api.ask("PUT", "/providers/simulated/faults", {"verb": "create", "fault": "rain", "times": 0})

    assert {e["pointer"] for e in answer.json()["errors"]} == {"/fault", "/times"}


def test_an_aborted_operation_stops_listening(api: Api) -> None:
    failed = done(api, api.create(params={"simulate": {"create": {"fault": "invalid"}}}), wanted="failed")

    aborted = api.ask("POST", f"/operations/{failed['id']}/abort").json()["operation"]

    assert (aborted["parked_until"], aborted["status"]) == (None, "failed")


def test_a_running_operation_is_cancelled(api: Api) -> None:
    made = api.create(params={"simulate": {"create": {"fault": "hang"}}})
    operation = f"/operations/{made['operation']['id']}"
    wait_for(lambda: api.get(operation)["status"] == "running", 30, "it does not begin")

    answer = api.act(made["instance"]["id"], "cancel")

    assert answer.status_code == 202
    assert done(api, made, wanted="cancelled")


def test_logs_are_the_instances_own(api: Api) -> None:
    key = done(api, api.create())["instance_ids"][0]

    form = api.get(f"/instances/{key}/logs?tail=5")

    assert form["instance_id"] == key
    assert isinstance(form["lines"], list)


@pytest.mark.parametrize("tail", [0, 1])
def test_whoever_follows_the_log_is_told_what_is_written_from_then_on(api: Api, tail: int) -> None:
    """A simulated instance logs the verbs that it met."""
    key = done(api, api.create())["instance_ids"][0]
    (written,) = api.get(f"/instances/{key}/logs?tail=1")["lines"]
    with api.client.stream("GET", f"/api/v1/instances/{key}/logs?tail={tail}&follow=true") as followed:
        assert followed.headers["Berth-Log-Lines"] == str(tail)
        lines = followed.iter_lines()
        assert [next(lines) for _ in range(tail)] == [written][:tail]
        assert api.act(key, "stop").status_code == 202
        assert "stop" in next(lines)


def test_everything_is_ready(api: Api) -> None:
    def verbose() -> httpx2.Response:
        return api.client.get("/readyz?verbose")

    wait_for(lambda: verbose().status_code == 200, 30, lambda: verbose().text)
    assert api.client.get("/readyz").text == "ok"


def test_without_a_worker_reads_stay_fast_and_changes_are_accepted(
    api: Api, spine: Spine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asks, "ASK_SECONDS", asks.LOOK_SECONDS)  # what a look's silence tells then, too
    key = done(api, api.create())["instance_ids"][0]
    for worker in spine.workers:
        worker.kill()
    time.sleep(1.1)

    first = api.get(f"/instances/{key}")
    took = []
    for _ in range(3):
        begun = time.monotonic()
        second = api.get(f"/instances/{key}")
        took.append(time.monotonic() - begun)
    accepted = api.act(key, "stop")
    silent = api.ask("GET", "/providers/simulated/inventory")
    spine.start_worker()

    assert first["provider_state_at"] is None
    assert second["provider_state"] == first["provider_state"]
    assert min(took) < 0.5
    assert (accepted.status_code, silent.status_code) == (202, 503)
    done(api, accepted)


def test_the_turns_of_a_life_are_told_with_their_times(api: Api) -> None:
    start = api.get("/events?limit=1")["next"]
    made = api.create()
    done(api, made)
    done(api, api.ask("DELETE", f"/instances/{made['instance']['id']}"))

    told = {e["event_type"]: e for e in api.get(f"/events?after={start}&limit=100")["items"]}

    assert told["LAUNCH_PLANNED"]["data"]["launch_requested_at"]
    confirmed = told["LAUNCH_CONFIRMED"]["data"]
    assert confirmed["launch_confirmed_at"]
    assert 0 < confirmed["launch_duration_seconds"] < 60
    assert told["TERMINATE_PLANNED"]["data"]["termination_requested_at"]
    ended = told["TERMINATE_CONFIRMED"]["data"]
    assert ended["termination_confirmed_at"]
    assert 0 < ended["termination_duration_seconds"] < 60

"""Lists in any order, found by any word, and in the light form that tables of many rows read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from api.schemas import BatchResult, InstanceRowList
from db.models import Instance, OperationRow
from domain.lifecycle import Health, Status
from domain.operations import OperationStatus
from tests.support.api import Api, add_host

pytestmark = pytest.mark.servers


def walk(api: Api, path: str, key: str = "name") -> list[Any]:
    """One field of every row, over all pages."""
    form = api.get(path)
    found = [item[key] for item in form["items"]]
    while token := form.get("next_page_token"):
        form = api.get(f"{path}&page_token={token}")
        found += [item[key] for item in form["items"]]
    return found


SORTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "name": lambda i: i["name"],
    "status": lambda i: (i["status"], i["id"]),
    "created_at": lambda i: (i["created_at"], i["id"]),
    "updated_at": lambda i: (i["updated_at"], i["id"]),
}


@pytest.mark.parametrize("sort", [*SORTS, *(f"-{name}" for name in SORTS)])
@pytest.mark.parametrize("path", ["/instances", "/instances:rows"])
def test_every_order_holds_over_pages_in_both_directions(api: Api, path: str, sort: str) -> None:
    label = f"{path.rpartition('/')[2].replace(':', '-')}{sort}"
    for status in (Status.RUNNING, Status.STOPPED, Status.ERROR, Status.RUNNING, Status.CREATING):
        api.an_instance(status, labels={"sorted": label})
    every = api.get(f"/instances?label=sorted%3D{label}")["items"]
    names = walk(api, f"{path}?label=sorted%3D{label}&sort={sort}&page_size=2")
    wanted = sorted(every, key=SORTS[sort.removeprefix("-")], reverse=sort.startswith("-"))
    assert names == [item["name"] for item in wanted]


def test_rows_that_come_and_go_between_pages_of_an_order_repeat_and_hide_nothing(api: Api) -> None:
    for name in ("come-b", "come-d", "come-f", "come-h"):
        api.an_instance(name=name)
    first = api.get("/instances?q=come-&sort=name&page_size=2")
    api.an_instance(name="come-a")
    api.an_instance(name="come-e")
    rest = api.get(f"/instances?q=come-&sort=name&page_size=9&page_token={first['next_page_token']}")
    assert [i["name"] for i in first["items"] + rest["items"]] == [
        "come-b",
        "come-d",
        "come-e",
        "come-f",
        "come-h",
    ]


def test_the_worst_health_comes_first_and_what_is_too_old_is_unknown(api: Api) -> None:
    now = datetime.now(UTC)
    kinds = {
        "well": (Health.HEALTHY, now),
        "gone": (Health.UNREACHABLE, now),
        "weak": (Health.DEGRADED, now),
        "old": (Health.HEALTHY, now - timedelta(hours=1)),
    }
    for name, (health, checked) in kinds.items():
        api.an_instance(name=f"health-{name}", health=health, health_checked_at=checked)
    assert walk(api, "/instances?q=health-&sort=health&page_size=1") == [
        "health-gone",
        "health-weak",
        "health-old",
        "health-well",
    ]
    assert walk(api, "/instances?q=health-&sort=-health&page_size=3")[0] == "health-well"
    assert walk(api, "/instances?q=health-&health=unknown") == ["health-old"]
    assert walk(api, "/instances?q=health-&health=healthy") == ["health-well"]


def test_a_token_of_one_order_is_refused_in_another(api: Api) -> None:
    for _ in range(2):
        api.an_instance()
    token = api.get("/instances?page_size=1&sort=name")["next_page_token"]
    assert api.ask("GET", f"/instances?page_size=1&sort=status&page_token={token}").status_code == 400
    assert api.ask("GET", "/instances?sort=colour").status_code == 422


def test_a_word_is_found_in_name_label_host_blueprint_and_error(api: Api) -> None:
    with api.database.begin() as tx:
        host_id = add_host(tx, "lighthouse-7")
    api.an_instance(name="needle-in-name")
    api.an_instance(name="by-label", labels={"team": "needle-team"})
    api.an_instance(name="by-host", host_id=host_id)
    api.an_instance(Status.ERROR, name="by-error", error_message="the NEEDLE broke at 100%")
    assert set(walk(api, "/instances?q=Needle")) == {"needle-in-name", "by-label", "by-error"}
    assert walk(api, "/instances?q=lighthouse-7") == ["by-host"]
    assert walk(api, "/instances?q=100%25") == ["by-error"]
    assert walk(api, "/instances?q=1_0%25") == []
    assert api.get("/instances?q=needle")["counts"]["error"] == 1


def test_some_instances_are_read_by_id_or_name_in_one_request(api: Api) -> None:
    names = [api.an_instance() for _ in range(3)]
    ids = [api.get(f"/instances/{name}")["id"] for name in names]
    found = api.get(f"/instances?ids={ids[0]},{names[2]},ins_nobody&sort=name")
    assert [item["name"] for item in found["items"]] == sorted([names[0], names[2]])
    assert found["counts"]["running"] == 2


def test_a_row_says_how_far_its_operation_is(api: Api) -> None:
    made = api.create(labels={"set": "rows"})
    form = api.get("/instances:rows?label=set%3Drows&page_size=1000")
    InstanceRowList.model_validate(form)
    row, full = form["items"][0], api.get(f"/instances/{made['instance']['id']}")
    assert row["current_operation"] == full["current_operation"]
    assert row["current_operation"]["progress"] == {"step": 0, "total": 0, "message": "waiting to begin"}
    assert [a["action"] for a in row["allowed_actions"]] == [
        a["action"] for a in full["allowed_actions"] if a["button"]
    ]
    assert "spec" not in row
    assert {key: full[key] for key in row if key not in {"allowed_actions", "pending_changes"}} == {
        key: value for key, value in row.items() if key not in {"allowed_actions", "pending_changes"}
    }


def test_operations_are_found_by_word_time_and_who_asked(api: Api) -> None:
    first = api.create(name="found-by-word")["operation"]
    second = api.create(name="found-too")["operation"]
    assert walk(api, "/operations?q=FOUND-by", "id") == [first["id"]]
    assert walk(api, f"/operations?q={second['id'][-6:]}", "id") == [second["id"]]
    assert set(walk(api, "/operations?q=found&actor=nobody", "id")) == set()
    since = second["created_at"].replace("+", "%2B")
    found = walk(api, f"/operations?since={since}", "id")
    assert second["id"] in found
    assert first["id"] not in found
    assert api.ask("GET", "/operations?since=2026-01-01T00:00:00").status_code == 422, "a time has a zone"


def test_many_operations_are_cancelled_and_retried_in_one_request(api: Api) -> None:
    pending = [api.create()["operation"]["id"] for _ in range(2)]
    failed = api.get(f"/instances/{api.an_instance(Status.ERROR)}")["last_failed_operation_id"]
    answer = api.ask("POST", "/operations:batch", {"action": "cancel", "ids": [*pending, failed, "op_nobody"]})
    form = answer.json()
    BatchResult.model_validate(form)
    assert [row["status"] for row in form["items"]] == [202, 202, 409, 404]
    assert [row["operation"]["status"] for row in form["items"][:2]] == ["cancelled", "cancelled"]
    with api.database.begin() as tx:
        tx.run(update(Instance).where(Instance.operation_id == failed).values(error_origin="operation"))
        tx.run(update(OperationRow).where(OperationRow.id == failed).values(actor="the-batch"))
    by_filter = {"action": "retry", "filter": {"status": OperationStatus.FAILED.value, "actor": "the-batch"}}
    again = api.ask("POST", "/operations:batch", by_filter).json()["items"]
    assert [(row["id"], row["status"], row["operation"]["retry_of"]) for row in again] == [(failed, 202, failed)]
    assert api.ask("POST", "/operations:batch", {"action": "retry"}).status_code == 422
    assert api.ask("POST", "/operations:batch", {"action": "dance", "ids": ["x"]}).status_code == 422

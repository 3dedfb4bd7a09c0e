"""Lists: pages that neither repeat nor hide, filters, counts, and no query more for more rows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, update

from db.models import OperationRow
from domain.lifecycle import Health, Status
from tests.support.api import Api

pytestmark = pytest.mark.servers


def pages(api: Api, path: str) -> Iterator[list[dict[str, Any]]]:
    """Page after page."""
    mark = "&" if "?" in path else "?"
    form = api.get(path)
    yield form["items"]
    while token := form.get("next_page_token"):
        form = api.get(f"{path}{mark}page_token={token}")
        yield form["items"]


def test_pages_hold_every_row_once_while_rows_are_inserted(api: Api) -> None:
    names = [api.an_instance(labels={"set": "pages"}) for _ in range(7)]

    seen: list[str] = []
    for page in pages(api, "/instances?label=set%3Dpages&page_size=3"):
        seen += [item["name"] for item in page]
        api.an_instance(labels={"set": "pages"})

    assert seen == names[::-1]


def test_a_page_token_is_good_for_its_list_and_filter_only(api: Api) -> None:
    for _ in range(3):
        api.an_instance()
    token = api.get("/instances?page_size=1")["next_page_token"]

    for path in (
        f"/instances?page_size=1&status=running&page_token={token}",
        f"/deployments?page_token={token}",
        f"/instances?page_token={token[:-4]}AAAA",
        "/instances?page_token=%F0%9F%90%98",
    ):
        answer = api.ask("GET", path)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid-page-token"), path


def test_a_large_page_size_is_taken_as_the_largest(api: Api) -> None:
    assert api.ask("GET", "/instances?page_size=100000").status_code == 200


def test_counts_are_of_the_same_filter_without_its_status_part(api: Api) -> None:
    for status in (Status.RUNNING, Status.RUNNING, Status.STOPPED, Status.ERROR):
        api.an_instance(status, labels={"set": "counts"})

    form = api.get("/instances?label=set=counts&status=stopped")

    assert [item["status"] for item in form["items"]] == ["stopped"]
    assert form["items"] == form["instances"]
    counts = form["counts"]
    assert {"running": 2, "stopped": 1, "error": 1, "needs_you": 1}.items() <= counts.items()
    assert set(counts) == {*(s for s in Status if s is not Status.TERMINATED), "needs_you"}


def test_filters_narrow_a_list(api: Api) -> None:
    name = api.an_instance(Status.MAINTENANCE, name="find-me-not", labels={"set": "f", "x": "1"})
    record = api.get(f"/instances/{name}")
    base = "/instances?label=set=f"

    for query in (
        "&q=ind-me",
        "&status=maintenance,error",
        "&status=maintenance&status=error",
        "&blueprint=web",
        "&provider=simulated",
        f"&deployment={name}",
        f"&deployment={record['deployment_id']}",
        "&label=x=1",
        "&health=unknown",
        "&needs_you=false",
    ):
        assert [i["name"] for i in api.get(base + query)["items"]] == [name], query
    for query in (
        "&q=in%25d",
        "&q=find_me",
        "&status=running",
        "&blueprint=postgres",
        "&provider=process",
        "&deployment=nobody",
        "&label=x=2",
        f"&health={Health.HEALTHY}",
        "&needs_you=true",
    ):
        assert api.get(base + query)["items"] == [], query


def test_an_overdue_instance_needs_somebody(api: Api) -> None:
    name = api.an_instance(Status.STOPPING, labels={"set": "late"})
    operation_id = api.get(f"/instances/{name}")["current_operation"]["id"]
    assert api.get("/instances?label=set=late&needs_you=true")["items"] == []

    past = datetime.now(UTC) - timedelta(minutes=1)
    with api.database.begin() as tx:
        tx.session.execute(update(OperationRow).where(OperationRow.id == operation_id).values(deadline_at=past))

    form = api.get("/instances?label=set=late&needs_you=true")
    assert [item["name"] for item in form["items"]] == [name]
    assert form["counts"]["needs_you"] == 1
    assert form["items"][0]["current_operation"]["needs_you"]
    forget = next(a for a in form["items"][0]["allowed_actions"] if a["action"] == "forget")
    assert forget["button"]


def test_operations_that_need_somebody_come_first_and_once(api: Api) -> None:
    late = api.get(f"/instances/{api.an_instance(Status.STARTING)}")["current_operation"]["id"]
    for _ in range(4):
        api.an_instance(Status.STOPPING)
    past = datetime.now(UTC) - timedelta(minutes=1)
    with api.database.begin() as tx:
        tx.session.execute(update(OperationRow).where(OperationRow.id == late).values(deadline_at=past))

    for size in (1, 2, 3, 50):
        seen = [item["id"] for page in pages(api, f"/operations?status=running&page_size={size}") for item in page]
        assert late in seen[:2]
        assert len(seen) == len(set(seen)) == api.get("/operations")["counts"]["running"]


def test_operations_are_found_by_what_they_touch(api: Api) -> None:
    name = api.an_instance(Status.ERROR)
    record = api.get(f"/instances/{name}")
    expected = [record["last_failed_operation_id"]]

    for query in (
        f"instance={name}",
        f"instance={record['id']}",
        f"deployment={name}&status=failed",
        f"deployment={record['deployment_id']}&kind=restart",
    ):
        assert [o["id"] for o in api.get(f"/operations?{query}")["items"]] == expected, query


@pytest.mark.parametrize("path", ["/instances", "/operations", "/deployments"])
def test_more_rows_need_no_more_queries(api: Api, path: str) -> None:
    for status in (Status.RUNNING, Status.ERROR, Status.STOPPING) * 3:
        api.an_instance(status)

    few, many = statements(api, f"{path}?page_size=1"), statements(api, f"{path}?page_size=50")

    assert many <= few + 1


def statements(api: Api, path: str) -> int:
    """How many statements answering `path` takes, counted at the API; the fewest of three: it also polls."""
    return min(_counted(api, path) for _ in range(3))


def _counted(api: Api, path: str) -> int:
    from sqlalchemy import Engine  # noqa: PLC0415

    seen: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        api.get(path)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    return len(seen)

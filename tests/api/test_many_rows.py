"""A list costs the same however many rows there are: pages come from their index, counts are kept for a moment."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from api.parts import CountCache
from tests.support.api import Api

pytestmark = pytest.mark.servers
MANY = 20_000
_FILL = (
    "insert into deployments(id, project, name, blueprint, provider, params, resources, members, labels,"
    " restart_policy, timeouts, created_at, updated_at)"
    " select 'dep_' || n, 'default', 'bulk-' || n, 'web', 'simulated', '{}', '{}', 1, '{}', 'never', '{}',"
    " now() - n * interval '1 second', now() from generate_series(1, :many) n",
    "insert into instances_runtime(id, deployment_id, project, name, ordinal, role, blueprint, provider, labels,"
    " status, provisioning_status, billing_status, created_at, updated_at)"
    " select 'ins_' || n, 'dep_' || n, 'default', 'bulk-' || n, 1, 'standalone', 'web', 'simulated', '{}',"
    " 'running', 'completed', 'trial', now() - n * interval '1 second', now() from generate_series(1, :many) n",
    "insert into operations(id, project, kind, deployment_id, deployment_name, blueprint, provider, instance_ids,"
    " status, phase, actor, source, spec, workflow_id, created_at, finished_at)"
    " select 'op_' || n, 'default', 'create', 'dep_' || n, 'bulk-' || n, 'web', 'simulated', array['ins_' || n],"
    " 'succeeded', 'done', 't', 'user', '{}', 'w', now() - n * interval '1 second', now()"
    " from generate_series(1, :many) n",
)


@pytest.fixture(scope="module")
def full(api: Api) -> Api:
    with api.database.begin() as tx:
        for statement in _FILL:
            tx.session.execute(text(statement), {"many": MANY})
    with api.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("vacuum analyze"))
    return api


@contextmanager
def statements() -> Iterator[list[tuple[str, Any]]]:
    """What is sent to the database meanwhile."""
    seen: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, *rest: Any) -> None:
        seen.append((statement, parameters))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def scans(api: Api, path: str) -> set[tuple[str, str]]:
    """(kind of scan, table) of every scan that answering `path` takes."""
    with statements() as seen:
        token = api.get(path).get("next_page_token")
        if token:
            api.get(f"{path}{'&' if '?' in path else '?'}page_token={token}")
    found: set[tuple[str, str]] = set()
    with api.database.engine.connect() as connection:
        for statement, parameters in seen:
            if statement.lstrip().lower().startswith("select"):
                plan = connection.exec_driver_sql(f"explain (format json) {statement}", parameters).scalar()
                _collect(plan[0]["Plan"] if isinstance(plan, list) else json.loads(plan or "[]"), found)
    return found


def _collect(node: dict[str, Any], found: set[tuple[str, str]]) -> None:
    if "Relation Name" in node:
        found.add((node["Node Type"], node["Relation Name"]))
    for child in node.get("Plans", ()):
        _collect(child, found)


@pytest.mark.parametrize(
    ("path", "table"),
    [
        ("/instances", "instances_runtime"),
        ("/instances:rows", "instances_runtime"),
        *((f"/instances?sort={sort}", "instances_runtime") for sort in ("name", "-name", "status", "-updated_at")),
        ("/operations", "operations"),
        ("/deployments", "deployments"),
    ],
)
def test_no_page_reads_a_whole_table(full: Api, path: str, table: str) -> None:
    assert ("Seq Scan", table) not in scans(full, path)
    assert any(kind.startswith("Index") and name == table for kind, name in scans(full, path))


def test_ten_thousand_rows_are_read_in_ten_requests(full: Api) -> None:
    token, ids, size = "", set(), 0
    for _ in range(10):
        answer = full.ask("GET", f"/instances:rows?page_size=1000&sort=name{token}")
        form = answer.json()
        ids |= {row["id"] for row in form["items"]}
        size += len(answer.content)
        token = f"&page_token={form['next_page_token']}"
    assert len(ids) == 10_000
    assert size < 25_000_000


def test_counts_of_many_rows_are_kept_and_counted_in_the_background() -> None:
    cache = CountCache(many=10, fresh_seconds=3600, kept_seconds=7200)
    asked: list[str] = []
    done = threading.Event()

    def count() -> dict[str, int]:
        asked.append(threading.current_thread().name)
        return {"running": 11, "needs_you": 0}

    def slow_count() -> dict[str, int]:
        assert done.wait(60)
        return count()

    try:
        assert [cache.get("k", count)["running"] for _ in range(5)] == [11] * 5
        assert asked == [threading.current_thread().name]
        cache.fresh_seconds = 0.0
        assert [cache.get("k", slow_count)["running"] for _ in range(5)] == [11] * 5
        assert len(asked) == 1, "somebody waited"
    finally:
        done.set()
        cache.close()
    assert len(asked) == 2
    assert asked[1].startswith("counts")


def test_counts_of_few_rows_are_always_fresh() -> None:
    cache = CountCache(many=10)
    numbers = iter(range(1, 10))
    try:
        assert [cache.get("k", lambda: {"running": next(numbers)})["running"] for _ in range(3)] == [1, 2, 3]
    finally:
        cache.close()

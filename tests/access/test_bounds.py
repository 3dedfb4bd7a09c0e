"""Rates shared between processes, limits of projects counted without races, and what a full disk still allows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from api.gate.rates import Rates, Standing
from db.session import open_database
from domain.help import HELP
from domain.specs import Caller
from services.access.rates import Policy, take
from settings import Settings
from tests.support.access import bearing, in_role, new_token
from tests.support.api import Api, running_api
from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.servers
NEW: dict[str, Any] = {"blueprint": "web", "provider": "simulated"}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Iterator[tuple[Api, Api]]:
    """Two processes' worth of API on one database, with small rates."""
    url = postgres_server.new_database()
    rates = {"rate_reads": 20, "rate_writes": 12, "rate_actions": 3, "rate_strangers": 15}
    with ExitStack() as stack:
        apis = [
            stack.enter_context(running_api(tmp_path_factory.mktemp(f"rates-{n}"), url, **rates)) for n in range(2)
        ]
        yield apis[0], apis[1]


def limited(answer: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    form: dict[str, Any] = answer.json()
    assert (answer.status_code, form["code"]) == (status, code), form
    assert form["code"] in HELP
    return form


def test_a_rate_is_shared_by_all_processes_and_told_in_the_headers(pair: tuple[Api, Api]) -> None:
    token = new_token(pair[0], "viewer")["token"]
    with ExitStack() as stack:
        clients = [stack.enter_context(bearing(api, token)) for api in pair]
        first = clients[0].get("/api/v1/me")
        begun = time.monotonic()
        answers = [clients[n % 2].get("/api/v1/me") for n in range(30)]
        grown = int((time.monotonic() - begun) * 20 / 60)
        while answers[-1].status_code == 200:
            answers.append(clients[0].get("/api/v1/me"))

    assert first.headers["RateLimit-Policy"] == '"read";q=20;w=60'
    assert first.headers["RateLimit"].startswith('"read";r=19;t=')
    allowed = [answer for answer in answers if answer.status_code == 200]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(allowed) + len(refused) == len(answers)
    assert 18 <= len([answer for answer in answers[:30] if answer.status_code == 200]) + 1 <= 24 + grown
    form = limited(refused[-1], 429, "rate-limited")
    assert form["limit"] == {"name": "rate_reads", "allowed": 20, "used": 20, "asked": 1}
    assert 1 <= int(refused[-1].headers["Retry-After"]) <= 4
    assert refused[-1].headers["RateLimit"].startswith('"read";r=0;t=')


def test_one_principals_rate_is_not_anothers(pair: tuple[Api, Api]) -> None:
    with in_role(pair[0], "viewer") as one, in_role(pair[1], "viewer") as other:
        while one.ask("GET", "/me").status_code == 200:
            continue
        assert other.ask("GET", "/me").status_code == 200


def test_the_same_action_on_the_same_thing_is_limited_by_itself_and_deletes_never_are(
    pair: tuple[Api, Api],
) -> None:
    name = pair[0].an_instance()
    with in_role(pair[0], "operator") as operator:
        answers = []
        for _ in range(4):
            answer = operator.act(name, "restart")
            answers.append(answer.status_code)
            if answer.status_code == 202:
                operator.end(answer.json()["operation"]["id"])
        form = limited(operator.act(name, "restart"), 429, "rate-limited")
        assert operator.act(name, "stop").status_code == 202
        assert operator.ask("DELETE", f"/instances/{name}").status_code == 202
    assert answers == [202, 202, 202, 429]
    assert form["limit"]["name"] == "rate_actions"


def test_who_guesses_tokens_is_slowed_down(pair: tuple[Api, Api]) -> None:
    with bearing(pair[1], "berth_guess") as stranger:
        begun = time.monotonic()
        answers = [stranger.get("/api/v1/me").status_code for _ in range(30)]
        grown = int((time.monotonic() - begun) * 15 / 60)
    assert 14 <= answers.count(401) <= 17 + grown
    assert set(answers) == {401, 429}
    assert pair[1].ask("GET", "/me").status_code == 200  # who has a token is not in this crowd


def test_one_bucket_gives_no_more_than_it_holds_to_many_at_once(pair: tuple[Api, Api]) -> None:
    policy = Policy("x", 100, window=100_000)

    def one(_: int) -> int:
        with pair[0].database.begin() as tx:
            return take(tx, "shared", policy, want=7).granted

    with ThreadPoolExecutor(8) as pool:
        given = list(pool.map(one, range(40)))
    assert sum(given) == 100


def test_who_asks_for_much_at_once_takes_no_more_than_is_used(database_url: str) -> None:
    """Each of a crowd would take a share of the quota, and fifty shares are all there is."""
    database = open_database(database_url)
    rates = Rates(database, Settings(rate_reads=1_000))

    async def crowd() -> list[Standing]:
        return await asyncio.gather(*(rates.take(Caller("crowd"), "GET") for _ in range(200)))

    standings = asyncio.run(crowd())
    database.engine.dispose()
    assert all(standing.allowed for standing in standings)
    assert standings[-1].remaining >= 1_000 - 220


def test_limits_of_a_project_are_counted_without_a_race(api: Api) -> None:
    assert api.ask("PATCH", "/projects/race/limits", {"instances": 5}).status_code == 200
    with in_role(api, "operator", "race") as operator, ThreadPoolExecutor(12) as pool:
        answers = list(
            pool.map(lambda n: operator.ask("POST", "/instances", {**NEW, "name": f"r-{n}"}), range(12))
        )
        assert sorted(a.status_code for a in answers) == [202] * 5 + [403] * 7
        form = limited(next(a for a in answers if a.status_code == 403), 403, "limit-reached")
        assert form["limit"] == {"name": "instances", "allowed": 5.0, "used": 5.0, "asked": 1.0}
        assert len(operator.get("/instances")["items"]) == 5


@pytest.mark.parametrize(
    ("limit", "resources"),
    [
        ({"cpu": 2}, {"cpu": 1.5}),
        ({"memory_mb": 1000}, {"memory_mb": 600}),
        ({"disk_gb": 10}, {"disk_gb": 6}),
        ({"instances": 1}, {}),
        ({"instances": 0}, None),
    ],
    ids=str,
)
def test_each_limit_names_what_is_used_and_what_was_asked_for(
    api: Api, limit: dict[str, Any], resources: dict[str, Any] | None
) -> None:
    (name,) = limit
    project = f"p-{name.replace('_', '-')}-{resources is None}".lower()
    assert api.ask("PATCH", f"/projects/{project}/limits", limit).json() == {
        **dict.fromkeys(("instances", "cpu", "memory_mb", "disk_gb", "unfinished_operations", "sockets")),
        "project": project,
        **limit,
    }
    with in_role(api, "operator", project) as operator:
        if resources is not None:
            operator.create(resources=resources)
        second = operator.ask("POST", "/instances", {**NEW, "name": "second", "resources": resources or {}})
    form = limited(second, 403, "limit-reached")
    assert form["limit"]["name"] == name
    assert form["limit"]["allowed"] == limit[name]


def test_a_limit_that_is_not_named_stays_and_null_follows_the_installation_again(api: Api) -> None:
    path = "/projects/partly/limits"
    assert api.ask("PATCH", path, {"instances": 5, "cpu": 2.5}).status_code == 200
    assert api.ask("PATCH", path, {"sockets": 7}).json()["instances"] == 5
    left = api.ask("PATCH", path, {"instances": None}).json()
    assert (left["instances"], left["cpu"], left["sockets"]) == (None, 2.5, 7)


def test_where_a_size_is_limited_it_has_to_be_named(api: Api) -> None:
    assert api.ask("PATCH", "/projects/nameless/limits", {"cpu": 1, "memory_mb": 500}).status_code == 200
    with in_role(api, "operator", "nameless") as operator:
        refused = operator.ask("POST", "/instances", {**NEW, "name": "free", "resources": {"cpu": 0.5}})
        named = operator.ask("POST", "/instances", {**NEW, "name": "bound", "resources": _SMALL})
    assert refused.status_code == 422, refused.text
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/resources/memory_mb"]
    assert "limited in project nameless" in refused.json()["detail"]
    assert named.status_code == 202, named.text


_SMALL = {"cpu": 0.5, "memory_mb": 128}


def test_a_change_that_grows_is_counted_and_one_that_shrinks_is_not_refused(api: Api) -> None:
    with in_role(api, "operator", "grow") as operator:
        name = operator.create(resources={"cpu": 4})["instance"]["name"]
        operation = operator.get(f"/instances/{name}")["current_operation"]["id"]
        operator.end(operation)
        _settle(api, name, {"cpu": 4})
        assert api.ask("PATCH", "/projects/grow/limits", {"cpu": 2}).status_code == 200

        more = operator.ask("PATCH", f"/instances/{name}", {"resources": {"cpu": 5}}, **{"If-Match": "*"})
        less = operator.ask("PATCH", f"/instances/{name}", {"resources": {"cpu": 3}}, **{"If-Match": "*"})

    limited(more, 403, "limit-reached")
    assert less.status_code == 202, less.text


def _settle(api: Api, name: str, resources: dict[str, Any]) -> None:
    with api.database.begin() as tx:
        tx.session.execute(
            text(
                "update instances_runtime set status = 'running', "
                "applied_spec = jsonb_build_object('params', '{}'::jsonb, 'resources', cast(:r as jsonb)) "
                "where name = :name"
            ),
            {"r": str(resources).replace("'", '"'), "name": name},
        )


def test_unfinished_operations_are_limited_and_a_delete_still_works(api: Api) -> None:
    assert api.ask("PATCH", "/projects/busy/limits", {"unfinished_operations": 2}).status_code == 200
    with in_role(api, "operator", "busy") as operator:
        name = operator.create()["instance"]["name"]
        operator.create()
        third = operator.ask("POST", "/instances", {**NEW, "name": "third"})
        assert limited(third, 429, "limit-reached")["limit"]["name"] == "unfinished_operations"
        assert third.headers["Retry-After"] == "5"
        assert operator.ask("DELETE", f"/instances/{name}").status_code == 202


def test_streams_of_a_project_are_limited(api: Api) -> None:
    assert api.ask("PATCH", "/projects/loud/limits", {"sockets": 1}).status_code == 200
    with in_role(api, "viewer", "loud") as viewer, ExitStack() as stack:
        first = stack.enter_context(viewer.client.stream("GET", "/api/v1/events/stream"))
        lines = first.iter_lines()
        next(lines)
        second = stack.enter_context(viewer.client.stream("GET", "/api/v1/events/stream"))
        assert second.status_code == 403
        second.read()
        assert limited(second, 403, "limit-reached")["limit"]["name"] == "sockets"


def test_what_projects_use_and_may_have_is_listed(api: Api) -> None:
    api.ask("PATCH", "/projects/listed/limits", {"instances": 3})
    with in_role(api, "operator", "listed") as operator:
        operator.create(members=1, resources={"cpu": 0.5, "memory_mb": 128})
    found = next(item for item in api.get("/projects")["items"] if item["project"] == "listed")
    assert found["used"] == {"instances": 1, "cpu": 0.5, "memory_mb": 128, "disk_gb": 0}
    assert found["limits"]["instances"] == 3
    assert found["limits"]["cpu"] == -1


def test_on_a_full_disk_nothing_new_is_accepted_and_a_delete_works(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer
) -> None:
    folder, url = tmp_path_factory.mktemp("full"), postgres_server.new_database()
    with running_api(folder, url, low_disk_mb=10**9) as api:
        name = api.an_instance()
        refused = api.ask("POST", "/instances", {**NEW, "name": "new"})
        assert limited(refused, 503, "no-room")["retryable"]
        assert refused.headers["Retry-After"] == "30"
        assert api.get(f"/instances/{name}")["status"] == "running"
        assert api.ask("DELETE", f"/instances/{name}").status_code == 202


def test_a_database_that_stores_nothing_is_a_503_and_reading_goes_on(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer
) -> None:
    url = postgres_server.new_database()
    with running_api(tmp_path_factory.mktemp("readonly"), url) as api:
        name = api.an_instance()
        database = url.rpartition("/")[2].partition("?")[0]
        with api.database.begin() as tx:
            tx.session.execute(text(f"alter database {database} set default_transaction_read_only = on"))
        _reconnect(api)
        answer = api.ask("POST", "/instances", {**NEW, "name": "new"})
        assert limited(answer, 503, "unavailable")["retryable"]
        assert answer.headers["Retry-After"] == "30"
        assert api.get(f"/instances/{name}")["name"] == name


def _reconnect(api: Api) -> None:
    """The setting counts for new connections."""
    with api.database.begin() as tx:
        tx.session.execute(
            text(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where datname = current_database() and pid <> pg_backend_pid()"
            )
        )

"""Odoos that share a database server, in containers of a real engine: two of them, a rotation, the end."""

from __future__ import annotations

import http.client
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.docker import DockerEngine
from tests.support.whole import MakeWhole, Whole

pytestmark = [pytest.mark.processes, pytest.mark.docker]
SECONDS = 120


@pytest.fixture(scope="module")
def whole(docker_engine: DockerEngine, make_whole: MakeWhole) -> Iterator[Whole]:
    first = 31_000 + (os.getpid() + 1) % 80 * 20  # between those of other tests and those of the kernel
    made = make_whole(
        BERTH_DOCKER_HOST=docker_engine.host, BERTH_PORT_FIRST=str(first), BERTH_PORT_LAST=str(first + 19)
    )
    yield made
    for item in made.inventory("docker"):
        docker_engine.client.containers.get(item["provider_id"]).remove(force=True, v=True)


def logs_in(instance: Any) -> bool:
    """Whether Odoo's login to its database works now: its health page says so."""
    place = urlsplit(instance["endpoint"])
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=30)
    try:
        connection.request("GET", "/web/health")
        return connection.getresponse().status == 200
    finally:
        connection.close()


def password_of(whole: Whole, name: str) -> str:
    items = whole.api.ask("POST", f"/instances/{name}/secrets:reveal").json()["items"]
    return {item["name"]: str(item["value"]) for item in items}["database_password"]


def test_two_odoos_share_a_server_and_one_gets_a_new_password(whole: Whole) -> None:
    form = {
        "blueprint": "odoo",
        "provider": "docker",
        "params": {"admin_email": "admin@example.com"},
        "database": {"mode": "shared"},
    }
    asked = [whole.create(name=name, **form) for name in ("one", "two")]
    for made in asked:
        whole.done(made, seconds=SECONDS)
    one, two = whole.instance("one"), whole.instance("two")
    server = whole.instance("shared-postgres")
    assert one["db_server_id"] == two["db_server_id"] == server["id"]
    assert logs_in(one)
    assert logs_in(two)

    before, others = password_of(whole, "one"), password_of(whole, "two")
    assert before != others
    whole.berth("secrets", "rotate", "one", "--wait", "--timeout", "90")
    assert password_of(whole, "one") not in {before, others}
    assert password_of(whole, "two") == others
    assert logs_in(whole.instance("one")), "the container logs in with the new password"
    assert logs_in(two)

    assert whole.api.ask("DELETE", "/instances/shared-postgres").status_code == 409
    for name in ("one", "two", "shared-postgres"):
        whole.delete(name, seconds=SECONDS)
    assert whole.inventory("docker") == []


def test_a_dedicated_server_gets_a_new_password_and_its_consumer_too(whole: Whole) -> None:
    whole.done(
        whole.create(name="own", blueprint="odoo", provider="docker", params={"admin_email": "admin@example.com"}),
        seconds=SECONDS,
    )
    before = password_of(whole, "own")
    whole.berth("secrets", "rotate", "own", "--wait", "--timeout", "90")
    assert password_of(whole, "own") != before
    assert logs_in(whole.instance("own"))
    whole.act("own-db", "restart", seconds=SECONDS)
    assert logs_in(whole.instance("own")), "the server's own container knows the new password as well"
    whole.delete("own", seconds=SECONDS)
    assert whole.inventory("docker") == []

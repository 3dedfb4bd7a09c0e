"""Containers of a real Docker Engine through the whole of Berth: a life, limits, a kill, Odoo's form."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import pytest

from tests.support.docker import DockerEngine
from tests.support.whole import MakeWhole, Whole
from tests.support.workers import wait_for

pytestmark = [pytest.mark.processes, pytest.mark.docker]
PASSWORD = "c4nary-Admin-Passw0rd-7"


@pytest.fixture(scope="module")
def whole(docker_engine: DockerEngine, make_whole: MakeWhole) -> Iterator[Whole]:
    first = 31_000 + os.getpid() % 80 * 20  # below those that the kernel gives to connections
    made = make_whole(
        BERTH_DOCKER_HOST=docker_engine.host, BERTH_PORT_FIRST=str(first), BERTH_PORT_LAST=str(first + 19)
    )
    yield made
    for item in made.inventory("docker"):
        docker_engine.client.containers.get(item["provider_id"]).remove(force=True, v=True)


def containers(engine: DockerEngine, instance: Any) -> list[Any]:
    """Every container of the instance, as the engine itself lists them."""
    label = f"berth.dev/instance-id={instance['id']}"
    return list(engine.client.containers.list(all=True, filters={"label": label}, ignore_removed=True))


def page(url: str, path: str) -> tuple[int, str]:
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=30)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_a_postgres_container_lives_keeps_its_rows_and_goes_with_its_volume(
    whole: Whole, docker_engine: DockerEngine
) -> None:
    whole.done(whole.create(name="books", blueprint="postgres", provider="docker", resources={"memory_mb": 256}))
    instance = whole.instance("books")
    uri = whole.api.ask("POST", "/instances/books/secrets:reveal").json()["connection_uri"]
    with psycopg2.connect(uri, connect_timeout=30) as connection, connection.cursor() as cursor:
        cursor.execute("create table t as select generate_series(1, 1000) n")
    connection.close()
    whole.act("books", "stop")
    assert containers(docker_engine, instance)[0].status == "exited"
    whole.act("books", "start")
    whole.act("books", "restart")
    whole.modify("books", {"resources": {"memory_mb": 384, "cpu": 0.5}, "params": {"max_connections": 50}})
    with psycopg2.connect(uri, connect_timeout=30) as connection, connection.cursor() as cursor:
        cursor.execute("select count(*) from t")
        assert cursor.fetchone() == (1000,)
        cursor.execute("show max_connections")
        assert cursor.fetchone() == ("50",)
    connection.close()
    (container,) = containers(docker_engine, instance)
    limits = container.attrs["HostConfig"]
    assert (limits["Memory"], limits["NanoCpus"]) == (384 * 1024 * 1024, 500_000_000)
    whole.delete("books")
    assert containers(docker_engine, instance) == []
    assert docker_engine.client.volumes.list(filters={"label": f"berth.dev/instance-id={instance['id']}"}) == []
    assert whole.inventory("docker") == []


def test_a_worker_killed_between_the_creation_and_its_record_leaves_one_container(
    whole: Whole, docker_engine: DockerEngine
) -> None:
    for number in range(3):
        made = whole.create(name=f"killed-{number}", blueprint="postgres", provider="docker")
        wait_for(
            lambda made=made: bool(containers(docker_engine, made["instance"])),  # type: ignore[misc]
            60,
            "no container appeared",
        )
        whole.spine.workers[-1].kill()
        whole.spine.start_worker()
        whole.done(made, seconds=90)
        assert len(containers(docker_engine, made["instance"])) == 1
        whole.delete(f"killed-{number}")


def test_the_odoo_form_at_the_root_runs_on_a_database_of_its_own(
    whole: Whole, docker_engine: DockerEngine
) -> None:
    form = {
        "name": "erp",
        "admin_email": "admin@example.com",
        "admin_password": PASSWORD,
        "database_name": "erp",
        "odoo_version": "17.0",
    }
    answer = whole.api.client.post("/instances", json=form)
    assert answer.status_code == 202, answer.text
    whole.done(answer.json(), seconds=120)

    instance = whole.api.client.get("/instances/erp").json()
    assert (instance["status"], instance["blueprint"], instance["db_type"]) == ("running", "odoo", "dedicated")
    assert page(instance["endpoint"], "/web/health")[0] == 200, "its login to the database works"
    stopped = whole.api.client.post("/instances/erp/actions", json={"action": "stop"})
    whole.done(stopped.json())
    told = [
        whole.api.ask("GET", path).text
        for path in (
            "/instances/erp",
            "/deployments",
            "/operations",
            "/events?limit=1000",
            "/instances/erp/history",
        )
    ]
    told += [worker.log.read_text() for worker in whole.spine.workers]
    told += [json.dumps(c.attrs["Config"]["Labels"]) for c in containers(docker_engine, instance)]
    assert not any(PASSWORD in text for text in told)

    whole.delete("erp", seconds=120)
    assert whole.inventory("docker") == []
    assert (
        docker_engine.client.volumes.list(filters={"label": f"berth.dev/server-id={whole.spine.server_id}"}) == []
    )


def test_a_missing_image_fails_with_what_to_do_and_a_retry_works_once_it_is_there(
    whole: Whole, docker_engine: DockerEngine
) -> None:
    body = {"name": "missing", "blueprint": "container", "provider": "docker"}
    failed = whole.done(whole.create(**body, params={"image": "nobody/has-this:1"}), "failed")
    assert "nobody/has-this:1" in failed["error"]["message"]
    assert whole.inventory("docker") == []
    docker_engine.client.images.get("berth-test/web:1").tag("nobody/has-this", "1")
    try:
        whole.act("missing", "retry")
        assert whole.instance("missing")["status"] == "running"
        whole.delete("missing")
    finally:
        docker_engine.client.images.remove("nobody/has-this:1")


def test_an_engine_that_is_away_is_said_and_waited_for(whole: Whole, docker_engine: DockerEngine) -> None:
    """For longer than a few quick attempts would take."""
    whole.done(
        whole.create(
            name="patient", blueprint="container", provider="docker", params={"image": "berth-test/web:1"}
        )
    )
    docker_engine.stop()
    try:
        asked = whole.api.act("patient", "restart")
        assert asked.status_code == 202, asked.text
        accepted = asked.json()["operation"]["id"]

        def tries() -> list[Any]:
            steps = whole.api.get(f"/operations/{accepted}")["steps"]
            tried = [attempt for step in steps for attempt in step["attempts"]]
            return [one for one in tried if "cannot be reached" in (one.get("error") or "")]

        wait_for(lambda: len(tries()) > 6, 60, lambda: f"given up: {whole.api.get(f'/operations/{accepted}')}")
        assert "Docker daemon" in tries()[0]["error"]
    finally:
        docker_engine.start()
    whole.done(accepted, seconds=120)
    assert whole.instance("patient")["status"] == "running"
    whole.delete("patient")


def test_a_container_that_was_removed_by_hand_comes_back_with_its_rows(
    whole: Whole, docker_engine: DockerEngine
) -> None:
    whole.done(whole.create(name="lost", blueprint="postgres", provider="docker"))
    uri = whole.api.ask("POST", "/instances/lost/secrets:reveal").json()["connection_uri"]
    with psycopg2.connect(uri, connect_timeout=30) as connection, connection.cursor() as cursor:
        cursor.execute("create table t as select 42 as answer")
    connection.close()
    for action in ("restart", "start"):
        containers(docker_engine, whole.instance("lost"))[0].remove(force=True)
        if action == "start":
            assert whole.act("lost", "stop", "failed")["error"]["code"] == "not-found"
        whole.act("lost", action)
        with psycopg2.connect(uri, connect_timeout=30) as connection, connection.cursor() as cursor:
            cursor.execute("select answer from t")
            assert cursor.fetchone() == (42,)
        connection.close()
    whole.delete("lost")


def test_an_instance_that_prints_its_secret_and_dies_gives_a_cause_without_it(whole: Whole) -> None:
    params = {
        "image": "berth-test/web:1",
        "arguments": ["sh", "-c", "echo the token is $TOKEN; sleep 2; exit 3"],
        "secret_environment": {"TOKEN": PASSWORD},
        "container_port": 8080,
        "health_path": "/healthz",
    }
    made = whole.create(name="teller", blueprint="container", provider="docker", params=params)
    failed = whole.done(made, "failed", seconds=120)
    told = (
        json.dumps(failed) + json.dumps(whole.instance("teller")) + json.dumps(whole.api.get("/events?limit=1000"))
    )
    assert "the token is" in failed["error"]["message"]
    assert PASSWORD not in told
    whole.delete("teller")

"""Database allocation and rotation as callers meet them: what is refused with which words, what a record shows."""

from __future__ import annotations

import pytest

from db.models import DatabaseAllocation, Secret
from domain.databases import ServerAddress
from domain.errors import InvalidInput
from domain.specs import NewDeployment, Spec
from services.places.database_checks import announce_shared_server, check_wanted
from tests.support.api import Api

pytestmark = pytest.mark.servers
ODOO = {"blueprint": "odoo", "params": {"admin_email": "admin@example.com", "admin_password": "correct horse"}}


@pytest.fixture(scope="module", autouse=True)
def proven(api: Api) -> None:
    """The keys belong to the records, as the first worker would have proven."""
    with api.database.begin() as tx:
        api.vault.check(tx)


def allocate(api: Api, consumer: str, server: str) -> None:
    """As an activity would have done it."""
    found = {name: api.get(f"/instances/{name}")["deployment_id"] for name in (consumer, server)}
    with api.database.begin() as tx:
        tx.session.add(
            DatabaseAllocation(
                deployment_id=found[consumer],
                project="default",
                mode="dedicated",
                server_deployment_id=found[server],
                server_name=server,
                database="app",
                username="app",
                state="ready",
                created_at=tx.now,
                updated_at=tx.now,
            )
        )


def test_what_needs_a_database_gets_a_server_of_its_own_unless_told_otherwise(api: Api) -> None:
    made = api.create(**ODOO)["instance"]
    assert made["spec"]["database"] == {"mode": "dedicated"}
    assert made["db_type"] == "dedicated"
    answer = api.ask(
        "POST", "/instances", {"name": "s", "provider": "simulated", "database": {"mode": "shared"}, **ODOO}
    )
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/database/mode"
    assert "BERTH_SHARED_DATABASE_URL" in answer.json()["errors"][0]["detail"]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1", "db.example"])
def test_a_shared_server_must_be_within_reach_of_containers(api: Api, host: str) -> None:
    wanted = NewDeployment(api.name(), "odoo", "docker", Spec(database={"mode": "shared"}))
    with api.database.begin() as tx:
        announce_shared_server(tx, ServerAddress(host, 5432))
        if host == "db.example":
            check_wanted(tx, "default", wanted)
        else:
            with pytest.raises(InvalidInput, match="would find only itself") as refused:
                check_wanted(tx, "default", wanted)
            assert refused.value.errors[0].pointer == "/database/mode"
        announce_shared_server(tx, None)


def test_the_name_of_the_server_is_promised(api: Api) -> None:
    name = api.name()
    api.create(name=name, **ODOO)
    taken = api.ask("POST", "/instances", {"name": f"{name}-db", "blueprint": "web", "provider": "simulated"})
    assert (taken.status_code, taken.json()["code"]) == (409, "name-taken")
    long = api.ask("POST", "/instances", {"name": "n" * 62, "provider": "simulated", **ODOO})
    assert long.status_code == 422
    assert "at most 60 characters" in long.json()["errors"][0]["detail"]


def test_a_database_server_shows_why_it_cannot_be_terminated(api: Api) -> None:
    consumer, server = api.an_instance(), api.an_instance(blueprint="postgres")
    allocate(api, consumer, server)
    (shown,) = [a for a in api.get(f"/instances/{server}")["allowed_actions"] if a["action"] == "delete"]
    reason = f"it holds the database of {consumer}; delete that first"
    assert (shown["enabled"], shown["reason"]) == (False, reason)
    for refused in (api.ask("DELETE", f"/instances/{server}"), api.act(server, "terminate")):
        assert (refused.status_code, refused.json()["code"]) == (409, "invalid-transition")
        assert reason in refused.json()["detail"]
    whole = api.ask("DELETE", f"/deployments/{server}")
    assert (whole.status_code, reason in whole.json()["detail"]) == (409, True)


def test_a_rotation_renews_every_secret_and_the_api_reads_on(api: Api) -> None:
    name = api.an_instance(blueprint="postgres")
    with api.database.begin() as tx:
        instance_id = api.get(f"/instances/{name}")["id"]
        api.vault.put(tx, instance_id, secrets := {"password": "old but good"})  # type: ignore[arg-type]
        before = tx.session.get_one(Secret, (instance_id, "password")).ciphertext
    answer = api.ask("POST", "/secrets:rotate")
    assert answer.status_code == 200
    assert answer.json()["secrets"] >= 1
    with api.database.begin() as tx:
        assert tx.session.get_one(Secret, (instance_id, "password")).ciphertext != before
    revealed = api.ask("POST", f"/instances/{name}/secrets:reveal").json()
    assert {item["name"]: item["value"] for item in revealed["items"]} == secrets


def test_a_rotation_of_what_has_no_database_is_refused(api: Api) -> None:
    refused = api.ask("POST", f"/instances/{api.an_instance()}/secrets:rotate")
    assert (refused.status_code, refused.json()["code"]) == (409, "invalid-transition")
    assert "has no database" in refused.json()["detail"]

"""Secret parameters are written once and shown never: not in records, events, errors, plans or keys of repeats."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from sqlalchemy import select, text

from db.models import Instance, OperationRow, Secret
from domain.lifecycle import Status
from tests.support.api import Api
from tests.support.leaks import leaks, of_records

pytestmark = pytest.mark.servers
CANARY, SECOND = "c4n4ry-Fir$t/ä", "c4n4ry-Sec0nd/ö"
EMAIL = {"admin_email": "admin@example.com"}


def an_odoo(api: Api, **more: Any) -> Any:
    params = {**EMAIL, "admin_password": CANARY}
    return api.create(blueprint="odoo", params=params, **more)


def a_container(api: Api, **more: Any) -> Any:
    params = {"image": "shop:1", "secret_environment": {"TOKEN": CANARY, "KEY": "k3y-of-the-shop"}}
    return api.create(blueprint="container", params=params, **more)


def patched(api: Api, key: str, params: dict[str, Any]) -> Any:
    version = api.get(f"/instances/{key}")["version"]
    answer = api.ask("PATCH", f"/instances/{key}", {"params": params}, If_Match=f'"{version}"')
    assert answer.status_code == 202, answer.text
    return answer.json()


def applied(api: Api, made: Any) -> None:
    """As its workflow would: the operation has ended, and its spec has reached the instance."""
    operation_id = made["operation"]["id"]
    with api.database.begin() as tx:
        operation = tx.session.get_one(OperationRow, operation_id)
        for row in tx.session.scalars(select(Instance).where(Instance.id.in_(operation.instance_ids))):
            row.applied_spec, row.status = operation.spec, Status.RUNNING
    api.end(operation_id)


def revealed(api: Api, key: str) -> dict[str, str]:
    answer = api.ask("POST", f"/instances/{key}/secrets:reveal", {})
    assert answer.headers["cache-control"] == "no-store"
    return {item["name"]: item["value"] for item in answer.json()["items"]}


def written(api: Api) -> list[tuple[str, bytes]]:
    return of_records(api)


def test_a_secret_parameter_lies_encrypted_and_nowhere_else(api: Api) -> None:
    made = an_odoo(api)["instance"]
    a_container(api)
    assert leaks([("answer", json.dumps(made, ensure_ascii=False).encode())], [CANARY]) == []
    assert leaks(written(api), [CANARY]) == []
    assert made["spec"]["params"] == EMAIL
    assert made["spec"]["secrets"] == {"admin_password": 1}
    assert revealed(api, made["id"])["admin_password"] == CANARY
    assert leaks(written(api), [CANARY]) == []


def test_the_search_would_find_it_in_the_records(api: Api) -> None:
    made = an_odoo(api)["operation"]
    with api.database.begin() as tx:
        row = tx.session.get_one(OperationRow, made["id"])
        row.spec = {**row.spec, "careless": CANARY}
    assert leaks(written(api), [CANARY]) != []
    with api.database.begin() as tx:
        tx.session.get_one(OperationRow, made["id"]).spec = {"params": {}, "resources": {}}


def test_the_key_of_a_repeat_is_no_hash_on_which_values_could_be_tried(api: Api) -> None:
    body: dict[str, Any] = {
        "name": api.name(),
        "blueprint": "container",
        "provider": "simulated",
        "params": {"image": "shop:1", "secret_environment": {"TOKEN": CANARY}},
    }
    first = api.ask("POST", "/instances", body, Idempotency_Key="once")
    assert first.status_code == 202
    assert (
        api.ask("POST", "/instances", body, Idempotency_Key="once").json()["operation"]["id"]
        == (first.json()["operation"]["id"])
    )
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
    guesses = {hashlib.sha256(canonical + end).hexdigest() for end in (b"", b"?", b"\0")}
    with api.database.read() as session:
        keys = set(session.scalars(select(OperationRow.idempotency_fingerprint)))
    assert not guesses & keys
    body["params"]["secret_environment"]["TOKEN"] = SECOND
    assert api.ask("POST", "/instances", body, Idempotency_Key="once").status_code == 422


@pytest.mark.parametrize("value", ["shört", "x" * 200 + "-c4n4ry", 1234567, {"c4n4ry": 1}, ["c4n4ry-list"]])
def test_a_refusal_names_the_field_and_never_the_value(api: Api, value: object) -> None:
    body = {"name": api.name(), "blueprint": "odoo", "provider": "simulated"}
    answer = api.ask("POST", "/instances", {**body, "params": {**EMAIL, "admin_password": value}})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/params/admin_password"
    assert not any(part in answer.text for part in ("shört", "c4n4ry", "1234567"))


def test_a_new_value_is_a_change_that_reaches_the_object(api: Api) -> None:
    made = an_odoo(api)
    key = made["instance"]["id"]
    applied(api, made)
    changed = patched(api, key, {"admin_password": SECOND})
    assert changed["operation"]["kind"] == "modify"
    assert changed["operation"]["instance_ids"] == [key]
    assert changed["instance"]["pending_changes"] == [{"path": "/secrets/admin_password", "from": 1, "to": 2}]
    assert revealed(api, key)["admin_password"] == SECOND
    assert leaks(written(api), [CANARY, SECOND]) == []
    applied(api, changed)
    assert api.get(f"/instances/{key}")["pending_changes"] == []


def test_the_same_value_again_changes_nothing(api: Api) -> None:
    made = an_odoo(api)
    applied(api, made)
    again = patched(api, made["instance"]["id"], {"admin_password": CANARY})
    assert (again["operation"]["status"], again["operation"]["changed"]) == ("succeeded", False)


def test_another_parameter_changes_without_saying_the_secrets_again(api: Api) -> None:
    made = a_container(api)
    applied(api, made)
    changed = patched(api, made["instance"]["id"], {"image": "shop:2"})["instance"]
    assert changed["spec"]["params"] == {"image": "shop:2"}
    assert changed["spec"]["secrets"] == made["instance"]["spec"]["secrets"]
    assert revealed(api, changed["id"])["secret_environment.TOKEN"] == CANARY


def test_one_of_several_secrets_is_set_and_another_taken_away(api: Api) -> None:
    made = a_container(api)
    key = made["instance"]["id"]
    applied(api, made)
    changed = patched(api, key, {"secret_environment": {"KEY": None, "MORE": SECOND}})
    assert changed["instance"]["spec"]["secrets"] == {
        "secret_environment.TOKEN": 1,
        "secret_environment.MORE": 2,
    }
    assert revealed(api, key) == {"secret_environment.TOKEN": CANARY, "secret_environment.MORE": SECOND}
    applied(api, changed)
    assert patched(api, key, {"secret_environment": None})["instance"]["spec"].get("secrets") is None
    assert revealed(api, key) == {}


def test_what_was_taken_away_and_set_again_is_a_change_too(api: Api) -> None:
    made = a_container(api)
    key = made["instance"]["id"]
    applied(api, made)
    api.end(patched(api, key, {"secret_environment": {"KEY": None}})["operation"]["id"])
    again = patched(api, key, {"secret_environment": {"KEY": "another-key"}})["instance"]
    assert [change["path"] for change in again["pending_changes"]] == ["/secrets/secret_environment.KEY"]


def test_a_single_secret_cannot_be_taken_away(api: Api) -> None:
    made = an_odoo(api)
    applied(api, made)
    answer = api.ask(
        "PATCH", f"/instances/{made['instance']['id']}", {"params": {"admin_password": None}}, If_Match="*"
    )
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/params/admin_password"


def test_a_variable_is_not_both_plain_and_secret_also_after_a_change(api: Api) -> None:
    made = a_container(api)
    applied(api, made)
    patch = {"params": {"environment": {"TOKEN": "plain"}}}
    answer = api.ask("PATCH", f"/instances/{made['instance']['id']}", patch, If_Match="*")
    assert answer.status_code == 422
    assert CANARY not in answer.text


def test_every_member_has_the_secrets_also_one_that_comes_later(api: Api) -> None:
    made = a_container(api, members=2)
    applied(api, made)
    key = made["instance"]["deployment_id"]
    body = {"members": 3, "params": {"secret_environment": {"TOKEN": SECOND}}}
    answer = api.ask("PATCH", f"/deployments/{key}", body, If_Match="*")
    assert answer.status_code == 202, answer.text
    members = answer.json()["deployment"]["instances"]
    assert len(members) == 3
    for member in members:
        assert revealed(api, member["id"]) == {
            "secret_environment.TOKEN": SECOND,
            "secret_environment.KEY": "k3y-of-the-shop",
        }


def test_a_plan_says_that_a_secret_changes_and_is_bound_to_its_value(api: Api) -> None:
    made = a_container(api)
    applied(api, made)
    key = made["instance"]["deployment_id"]
    patch = {"params": {"secret_environment": {"TOKEN": SECOND}}}
    plan = api.ask("POST", f"/deployments/{key}/plan", patch).json()
    assert plan["changes"] == [
        {"path": "/secrets/secret_environment.TOKEN", "from": 1, "to": 2, "effect": "restart"}
    ]
    assert plan["disruption"] == "restart"
    assert leaks([("plan", json.dumps(plan, ensure_ascii=False).encode())], [SECOND]) == []
    other = {"params": {"secret_environment": {"TOKEN": "something-else"}}, "plan_id": plan["id"]}
    assert api.ask("PATCH", f"/deployments/{key}", other).status_code == 412
    assert api.ask("PATCH", f"/deployments/{key}", {**patch, "plan_id": plan["id"]}).status_code == 202


def test_the_secrets_go_with_the_instance(api: Api) -> None:
    made = a_container(api)["instance"]
    with api.database.begin() as tx:
        tx.session.execute(text("delete from instances_runtime where id = :id"), {"id": made["id"]})
        left = select(Secret.name).where(Secret.instance_id == made["id"])
        assert tx.session.scalars(left).all() == []


def test_a_blueprint_says_which_of_its_parameters_are_secret(api: Api) -> None:
    odoo = api.get("/blueprints/odoo")
    assert odoo["secret_params"] == ["admin_password"]
    assert odoo["needs_database"] is True
    assert odoo["params_schema"]["properties"]["admin_password"]["writeOnly"] is True

"""Who changed an instance last is told with it, also long after the operation has ended."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select

from db.models import Hold, Instance
from domain.holds import HoldCause
from domain.lifecycle import Status
from tests.support.access import bearing, new_token
from tests.support.api import Api

pytestmark = pytest.mark.servers


def check_changed(api: Api, name: str, by: str, operation: dict[str, Any]) -> None:
    form: dict[str, Any] = api.get(f"/instances/{name}")
    assert form["changed_by"] == by
    apart = datetime.fromisoformat(form["changed_at"]) - datetime.fromisoformat(operation["created_at"])
    assert abs(apart) < timedelta(seconds=1), "stamped in one transaction"


def test_whoever_asked_last_is_named(api: Api) -> None:
    made = api.create()
    name = made["instance"]["name"]
    check_changed(api, name, "admin", made["operation"])
    api.end(made["operation"]["id"])
    other = api.an_instance(Status.RUNNING)
    token = new_token(api, "operator")
    with bearing(api, token["token"]) as client:
        stop = client.post(f"/api/v1/instances/{other}/actions", json={"action": "stop"})
        refused = client.post(f"/api/v1/instances/{other}/actions", json={"action": "start"})
    assert (stop.status_code, refused.status_code) == (202, 409)
    check_changed(api, other, f"token:{token['name']}", stop.json()["operation"])
    row = next(row for row in api.get("/instances:rows")["items"] if row["name"] == other)
    assert row["changed_by"] == f"token:{token['name']}"


def test_whoever_changes_no_more_than_the_record_is_named(api: Api) -> None:
    name = api.an_instance(Status.RUNNING)
    token = new_token(api, "operator")
    with bearing(api, token["token"]) as client:
        read = {"If-Match": client.get(f"/api/v1/instances/{name}").headers["ETag"]}
        relabelled = client.patch(f"/api/v1/instances/{name}", json={"labels": {"team": "red"}}, headers=read)
    assert relabelled.status_code == 202, relabelled.text
    assert relabelled.json()["operation"]["status"] == "succeeded"
    check_changed(api, name, f"token:{token['name']}", relabelled.json()["operation"])


def test_whoever_places_or_lifts_a_hold_beside_another_is_named(api: Api) -> None:
    name = api.an_instance(Status.SUSPENDED)
    with api.database.begin() as tx:
        deployment = select(Instance.deployment_id).where(Instance.name == name).scalar_subquery()
        tx.run(
            insert(Hold).values(deployment_id=deployment, cause=HoldCause.BILLING, actor="billing", since=tx.now)
        )
    for action in ("suspend", "unsuspend"):
        token = new_token(api, "admin")
        with bearing(api, token["token"]) as client:
            answer = client.post(f"/api/v1/instances/{name}/actions", json={"action": action})
        assert answer.status_code == 202, answer.text
        check_changed(api, name, f"token:{token['name']}", answer.json()["operation"])

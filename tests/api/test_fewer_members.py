"""Whatever takes members away, or gives them back, raises the deployment's version: who read it before is told."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from db.models import OperationRow
from domain.lifecycle import Status
from domain.operations import OperationStatus
from tests.support.api import Api, add_deployment, add_member

pytestmark = pytest.mark.servers


def three(api: Api) -> tuple[str, str]:
    """(name, the version's ETag) of a deployment of three, the last of which is in error."""
    name = api.name()
    with api.database.begin() as tx:
        deployment_id = add_deployment(tx, name, members=3)
        for ordinal, status in enumerate([Status.RUNNING, Status.RUNNING, Status.ERROR], start=1):
            key = name if ordinal == 1 else f"{name}-{ordinal}"
            add_member(tx, deployment_id, key, status, ordinal=ordinal)
    return name, etag(api, name)


def etag(api: Api, name: str) -> str:
    return api.ask("GET", f"/deployments/{name}").headers["ETag"]


def check_out_of_date(api: Api, name: str, read: str, *, members: int) -> None:
    generation = api.get(f"/deployments/{name}")["generation"]
    refused = api.ask("PATCH", f"/deployments/{name}", {"members": 3}, If_Match=read)
    assert (refused.status_code, refused.json()["code"]) == (412, "precondition-failed"), refused.text
    form = api.get(f"/deployments/{name}")
    assert (form["members"], form["generation"]) == (members, generation)


def test_after_one_is_forgotten_nobody_makes_another_by_an_old_version(api: Api) -> None:
    name, read = three(api)

    assert api.act(f"{name}-3", "forget").status_code == 202

    check_out_of_date(api, name, read, members=2)


def test_a_delete_of_one_that_pre_empts_what_runs_is_a_new_version(api: Api) -> None:
    name, _ = three(api)
    restart = api.act(f"{name}-2", "restart").json()["operation"]
    with api.database.begin() as tx:
        running = update(OperationRow).where(OperationRow.id == restart["id"])
        tx.run(running.values(status=OperationStatus.RUNNING, started_at=tx.now))
    read = etag(api, name)

    assert api.ask("DELETE", f"/instances/{name}-3").status_code == 202

    check_out_of_date(api, name, read, members=2)


def test_a_delete_of_one_that_is_taken_back_is_a_new_version(api: Api) -> None:
    name, _ = three(api)
    delete = api.ask("DELETE", f"/instances/{name}-3").json()["operation"]
    read = etag(api, name)
    assert api.get(f"/deployments/{name}")["members"] == 2

    assert api.ask("POST", f"/operations/{delete['id']}/cancel").status_code == 202

    check_out_of_date(api, name, read, members=3)

"""Every status in every shape of deployment: `allowed_actions` is what `GET /lifecycle` says, and nothing else.

The expectation is worked out from the served documents alone, as a client would: no table is imported here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import update

from db.models import Deployment
from domain.lifecycle import IN_PROGRESS, Role, Status
from tests.support.api import Api, add_deployment, add_member

pytestmark = pytest.mark.servers
LIVING = [status for status in Status if status is not Status.TERMINATED]


@dataclass(frozen=True)
class Shape:
    """What the instance is part of. `sibling`: the status of the other member."""

    role: Role = Role.STANDALONE
    blueprint: str = "web"
    sibling: Status | None = None


SHAPES = {
    "alone": Shape(),
    "a primary with a replica": Shape(Role.PRIMARY, sibling=Status.RUNNING),
    "a replica": Shape(Role.REPLICA, sibling=Status.RUNNING),
    "a replica beside a failed primary": Shape(Role.REPLICA, sibling=Status.ERROR),
    "a member beside a busy one": Shape(sibling=Status.STOPPING),
    "a database server": Shape(blueprint="postgres"),
    "a container": Shape(blueprint="container"),
    "a machine": Shape(blueprint="vm"),
    "an application with a database": Shape(blueprint="odoo"),
}


def build(api: Api, status: Status, shape: Shape) -> str:
    """The id of an instance in `status`."""
    name = api.name()
    with api.database.begin() as tx:
        deployment_id = add_deployment(tx, name, 1 if shape.sibling is None else 2)
        tx.run(update(Deployment).where(Deployment.id == deployment_id).values(blueprint=shape.blueprint))
        instance_id = add_member(tx, deployment_id, name, status, role=shape.role, blueprint=shape.blueprint)
        if shape.sibling is not None:
            other = Role.REPLICA if shape.role is Role.PRIMARY else Role.STANDALONE
            role = Role.PRIMARY if shape.role is Role.REPLICA else other
            add_member(tx, deployment_id, f"{name}-2", shape.sibling, ordinal=2, role=role)
    return instance_id


def expected(lifecycle: dict[str, Any], offered: set[str], shown: dict[str, Any], *, held: bool) -> dict[str, Any]:
    """{action: (button, enabled)} by the served table."""
    status, found = shown["status"], {}
    moving = {move["during"] for move in lifecycle["moves"]} - {None}
    busy = shown["current_operation"] is not None or status in moving
    for operation in lifecycle["operations"]:
        name = operation["name"]
        moves = [move for move in lifecycle["moves"] if move["operation"] == name]
        legal = any(status in move["legal_from"] for move in moves)
        button = any(status in move["buttons_in"] for move in moves)
        if name == "promote" and shown["role"] != "replica":
            legal = button = False
        if name == "retry":
            legal = legal and shown["last_failed_operation_id"] is not None
        if busy or held:
            legal = name == "delete"
            button = name == "delete"
        can = operation["available"] and (operation["of_every_blueprint"] or name in offered)
        found[name] = (button, legal and can)
    found["cancel"] = (busy, busy)
    return found


# One operation holds a deployment: beside a busy member nothing else is in progress.
PAIRS = [
    (status, shape)
    for shape, wanted in SHAPES.items()
    for status in LIVING
    if wanted.sibling not in IN_PROGRESS or status not in IN_PROGRESS
]


@pytest.mark.parametrize(("status", "shape"), PAIRS)
def test_allowed_actions_are_the_table(api: Api, status: Status, shape: str) -> None:
    wanted = SHAPES[shape]
    shown = api.get(f"/instances/{build(api, status, wanted)}")
    lifecycle = api.get("/lifecycle")
    offered = set(api.get(f"/blueprints/{wanted.blueprint}")["operations"])
    told = {row["action"]: (row["button"], row["enabled"]) for row in shown["allowed_actions"]}
    held = wanted.sibling in IN_PROGRESS
    assert told == expected(lifecycle, offered, shown, held=held)
    for row in shown["allowed_actions"]:
        assert row["enabled"] == ("reason" not in row)
    rows = api.get(f"/instances:rows?ids={shown['id']}")["items"][0]["allowed_actions"]
    assert rows == [row for row in shown["allowed_actions"] if row["button"]]

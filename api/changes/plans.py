"""Plan ids: signed, bound to the version that was planned upon and to exactly what was planned.

Whoever applies quotes the id, and gets 412 when the base moved or the body is another.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from api.changes.transactions import commit
from api.paging import opened, sealed
from api.parts import Parts
from db.models import Deployment
from db.session import Tx
from domain.errors import BerthError, FieldError, InvalidInput, PreconditionFailed
from domain.specs import Ask, Caller, NewDeployment, Spec
from services.requests.edits import create_deployment
from services.requests.plans import plan_of_change, plan_of_creation, spec_hash

PLAN_ID = "plan_id"


def plan_id(parts: Parts, what: str, base_version: int, spec: Spec) -> str:
    """The id of a plan for `what`: a deployment's id, or a name that is to be made."""
    payload = json.dumps({"v": base_version, "h": _digest(parts, spec)})
    return sealed(parts.vault, "plan", what, payload=payload)


def check_plan(parts: Parts, token: Any, what: str, version: int, spec: Spec) -> None:
    """Raise unless `token` is a plan of `what`, made upon `version`, for `spec`."""
    payload = opened(parts.vault, "plan", what, token=token) if isinstance(token, str) else None
    if payload is None:
        raise InvalidInput(FieldError(f"/{PLAN_ID}", "is not the id of a plan for this"))
    planned = json.loads(payload)
    if planned["v"] != version:
        raise PreconditionFailed("It changed since it was planned; plan again.", version)
    if planned["h"] != _digest(parts, spec):
        raise PreconditionFailed("The body is not what was planned; plan again, or send the same body.", version)


def _digest(parts: Parts, spec: Spec) -> str:
    """Of all that was planned. Signed, because the id is shown: nobody can try values of secrets on it."""
    return parts.vault.sign("plan", spec_hash(spec), json.dumps(spec.secrets, sort_keys=True))


def planned_change(parts: Parts, deployment: Deployment, wanted: Spec, session: Any) -> dict[str, Any]:
    """The plan of a change."""
    form = plan_of_change(session, parts.operations.usual, deployment, wanted)
    made = plan_id(parts, deployment.id, deployment.version, wanted)
    return {"id": made, "base_version": deployment.version, **form}


def planned_creation(parts: Parts, caller: Caller, wanted: NewDeployment) -> dict[str, Any]:
    """The plan of a create: acceptance is tried and taken back, so that it says what acceptance would say."""
    obstacles = _tried(parts, caller, wanted)
    with parts.database.read() as session:
        form = plan_of_creation(session, parts.operations.usual, wanted, obstacles)
    return {"id": plan_id(parts, _new(wanted), 0, wanted.spec), "base_version": 0, **form}


class _TakenBackError(Exception):
    """Rolls the trial back."""


def _tried(parts: Parts, caller: Caller, wanted: NewDeployment) -> list[str]:
    try:
        commit(parts.database, lambda tx: _accept_and_take_back(parts, tx, caller, wanted))
    except _TakenBackError:
        return []
    except BerthError as refusal:
        return [refusal.message]
    raise AssertionError("the trial was not taken back")


def _accept_and_take_back(parts: Parts, tx: Tx, caller: Caller, wanted: NewDeployment) -> None:
    create_deployment(tx, Ask(caller, bounds=parts.bounds.now()), wanted, parts.vault)
    raise _TakenBackError


def _new(wanted: NewDeployment) -> str:
    return f"new/{wanted.blueprint}/{wanted.provider}/{wanted.name}"


def approve_creation(parts: Parts, body: Any, wanted: NewDeployment) -> None:
    """When the body quotes a plan: exactly that is made, or nothing."""
    token = body.get(PLAN_ID) if isinstance(body, Mapping) else None
    if token is not None:
        check_plan(parts, token, _new(wanted), 0, wanted.spec)


def split_plan(parts: Parts, body: Any) -> tuple[Any, Callable[[Deployment, Spec], None] | None]:
    """The merge patch without `plan_id`, and the check that `plan_id` asks for."""
    if not isinstance(body, Mapping) or body.get(PLAN_ID) is None:
        return body, None
    token = body[PLAN_ID]
    patch = {key: value for key, value in body.items() if key != PLAN_ID}

    def approve(deployment: Deployment, wanted: Spec) -> None:
        check_plan(parts, token, deployment.id, deployment.version, wanted)

    return patch, approve

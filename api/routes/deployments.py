"""Deployments: create, list, read, plan, modify, act, delete."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from api import schemas
from api.access import needs
from api.answers import accepted, ok, unless_known
from api.changes.commands import on_deployment, wish_for, with_reason
from api.changes.doors import Wish
from api.changes.plans import approve_creation, planned_change, planned_creation, split_plan
from api.changes.transactions import commit
from api.dependencies import AskDep, BodyDep, CallerDep, KnownHeader, PartsDep, VersionsDep, now
from api.docs import takes
from api.filters import DeploymentQuery
from api.paging import Pages, as_place, as_position, page_form
from api.parts import Parts
from api.reading import find_deployment, find_operation
from api.routes.instances import require_version
from db.models import Deployment
from db.queries import deployments as queries
from domain.access import Right
from domain.lifecycle import Operation
from domain.specs import Caller
from services.forms.bodies import ActionBody, CreateBody, DeploymentPatchBody, PatchBody
from services.forms.validation import new_deployment, parsed, patched
from services.requests.edits import Edit, create_deployment, spec_of

router = APIRouter(tags=["deployments"])


@router.post(
    "/deployments",
    operation_id="deployments_create",
    status_code=202,
    response_model=schemas.AcceptedDeployment,
    openapi_extra=takes(CreateBody),
    dependencies=[needs(Right.OPERATE)],
)
def create(parts: PartsDep, ask: AskDep, body: BodyDep) -> Response:
    """Make a deployment with all its members. With `plan_id` exactly what was planned, or 412."""
    wanted = new_deployment(body, parts.rules)
    approve_creation(parts, body, wanted)
    made = commit(parts.database, lambda tx: create_deployment(tx, ask, wanted, parts.vault))
    return _answer(parts, ask.caller, made.operation_id)


@router.post(
    "/deployments:plan",
    operation_id="deployments_plan_creation",
    response_model=schemas.Plan,
    openapi_extra=takes(CreateBody),
    dependencies=[needs(Right.OPERATE)],
)
def plan_creation(parts: PartsDep, caller: CallerDep, body: BodyDep) -> Response:
    """What a create would do. Nothing is written."""
    return ok(planned_creation(parts, caller, new_deployment(body, parts.rules)))


@router.get(
    "/deployments",
    operation_id="deployments_list",
    response_model=schemas.DeploymentList,
    dependencies=[needs(Right.READ)],
)
def list_(parts: PartsDep, caller: CallerDep, query: Annotated[DeploymentQuery, Query()]) -> Response:
    """Living deployments, newest first, with their members in brief."""
    pages = Pages(parts.vault, "deployments", (caller.project, query.q))
    after = as_position(pages.place(query.page_token))
    with parts.database.read() as session:
        rows, position = queries.page(session, caller.project, query.q, after, query.size)
        items = parts.deployments.many(session, rows, now())
    return ok(page_form(items, pages.token(as_place(position))))


@router.get(
    "/deployments/{key}",
    operation_id="deployments_get",
    response_model=schemas.DeploymentForm,
    dependencies=[needs(Right.READ)],
)
def get(parts: PartsDep, caller: CallerDep, key: str, known: KnownHeader = None) -> Response:
    """One deployment by id or name, with its members' whole records."""
    with parts.database.read() as session:
        form = parts.deployments.one(session, find_deployment(session, caller, key), now())
    return unless_known(form, known, version=form["version"])


@router.post(
    "/deployments/{key}/plan",
    operation_id="deployments_plan",
    response_model=schemas.Plan,
    openapi_extra=takes(PatchBody, "application/merge-patch+json"),
    dependencies=[needs(Right.OPERATE)],
)
def plan(parts: PartsDep, caller: CallerDep, body: BodyDep, key: str) -> Response:
    """What a change would touch, and what it costs. Nothing is written; applying quotes the plan's id."""
    with parts.database.read() as session:
        row = find_deployment(session, caller, key)
        deployment = session.get_one(Deployment, row.id)
        wanted = patched(spec_of(deployment), body, row.blueprint, row.provider, parts.rules)
        form = planned_change(parts, deployment, wanted, session)
    return ok(form)


@router.patch(
    "/deployments/{key}",
    operation_id="deployments_modify",
    status_code=202,
    response_model=schemas.AcceptedDeployment,
    openapi_extra=takes(DeploymentPatchBody, "application/merge-patch+json"),
    dependencies=[needs(Right.OPERATE)],
)
def modify(parts: PartsDep, ask: AskDep, body: BodyDep, versions: VersionsDep, key: str) -> Response:
    """Change the spec by a JSON merge patch. `If-Match` or `plan_id` says what was read."""
    patch, approve = split_plan(parts, body)
    if approve is None:
        require_version(versions)
    read = None if approve is not None and versions == frozenset() else versions
    made = on_deployment(parts, ask, key, Wish(Operation.MODIFY), Edit(patch, read, approve))
    return _answer(parts, ask.caller, made.operation_id)


@router.post(
    "/deployments/{key}/actions",
    operation_id="deployments_act",
    status_code=202,
    response_model=schemas.AcceptedDeployment,
    openapi_extra=takes(ActionBody),
    dependencies=[needs(Right.OPERATE)],
)
def act(parts: PartsDep, ask: AskDep, body: BodyDep, key: str) -> Response:
    """start, stop, restart, modify or delete of every member whose status allows it; 409 when none does."""
    wanted = parsed(ActionBody, body)
    wish = wish_for(wanted.action, wanted.params)
    made = on_deployment(parts, with_reason(ask, wanted.reason), key, wish)
    return _answer(parts, ask.caller, made.operation_id, skipping=wish.operation)


@router.delete(
    "/deployments/{key}",
    operation_id="deployments_delete",
    status_code=202,
    response_model=schemas.AcceptedDeployment,
    dependencies=[needs(Right.OPERATE)],
)
def delete(
    parts: PartsDep,
    ask: AskDep,
    key: str,
    force: Annotated[
        bool, Query(description="Accepted for every delete; a delete pre-empts what runs anyway.")
    ] = False,
) -> Response:
    """Delete every member with its data and secrets. Pre-empts what runs; a repeat returns the first operation."""
    made = on_deployment(parts, ask, key, Wish(Operation.DELETE, force=force))
    return _answer(parts, ask.caller, made.operation_id)


def _answer(parts: Parts, caller: Caller, operation_id: str, skipping: Operation | None = None) -> Response:
    """202 with `{deployment, operation}`; the deployment is null when it is gone.

    With `skipping` the members that could not take that operation are named.
    """
    with parts.database.read() as session:
        operation = find_operation(session, caller, operation_id)
        row = queries.find(session, caller.project, operation.deployment_id)
        deployment = parts.deployments.one(session, row, now()) if row is not None else None
        form: dict[str, Any] = {
            "deployment": deployment,
            "operation": parts.operations.one(session, operation, now()),
        }
    if skipping is not None and deployment is not None:
        form["skipped"] = [
            {"id": m["id"], "name": m["name"], "reason": f"no {skipping} while it is {m['status']}"}
            for m in deployment["instances"]
            if m["id"] not in operation.instance_ids
        ]
    return accepted(form, operation_id, f"/api/v1/deployments/{row.id}" if row is not None else None)

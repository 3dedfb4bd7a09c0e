"""Instances: create, list, read, modify, delete."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.concurrency import run_in_threadpool

from api import schemas
from api.access import needs
from api.answers import accepted, ok, unless_known
from api.asks import Place
from api.changes.commands import on_instance
from api.changes.doors import Wish
from api.changes.plans import approve_creation
from api.changes.transactions import commit
from api.dependencies import AskDep, BodyDep, CallerDep, KnownHeader, PartsDep, VersionsDep, now
from api.docs import takes
from api.filters import InstanceQuery, RowQuery
from api.paging import Pages, as_place, as_position, page_form
from api.parts import Parts
from api.reading import answer_form, instance_form
from db.queries import instances as queries
from domain.access import Right
from domain.errors import PreconditionRequired
from domain.lifecycle import Operation
from domain.specs import Caller
from services.forms.bodies import CreateBody, PatchBody
from services.forms.validation import new_deployment
from services.requests.edits import create_deployment
from services.views.common import iso

router = APIRouter(tags=["instances"])


def location(instance_id: str) -> str:
    """Where an instance is read."""
    return f"/api/v1/instances/{instance_id}"


@router.post(
    "/instances",
    operation_id="instances_create",
    status_code=202,
    response_model=schemas.AcceptedInstance,
    openapi_extra=takes(CreateBody),
    dependencies=[needs(Right.OPERATE)],
)
def create(parts: PartsDep, ask: AskDep, body: BodyDep) -> Response:
    """Make a deployment with its instances; for one member the two are the same thing."""
    wanted = new_deployment(body, parts.rules)
    approve_creation(parts, body, wanted)
    made = commit(parts.database, lambda tx: create_deployment(tx, ask, wanted, parts.vault))
    return accepted_instance(parts, ask.caller, made.operation_id)


@router.get(
    "/instances",
    operation_id="instances_list",
    response_model=schemas.InstanceList,
    dependencies=[needs(Right.READ)],
)
def list_(parts: PartsDep, caller: CallerDep, query: Annotated[InstanceQuery, Query()]) -> Response:
    """Live instances, newest first, with counts by status for the same filter without its status part."""
    items, token = _page(parts, caller, query, parts.instances.many)
    return ok(page_form(items, token, instances=items, counts=_counted(parts, caller, query)))


@router.get(
    "/instances:rows",
    operation_id="instances_rows",
    response_model=schemas.InstanceRowList,
    dependencies=[needs(Right.READ)],
)
def rows_(parts: PartsDep, caller: CallerDep, query: Annotated[RowQuery, Query()]) -> Response:
    """As `GET /instances`, without specs and times, up to 1000 on a page: what a table of many rows needs."""
    items, token = _page(parts, caller, query, parts.instances.rows)
    return ok(page_form(items, token, counts=_counted(parts, caller, query)))


def _page(
    parts: Parts, caller: Caller, query: InstanceQuery, forms: Callable[..., list[dict[str, Any]]]
) -> tuple[list[dict[str, Any]], str | None]:
    wanted = query.wanted(caller.project)
    pages = Pages(parts.vault, "instances", (wanted, query.order))
    after = as_position(pages.place(query.page_token))
    with parts.database.read() as session:
        rows, position = queries.page(session, wanted, after, query.size, query.order)
        return forms(session, rows, now()), pages.token(as_place(position))


def _counted(parts: Parts, caller: Caller, query: InstanceQuery) -> dict[str, int]:
    key = ("instances", query.wanted(caller.project).scope_key())
    return parts.counts.get(key, lambda: _counts(parts, query, caller))


def _counts(parts: Parts, query: InstanceQuery, caller: Caller) -> dict[str, int]:
    with parts.database.read() as session:
        return queries.counts(session, query.wanted(caller.project))


@router.get(
    "/instances/{key}",
    operation_id="instances_get",
    response_model=schemas.Instance,
    dependencies=[needs(Right.READ)],
)
async def get(parts: PartsDep, caller: CallerDep, key: str, known: KnownHeader = None) -> Response:
    """One instance by id or name, with the raw state that its provider shows now."""
    form = await run_in_threadpool(instance_form, parts, caller, key)
    return unless_known(await with_provider_state(parts, form), known, version=form["version"])


async def with_provider_state(parts: Parts, form: dict[str, Any]) -> dict[str, Any]:
    """The provider's own word, asked now; the stored one stands while an operation works, or if it is newer."""
    if form["current_operation"] is not None or form["cloud_instance_id"] is None:
        return form
    look = await parts.asks.look(form["id"], Place(form["provider"], form["host_id"]))
    if look.answer is None or datetime.fromisoformat(form["updated_at"]) >= look.at:
        return form
    return {**form, "provider_state": look.answer["provider_state"], "provider_state_at": iso(look.at)}


@router.patch(
    "/instances/{key}",
    operation_id="instances_modify",
    status_code=202,
    response_model=schemas.AcceptedInstance,
    openapi_extra=takes(PatchBody, "application/merge-patch+json"),
    dependencies=[needs(Right.OPERATE)],
)
def modify(parts: PartsDep, ask: AskDep, body: BodyDep, versions: VersionsDep, key: str) -> Response:
    """Change the spec by a JSON merge patch. `If-Match` says which version was read."""
    require_version(versions)
    instance_id, made = on_instance(parts, ask, key, Wish(Operation.MODIFY, patch=body, versions=versions))
    return accepted_instance(parts, ask.caller, made.operation_id, instance_id)


@router.delete(
    "/instances/{key}",
    operation_id="instances_delete",
    status_code=202,
    response_model=schemas.AcceptedInstance,
    dependencies=[needs(Right.OPERATE)],
)
def delete(
    parts: PartsDep,
    ask: AskDep,
    key: str,
    force: Annotated[bool, Query(description="Also what is stuck: a lost host's instance is forgotten.")] = False,
) -> Response:
    """Delete with data and secrets. Pre-empts what runs; a repeat returns the first operation."""
    instance_id, made = on_instance(parts, ask, key, Wish(Operation.DELETE, force=force))
    return accepted_instance(parts, ask.caller, made.operation_id, instance_id)


def require_version(versions: frozenset[int] | None) -> None:
    """Raise `PreconditionRequired` when the caller does not say which version it read."""
    if versions is not None and not versions:
        raise PreconditionRequired('Send If-Match with the ETag of your last GET, for example If-Match: "3".')


def accepted_instance(
    parts: Parts, caller: Caller, operation_id: str, instance_id: str | None = None, *, older_form: bool = False
) -> Response:
    """202 with `{instance, operation}`; the older form has some fields beside them."""
    form = answer_form(parts, caller, operation_id, instance_id)
    shown = form["instance"]
    if shown is not None and older_form:
        ending = form["operation"]["kind"] == Operation.DELETE
        form |= {
            "instance_id": shown["id"],
            "status": "TERMINATING" if ending else "LAUNCHING",
            "termination_requested_at" if ending else "launch_requested_at": form["operation"]["created_at"],
        }
    return accepted(form, operation_id, location(shown["id"]) if shown else None)

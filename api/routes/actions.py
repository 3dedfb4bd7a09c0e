"""Actions on instances: one, many at once, and S2's launch and terminate."""

from __future__ import annotations

from dataclasses import replace

from fastapi import APIRouter, Response

from api import schemas
from api.access import needs
from api.answers import ok
from api.asks import Place, status_seen
from api.changes.batches import rows_of
from api.changes.commands import on_instance, wish_for, with_reason
from api.changes.doors import Wish
from api.changes.transactions import commit
from api.dependencies import AskDep, BodyDep, PartsDep
from api.docs import takes
from api.filters import words
from api.parts import Parts
from api.reading import find_instance
from api.routes.instances import accepted_instance
from domain.access import Right
from domain.errors import FieldError, InvalidInput, NotFound
from domain.lifecycle import Operation, Status
from domain.specs import Ask, Caller
from services.forms.bodies import ActionBody, BatchBody, LaunchBody, ReasonBody
from services.forms.validation import parsed
from services.operations.acceptance import replayed
from services.requests.edits import create_deployment
from services.requests.older_forms import check_launched_like, machine_deployment

router = APIRouter(tags=["instances"])


@router.post(
    "/instances/{key}/actions",
    operation_id="instances_act",
    status_code=202,
    response_model=schemas.AcceptedInstance,
    openapi_extra=takes(ActionBody),
    dependencies=[needs(Right.OPERATE)],
)
def act(parts: PartsDep, ask: AskDep, body: BodyDep, key: str) -> Response:
    """Any operation that the table allows now; otherwise 409 with what is allowed."""
    wanted = parsed(ActionBody, body)
    wish = wish_for(wanted.action, wanted.params)
    wish = replace(wish, seen=_look(parts, ask.caller, key, wish.operation))
    instance_id, made = on_instance(parts, with_reason(ask, wanted.reason), key, wish)
    return accepted_instance(parts, ask.caller, made.operation_id, instance_id)


def _look(parts: Parts, caller: Caller, key: str, operation: Operation | None) -> Status | None:
    """Maintenance ends in what the provider shows now."""
    if operation is not Operation.MAINTENANCE_OFF:
        return None
    with parts.database.read() as session:
        row = find_instance(session, caller, key)
    if row.status is not Status.MAINTENANCE:
        return None
    return status_seen(parts.asks.look_from_thread(row.id, Place(row.provider, row.host_id)))


@router.post(
    "/instances:batch",
    operation_id="instances_batch",
    response_model=schemas.BatchResult,
    openapi_extra=takes(BatchBody),
    dependencies=[needs(Right.OPERATE)],
)
def batch(parts: PartsDep, ask: AskDep, body: BodyDep) -> Response:
    """One action on many instances; each row has its own outcome, and the answer is 200 whatever they are."""
    wanted = parsed(BatchBody, body)
    wish = wish_for(wanted.action)
    if (wanted.ids is None) == (wanted.filter is None):
        raise InvalidInput(FieldError("/ids", "name either ids or a filter"))
    if wanted.filter is not None and wanted.filter.status is not None:
        words(Status, wanted.filter.status.split(","), "filter/status")
    return ok({"items": rows_of(parts, with_reason(ask, wanted.reason), wanted, wish)})


@router.post(
    "/instances/{key}/launch",
    operation_id="instances_launch",
    status_code=202,
    response_model=schemas.AcceptedInstance,
    openapi_extra=takes(LaunchBody, required=False),
    dependencies=[needs(Right.OPERATE)],
)
def launch(parts: PartsDep, ask: AskDep, body: BodyDep, key: str) -> Response:
    """The older form of start; a name that nobody has becomes a virtual machine on `ec2`."""
    wanted = parsed(LaunchBody, body)
    asked = with_reason(ask, wanted.reason)
    try:
        _check_as_it_is(parts, asked, key, wanted)
        return _older(parts, asked, key, Operation.START)
    except NotFound:
        if key.startswith("ins_"):
            raise
    machine = machine_deployment(key, wanted, parts.rules)
    made = commit(parts.database, lambda tx: create_deployment(tx, asked, machine, parts.vault))
    return accepted_instance(parts, ask.caller, made.operation_id, older_form=True)


def _check_as_it_is(parts: Parts, ask: Ask, key: str, wanted: LaunchBody) -> None:
    with parts.database.begin() as tx:
        if replayed(tx, ask) is None:
            check_launched_like(find_instance(tx.session, ask.caller, key), wanted)


@router.post(
    "/instances/{key}/terminate",
    operation_id="instances_terminate",
    status_code=202,
    response_model=schemas.AcceptedInstance,
    openapi_extra=takes(ReasonBody, required=False),
    dependencies=[needs(Right.OPERATE)],
)
def terminate(parts: PartsDep, ask: AskDep, body: BodyDep, key: str) -> Response:
    """The older form of delete."""
    return _older(parts, with_reason(ask, parsed(ReasonBody, body).reason), key, Operation.DELETE)


def _older(parts: Parts, ask: Ask, key: str, operation: Operation) -> Response:
    instance_id, made = on_instance(parts, ask, key, Wish(operation))
    return accepted_instance(parts, ask.caller, made.operation_id, instance_id, older_form=True)

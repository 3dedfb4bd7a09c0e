"""Operations: list, look, wait, cancel, retry, abort."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.concurrency import run_in_threadpool

from api import schemas
from api.access import needs
from api.answers import RETRY_SECONDS, ok, unless_known
from api.changes.batches import operation_rows
from api.changes.commands import abort_listener, on_operation
from api.dependencies import AskDep, BodyDep, CallerDep, KnownHeader, PartsDep, WaitQuery, now
from api.docs import takes
from api.filters import OperationQuery
from api.live.wakeups import wait_for
from api.paging import Pages, as_place, as_position, page_form
from api.parts import Parts
from api.reading import operation_form, printable_key
from api.routes.instances import accepted_instance
from db.queries import operations as queries
from db.queries.operations import OperationFilter, Place
from domain.access import Right
from domain.errors import FieldError, InvalidInput, NotFound
from domain.specs import Caller
from services.forms.bodies import OperationBatchBody
from services.forms.validation import parsed

router = APIRouter(tags=["operations"])


@router.get(
    "/operations",
    operation_id="operations_list",
    response_model=schemas.OperationList,
    dependencies=[needs(Right.READ)],
)
def list_(parts: PartsDep, caller: CallerDep, query: Annotated[OperationQuery, Query()]) -> Response:
    """Operations: those that need somebody first, each part newest first."""
    with parts.database.read() as session:
        wanted = query.wanted(caller.project, _instance_id(session, caller, query.instance))
        pages = Pages(parts.vault, "operations", wanted)
        place = _place(pages.place(query.page_token))
        rows, following = queries.page(session, wanted, place, query.size)
        items = parts.operations.many(session, rows, now())
    counts = parts.counts.get(("operations", wanted.scope_key()), lambda: _counts(parts, wanted))
    return ok(page_form(items, pages.token(_as_place(following)), counts=counts))


def _instance_id(session: Any, caller: Caller, key: str | None) -> str | None:
    if key is None or key.startswith("ins_"):
        return key
    found = queries.instance_id_of(session, caller.project, key)
    if found is None:
        raise NotFound("instance", key)
    return found


def _counts(parts: Parts, wanted: OperationFilter) -> dict[str, int]:
    with parts.database.read() as session:
        return queries.counts(session, wanted, now())


def _place(found: dict[str, Any] | None) -> Place:
    if found is None:
        return Place(now())
    return Place(datetime.fromisoformat(found["at"]), found["urgent"], as_position(found["after"]))


def _as_place(place: Place | None) -> dict[str, Any] | None:
    if place is None:
        return None
    return {"at": place.at.isoformat(), "urgent": place.urgent, "after": as_place(place.after)}


@router.get(
    "/operations/{operation_id}",
    operation_id="operations_get",
    response_model=schemas.OperationForm,
    dependencies=[needs(Right.READ)],
)
async def get(
    parts: PartsDep, caller: CallerDep, operation_id: str, wait: WaitQuery = 0, known: KnownHeader = None
) -> Response:
    """One operation with its steps. With `wait` the answer comes as soon as it is done, failed ones too."""
    with parts.wakeups.watch(printable_key(operation_id, "operation")) as ended:
        form = await run_in_threadpool(operation_form, parts, caller, operation_id)
        if wait and not form["done"]:
            await parts.connections.run(caller, wait_for(ended, wait))
            form = await run_in_threadpool(operation_form, parts, caller, operation_id)
    answer = unless_known(form, known)
    if not form["done"]:
        answer.headers["Retry-After"] = RETRY_SECONDS
    return answer


@router.post(
    "/operations/{operation_id}/cancel",
    operation_id="operations_cancel",
    status_code=202,
    response_model=schemas.AcceptedInstance,
    dependencies=[needs(Right.OPERATE)],
)
def cancel(parts: PartsDep, ask: AskDep, operation_id: str) -> Response:
    """Cancel at once what has not begun, ask the rest to stop; 409 when it is over or a delete has begun."""
    made = on_operation(parts, ask, operation_id, retry=False)
    return accepted_instance(parts, ask.caller, made.operation_id)


@router.post(
    "/operations/{operation_id}/retry",
    operation_id="operations_retry",
    status_code=202,
    response_model=schemas.AcceptedInstance,
    dependencies=[needs(Right.OPERATE)],
)
def retry(parts: PartsDep, ask: AskDep, operation_id: str) -> Response:
    """Accept a new operation that repeats a failed one on what it left in error."""
    made = on_operation(parts, ask, operation_id, retry=True)
    return accepted_instance(parts, ask.caller, made.operation_id)


@router.post(
    "/operations/{operation_id}/abort",
    operation_id="operations_abort",
    status_code=202,
    response_model=schemas.AcceptedInstance,
    dependencies=[needs(Right.OPERATE)],
)
def abort(parts: PartsDep, ask: AskDep, operation_id: str) -> Response:
    """Stop a failed operation from listening for a retry. It can be retried all the same."""
    made = abort_listener(parts, ask, operation_id)
    return accepted_instance(parts, ask.caller, made.operation_id)


@router.post(
    "/operations:batch",
    operation_id="operations_batch",
    response_model=schemas.BatchResult,
    openapi_extra=takes(OperationBatchBody),
    dependencies=[needs(Right.OPERATE)],
)
def batch(parts: PartsDep, ask: AskDep, body: BodyDep) -> Response:
    """Cancel, retry or abort many; each row has its own outcome, and the answer is 200 whatever they are."""
    wanted = parsed(OperationBatchBody, body)
    if (wanted.ids is None) == (wanted.filter is None):
        raise InvalidInput(FieldError("/ids", "name either ids or a filter"))
    return ok({"items": operation_rows(parts, ask, wanted)})

"""What belongs to one instance beside its record: secrets, logs, confirmations from outside."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from api import schemas
from api.answers import ok
from api.asks import Place
from api.dependencies import AskDep, BodyDep, CallerDep, PartsDep
from api.docs import takes
from api.reading import find_instance, instance_form
from api.transactions import commit
from db.session import Tx
from services.bodies import ConfirmationBody
from services.confirmations import record_confirmation
from services.revealing import reveal
from services.validation import parsed

router = APIRouter(tags=["instances"])


@router.post("/instances/{key}/secrets:reveal", operation_id="instances_reveal", response_model=schemas.Secrets)
def reveal_secrets(parts: PartsDep, ask: AskDep, key: str) -> Response:
    """The instance's secrets and its address with the password. That somebody looked is recorded."""

    def work(tx: Tx) -> dict[str, object]:
        row = find_instance(tx.session, ask.caller, key)
        return reveal(tx, ask, parts.vault, row.id)

    return ok(commit(parts.database, work), headers={"Cache-Control": "no-store"})


@router.get("/instances/{key}/logs", operation_id="instances_logs", response_model=schemas.Logs)
async def logs(
    parts: PartsDep,
    caller: CallerDep,
    key: str,
    tail: Annotated[int, Query(ge=0, le=5000, description="How many of the last lines.")] = 100,
) -> Response:
    """The instance's own output, asked from its provider now; secrets are masked."""
    form = await run_in_threadpool(instance_form, parts, caller, key)
    lines = await parts.asks.logs(form["id"], Place(form["provider"], form["host_id"]), tail)
    return ok({"instance_id": form["id"], "lines": lines})


@router.post(
    "/instances/{key}/confirmations",
    operation_id="instances_confirm",
    status_code=202,
    openapi_extra=takes(ConfirmationBody),
)
def confirm(parts: PartsDep, ask: AskDep, body: BodyDep, key: str) -> Response:
    """Evidence from outside that a change happened: the operation looks now, the provider's word decides."""
    claim = parsed(ConfirmationBody, body)

    def work(tx: Tx) -> bool:
        row = find_instance(tx.session, ask.caller, key)
        return record_confirmation(tx, ask.caller, claim.operation_id, row.id, claim.kind, claim.generation)

    stored = commit(parts.database, work)
    return JSONResponse({"recorded": stored, "operation_id": claim.operation_id}, status_code=202)

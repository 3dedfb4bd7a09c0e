"""What belongs to one instance beside its record: secrets, logs, confirmations from outside."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from api import schemas
from api.access import needs
from api.answers import ok
from api.asks import Place
from api.changes.transactions import commit
from api.dependencies import AskDep, BodyDep, CallerDep, PartsDep
from api.docs import takes
from api.live.connections import SeatedResponse
from api.parts import Parts
from api.reading import find_instance, instance_form
from db.session import Tx
from domain.access import Right
from domain.errors import Refused, Unavailable
from domain.log_window import unseen
from services.forms.bodies import ConfirmationBody
from services.forms.validation import parsed
from services.operations.confirmations import record_confirmation
from services.requests.revealing import reveal

router = APIRouter(tags=["instances"])
_FOLLOW_SECONDS = 1.0
_FOLLOW_LINES = 1000
_FOLLOWED = "Plain text, line by line, until the instance is gone. `Berth-Log-Lines`: how many were there before."


@router.post(
    "/instances/{key}/secrets:reveal",
    operation_id="instances_reveal",
    response_model=schemas.Secrets,
    dependencies=[needs(Right.REVEAL)],
)
def reveal_secrets(parts: PartsDep, ask: AskDep, key: str) -> Response:
    """The instance's secrets and its address with the password. That somebody looked is recorded."""

    def work(tx: Tx) -> dict[str, object]:
        row = find_instance(tx.session, ask.caller, key)
        return reveal(tx, ask, parts.vault, row.id)

    return ok(commit(parts.database, work), headers={"Cache-Control": "no-store"})


@router.get(
    "/instances/{key}/logs",
    operation_id="instances_logs",
    response_model=schemas.Logs,
    dependencies=[needs(Right.READ)],
)
async def logs(
    parts: PartsDep,
    caller: CallerDep,
    key: str,
    tail: Annotated[int, Query(ge=0, le=5000, description="How many of the last lines.")] = 100,
    follow: Annotated[bool, Query(description=_FOLLOWED)] = False,
) -> Response:
    """The instance's own output, asked from its provider now; secrets are masked."""
    form = await run_in_threadpool(instance_form, parts, caller, key)
    place = Place(form["provider"], form["host_id"])
    lines = await parts.asks.logs(form["id"], place, max(tail, _FOLLOW_LINES) if follow else tail)
    if follow:
        first = lines[-tail:] if tail else []
        seat = await parts.connections.admit(caller)
        told = parts.connections.stream(caller, _follow(parts, form["id"], place, first, lines))
        return SeatedResponse(seat, told, "text/plain; charset=utf-8", {"Berth-Log-Lines": str(len(first))})
    return ok({"instance_id": form["id"], "lines": lines})


async def _follow(
    parts: Parts, instance_id: str, place: Place, first: list[str], known: list[str]
) -> AsyncIterator[str]:
    """`first`, then what comes behind `known`, of which it is the end. Providers give last lines only."""
    yield "".join(f"{line}\n" for line in first)
    while not parts.wakeups.closing:
        await asyncio.sleep(_FOLLOW_SECONDS)
        try:
            now = await parts.asks.logs(instance_id, place, _FOLLOW_LINES)
        except Unavailable:
            continue
        except Refused:
            return
        if news := unseen(known, now):
            yield "".join(f"{line}\n" for line in news)
        known = now


@router.post(
    "/instances/{key}/confirmations",
    operation_id="instances_confirm",
    status_code=202,
    response_model=schemas.Recorded,
    openapi_extra=takes(ConfirmationBody),
    dependencies=[needs(Right.CONFIRM)],
)
def confirm(parts: PartsDep, ask: AskDep, body: BodyDep, key: str) -> Response:
    """Evidence from outside that a change happened: the operation looks now, the provider's word decides."""
    claim = parsed(ConfirmationBody, body)

    def work(tx: Tx) -> bool:
        row = find_instance(tx.session, ask.caller, key)
        return record_confirmation(tx, ask.caller, claim.operation_id, row.id, claim.kind, claim.generation)

    stored = commit(parts.database, work)
    return JSONResponse({"recorded": stored, "operation_id": claim.operation_id}, status_code=202)

"""Many instances or operations, one action: each is accepted or refused on its own, in one request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from api.changes.commands import abort_listener, on_instance, on_operation
from api.changes.doors import Wish
from api.dependencies import now
from api.errors import problem_of
from api.filters import labels, words
from api.gate.visits import told
from api.parts import Parts
from api.problems import problem_form
from db.queries import instances, operations
from db.queries.instances import InstanceFilter
from db.queries.operations import OperationFilter
from domain.errors import BerthError
from domain.lifecycle import Operation, Status
from domain.operations import OperationStatus
from domain.specs import Accepted, Ask
from services.access.audit import REQUEST
from services.forms.bodies import BatchBody, BatchFilter, OperationBatchBody, OperationBatchFilter

LARGEST = 200
Door = Callable[[Ask, str], Accepted]
"""What accepts one row, or refuses it."""


def rows_of(parts: Parts, ask: Ask, wanted: BatchBody, wish: Wish) -> list[dict[str, Any]]:
    """A row per instance, in the order asked; the operations are read together at the end."""
    keys = wanted.ids if wanted.ids is not None else _found(parts, ask, wanted.filter or BatchFilter())
    rows = [
        _row(_own_key(ask, key), key, lambda a, k: on_instance(parts, a, k, wish)[1])
        for key in dict.fromkeys(keys)
    ]
    _note_refusals(parts, "instances", wanted.action, rows)
    return _done(parts, rows)


def operation_rows(parts: Parts, ask: Ask, wanted: OperationBatchBody) -> list[dict[str, Any]]:
    """A row per operation, in the order asked: what was accepted, or what became of it."""
    keys = (
        wanted.ids if wanted.ids is not None else _operations(parts, ask, wanted.filter or OperationBatchFilter())
    )
    doors: dict[str, Door] = {
        "cancel": lambda one, key: on_operation(parts, one, key, retry=False),
        "retry": lambda one, key: on_operation(parts, one, key, retry=True),
        "abort": lambda one, key: abort_listener(parts, one, key),
    }
    rows = [_row(_own_key(ask, key), key, doors[wanted.action]) for key in dict.fromkeys(keys)]
    _note_refusals(parts, "operations", wanted.action, rows)
    return _done(parts, rows)


def _note_refusals(parts: Parts, kind: str, action: str, rows: list[dict[str, Any]]) -> None:
    """An audit entry of each, as one asked by itself leaves; what was accepted its door has noted."""
    about = REQUEST.get()
    if about is None:
        return
    for row in rows:
        if "problem" in row:
            path = f"/api/v1/{kind}/{row['id']}"
            parts.trail.note(**told(about, f"{kind}_batch", path, row["status"], action))
            about.noted = True


def _done(parts: Parts, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    made = [row["operation_id"] for row in rows if "operation_id" in row]
    with parts.database.read() as session:
        found = list(operations.by_ids(session, made).values())
        forms = {form["id"]: form for form in parts.operations.many(session, found, now())}
    for row in rows:
        if "operation_id" in row:
            row["operation"] = forms[row.pop("operation_id")]
    return rows


def _own_key(ask: Ask, key: str) -> Ask:
    """The request's idempotency key, made one of each row."""
    if ask.idempotency is None:
        return ask
    return replace(ask, idempotency=replace(ask.idempotency, scope=f"{ask.idempotency.scope}#{key}"))


def _row(ask: Ask, key: str, door: Door) -> dict[str, Any]:
    try:
        accepted = door(ask, key)
    except BerthError as error:
        form = problem_of(error)
        return {"id": key, "status": form["status"], "problem": problem_form(**form)}
    return {"id": key, "status": 202, "operation_id": accepted.operation_id}


def _found(parts: Parts, ask: Ask, wanted: BatchFilter) -> list[str]:
    chosen = InstanceFilter(
        ask.caller.project,
        tuple(Status(word) for word in wanted.status.split(",")) if wanted.status else (),
        wanted.blueprint,
        wanted.provider,
        wanted.deployment,
        wanted.q,
        labels(wanted.label.split(",")) if wanted.label else {},
    )
    with parts.database.read() as session:
        rows, _ = instances.page(session, chosen, None, LARGEST)
    return [row.id for row in rows]


def _operations(parts: Parts, ask: Ask, wanted: OperationBatchFilter) -> list[str]:
    chosen = OperationFilter(
        ask.caller.project,
        words(OperationStatus, wanted.status.split(","), "filter/status") if wanted.status else (),
        words(Operation, [wanted.kind], "filter/kind")[0] if wanted.kind else None,
        needs_you=wanted.needs_you,
        text=wanted.q,
        actor=wanted.actor,
    )
    with parts.database.read() as session:
        rows, _ = operations.page(session, chosen, operations.Place(now()), LARGEST)
    return [row.id for row in rows]

"""Many instances, one action: each is accepted or refused on its own, in one request."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from api.commands import Wish, on_instance
from api.dependencies import now
from api.errors import problem_of
from api.filters import labels
from api.parts import Parts
from api.problems import problem_form
from db.queries import instances, operations
from db.queries.instances import InstanceFilter
from domain.errors import BerthError
from domain.lifecycle import Status
from domain.specs import Ask
from services.bodies import BatchBody, BatchFilter

LARGEST = 200


def rows_of(parts: Parts, ask: Ask, wanted: BatchBody, wish: Wish) -> list[dict[str, Any]]:
    """A row per instance, in the order asked; the operations are read together at the end."""
    keys = wanted.ids if wanted.ids is not None else _found(parts, ask, wanted.filter or BatchFilter())
    rows = [_row(parts, _own_key(ask, key), key, wish) for key in dict.fromkeys(keys)]
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


def _row(parts: Parts, ask: Ask, key: str, wish: Wish) -> dict[str, Any]:
    try:
        _, accepted = on_instance(parts, ask, key, wish)
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

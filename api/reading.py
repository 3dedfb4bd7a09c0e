"""Reads that several routes share: find by id or name, and the record forms with their sessions."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from api.dependencies import now
from api.parts import Parts
from db.queries import deployments, instances, operations
from domain.errors import NotFound, Terminated
from domain.specs import Caller

JsonObject = dict[str, Any]


def find_instance(session: Session, caller: Caller, key: str) -> Row[Any]:
    """A living instance by id or name. Raises `Terminated` for the id of a finished life, else `NotFound`."""
    row = instances.find(session, caller.project, printable_key(key, "instance"))
    if row is None:
        run_id = instances.ended(session, caller.project, key) if key.startswith("ins_") else None
        raise Terminated(key, run_id) if run_id else NotFound("instance", key)
    return row


def find_deployment(session: Session, caller: Caller, key: str) -> Row[Any]:
    """A living deployment by id or name. Raises `NotFound`."""
    row = deployments.find(session, caller.project, printable_key(key, "deployment"))
    if row is None:
        raise NotFound("deployment", key)
    return row


def find_operation(session: Session, caller: Caller, operation_id: str) -> Row[Any]:
    """An operation. Raises `NotFound`."""
    row = operations.find(session, caller.project, printable_key(operation_id, "operation"))
    if row is None:
        raise NotFound("operation", operation_id)
    return row


def printable_key(key: str, what: str) -> str:
    """`key` as the database can compare it: nothing has a name with a control character."""
    if not key.isprintable() or len(key) > 300:
        raise NotFound(what, ascii(key)[:80])
    return key


def instance_form(parts: Parts, caller: Caller, key: str) -> JsonObject:
    """The record of a living instance."""
    with parts.database.read() as session:
        return parts.instances.one(session, find_instance(session, caller, key), now())


def operation_form(parts: Parts, caller: Caller, operation_id: str) -> JsonObject:
    """One operation with its steps."""
    with parts.database.read() as session:
        return parts.operations.one(session, find_operation(session, caller, operation_id), now())


def answer_form(parts: Parts, caller: Caller, operation_id: str, instance_id: str | None = None) -> JsonObject:
    """`{instance, operation}` of an accepted operation: the instance asked for, else the first that it touches.

    The instance is null when its life is over.
    """
    with parts.database.read() as session:
        at = now()
        row = find_operation(session, caller, operation_id)
        members = instances.of_deployments(session, [row.deployment_id])
        wanted = [instance_id] if instance_id else row.instance_ids
        shown = [m for m in members if m.id in wanted or not wanted]
        instance = parts.instances.one(session, shown[0], at) if shown else None
        return {"instance": instance, "operation": parts.operations.one(session, row, at)}

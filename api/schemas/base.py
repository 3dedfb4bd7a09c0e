"""What several forms share, and the form of every error."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Form(BaseModel):
    """Base of all."""

    model_config = ConfigDict(extra="allow", populate_by_name=True)


class FieldProblem(Form):
    """One wrong field."""

    pointer: str
    detail: str


class Link(Form):
    """An operation, and where it is read."""

    id: str
    kind: str
    href: str


class Problem(Form):
    """RFC 9457, and what helps a program to go on."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    retryable: bool
    help: str
    instance: str | None = None
    trace_id: str | None = None
    errors: list[FieldProblem] | None = None
    current_status: str | None = None
    allowed_actions: list[str] | None = None
    current_version: int | None = None
    operation: Link | None = None
    run_url: str | None = None


class Change(Form):
    """One leaf that differs."""

    path: str
    from_: Any = Field(None, alias="from")
    to: Any = None


class Items(Form):
    """A list of objects."""

    items: list[dict[str, Any]]

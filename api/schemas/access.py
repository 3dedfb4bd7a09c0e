"""Who may ask, and what they asked."""

from __future__ import annotations

from pydantic import Field

from api.schemas.base import Form


class Me(Form):
    """The principal behind a token."""

    principal: str
    kind: str
    role: str
    rights: list[str]
    project: str
    projects: list[str] = Field(description="What `Berth-Project` may name; an administrator may name any.")
    expires_at: str | None = None


class Token(Form):
    """An API token, without its value."""

    id: str
    name: str
    role: str
    project: str
    prefix: str = Field(description="How its value begins.")
    created_by: str
    created_at: str
    expires_at: str
    last_used_at: str | None = Field(None, description="To within a minute.")


class NewToken(Token):
    """An API token as its maker sees it once."""

    token: str


class TokenList(Form):
    """Living tokens, newest first."""

    items: list[Token]
    next_page_token: str | None = None


class AuditEntry(Form):
    """One mutation, refusal, reveal or change of a token."""

    id: str
    time: str
    project: str | None = None
    actor: str
    role: str | None = None
    action: str
    target: str | None = None
    outcome: str
    status: int | None = None
    detail: str | None = None
    trace_id: str | None = None
    remote: str | None = None


class AuditList(Form):
    """The trail, newest first."""

    items: list[AuditEntry]
    next_page_token: str | None = None


class Limits(Form):
    """What one project may have at once; null: as the installation says, -1: no limit."""

    project: str
    instances: int | None = None
    cpu: float | None = None
    memory_mb: int | None = None
    disk_gb: int | None = None
    unfinished_operations: int | None = None
    sockets: int | None = None


class Project(Form):
    """One project."""

    project: str
    used: dict[str, float]
    limits: dict[str, float] = Field(description="-1: no limit.")


class ProjectList(Form):
    """Projects by name."""

    items: list[Project]

"""API tokens, the audit trail, and what projects may have: for administrators."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from sqlalchemy import select, union

from api import schemas
from api.access import needs
from api.answers import made, ok
from api.bounds import limits_in
from api.changes.transactions import commit
from api.dependencies import BodyDep, CallerDep, PartsDep
from api.docs import takes
from api.filters import AuditQuery, Page
from api.paging import Pages, as_place, as_position, page_form
from api.reading import printable_key
from db.models import ApiToken, Deployment, ProjectLimits
from db.queries import audit
from db.queries.pages import Record
from domain.access import AccessRole, Right, is_project
from domain.errors import NotFound
from services.access import tokens
from services.access.bounds import effective, used
from services.access.limits import set_limits
from services.access.tokens import Wanted
from services.forms.bodies import LimitsBody, TokenBody
from services.forms.validation import parsed
from services.views.common import iso

router = APIRouter(tags=["access"])


def _token(row: ApiToken | Record) -> dict[str, Any]:
    plain = {name: getattr(row, name) for name in ("id", "name", "role", "project", "prefix", "created_by")}
    times = {name: iso(getattr(row, name)) for name in ("created_at", "expires_at", "last_used_at")}
    return {**plain, **times}


@router.post(
    "/tokens",
    operation_id="tokens_create",
    status_code=201,
    response_model=schemas.NewToken,
    openapi_extra=takes(TokenBody),
    dependencies=[needs(Right.ADMIN)],
)
def create_token(parts: PartsDep, caller: CallerDep, body: BodyDep) -> Response:
    """A token for a program. Its value is in this answer and nowhere else."""
    asked = parsed(TokenBody, body)
    life = timedelta(seconds=asked.expires_in_seconds)
    wanted = Wanted(asked.name, AccessRole(asked.role), asked.project or caller.project, life)

    def work(tx: Any) -> dict[str, Any]:
        value, row = tokens.issue(tx, caller, wanted)
        return {"token": value, **_token(row)}

    return made(commit(parts.database, work))


@router.get(
    "/tokens", operation_id="tokens_list", response_model=schemas.TokenList, dependencies=[needs(Right.ADMIN)]
)
def list_tokens(parts: PartsDep, query: Annotated[Page, Query()]) -> Response:
    """Living tokens, newest first, without their values."""
    pages = Pages(parts.vault, "tokens", None)
    with parts.database.read() as session:
        rows, position = tokens.living(session, as_position(pages.place(query.page_token)), query.size)
    return ok(page_form([_token(row) for row in rows], pages.token(as_place(position))))


@router.delete(
    "/tokens/{token_id}", operation_id="tokens_revoke", status_code=204, dependencies=[needs(Right.ADMIN)]
)
def revoke_token(parts: PartsDep, caller: CallerDep, token_id: str) -> Response:
    """From now on it opens nothing, and streams that it opened end."""
    key = printable_key(token_id, "token")
    commit(parts.database, lambda tx: tokens.revoke(tx, caller, key))
    parts.connections.revoked(key)
    return Response(status_code=204)


@router.get(
    "/audit", operation_id="audit_list", response_model=schemas.AuditList, dependencies=[needs(Right.ADMIN)]
)
def list_audit(parts: PartsDep, query: Annotated[AuditQuery, Query()]) -> Response:
    """Every mutation, refusal, reveal and change of a token, newest first."""
    wanted = query.wanted()
    pages = Pages(parts.vault, "audit", wanted)
    with parts.database.read() as session:
        rows, position = audit.page(session, wanted, as_position(pages.place(query.page_token)), query.size)
    items = [{**row._mapping, "time": iso(row.time)} for row in rows]
    return ok(page_form(items, pages.token(as_place(position))))


@router.get(
    "/projects",
    operation_id="projects_list",
    response_model=schemas.ProjectList,
    dependencies=[needs(Right.ADMIN)],
)
def list_projects(parts: PartsDep, caller: CallerDep) -> Response:
    """Projects that have something or somebody, with what each has and may have at once."""
    with parts.database.read() as session:
        living = union(select(Deployment.project), select(ApiToken.project), select(ProjectLimits.project))
        names = sorted({*session.scalars(living), *caller.projects})
        installation = limits_in(parts.settings)
        items = [
            {"project": n, "used": used(session, n), "limits": effective(session, n, installation)} for n in names
        ]
    return ok({"items": items})


@router.patch(
    "/projects/{project}/limits",
    operation_id="projects_set_limits",
    response_model=schemas.Limits,
    openapi_extra=takes(LimitsBody, "application/merge-patch+json"),
    dependencies=[needs(Right.ADMIN)],
)
def change_limits(parts: PartsDep, caller: CallerDep, body: BodyDep, project: str) -> Response:
    """Change a project's own limits: what is not named stays, null follows the installation, -1 is no limit."""
    if not is_project(project):
        raise NotFound("project", ascii(project)[:80])
    wanted = parsed(LimitsBody, body).model_dump(exclude_unset=True)
    own = commit(parts.database, lambda tx: set_limits(tx, caller, project, wanted))
    return ok({"project": project, **own})

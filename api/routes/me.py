"""Who am I: what a client may show before it asks for anything."""

from __future__ import annotations

from fastapi import APIRouter, Response

from api import schemas
from api.access import needs
from api.answers import ok
from api.dependencies import CallerDep
from domain.access import RIGHTS, Right
from services.views.common import iso

router = APIRouter(tags=["access"])


@router.get("/me", operation_id="me_get", response_model=schemas.Me, dependencies=[needs(Right.SELF)])
async def me(caller: CallerDep) -> Response:
    """The principal behind the token, its role and rights, and the project that this request is about."""
    return ok(
        {
            "principal": caller.name,
            "kind": caller.kind.value,
            "role": caller.role.value,
            "rights": sorted(right.value for right in RIGHTS[caller.role]),
            "project": caller.project,
            "projects": list(caller.projects),
            "expires_at": iso(caller.expires_at),
        }
    )

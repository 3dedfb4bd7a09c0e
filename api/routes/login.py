"""A browser's way in: a code in the link that is opened once, for the token that the page then keeps and sends.

No cookie anywhere: an instance's page on another port of this machine would receive it.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from api.access import needs
from api.answers import made, ok
from api.dependencies import BodyDep, CallerDep, PartsDep
from api.docs import takes
from api.gate import LOGIN_PATH
from api.transactions import commit
from domain.access import Right
from services.bodies import LoginBody
from services.codes import LIVES, Purpose, issue, redeem
from services.validation import parsed

router = APIRouter(tags=["admin"])


@router.post(
    "/login-codes",
    operation_id="login_codes_create",
    status_code=201,
    response_model=dict[str, Any],
    dependencies=[needs(Right.SELF)],
)
def create(parts: PartsDep, caller: CallerDep) -> Response:
    """A code for one login. `berth up` puts it into the fragment of the link that it prints."""
    code = commit(parts.database, lambda tx: issue(tx, caller, Purpose.LOGIN))
    return made({"code": code, "expires_in": int(LIVES[Purpose.LOGIN].total_seconds())})


@router.post(
    LOGIN_PATH.removeprefix("/api/v1"),
    operation_id="login_codes_exchange",
    response_model=dict[str, Any],
    openapi_extra=takes(LoginBody),
)
def exchange(parts: PartsDep, request: Request, body: BodyDep) -> Response:
    """The token for a code. Needs no token; the code is used up."""
    asked = parsed(LoginBody, body)
    commit(parts.database, lambda tx: redeem(tx, asked.code, Purpose.LOGIN))
    return ok({"token": request.app.state.trust.token})

"""A browser's way in: a code in the link that is opened once, for the token that the page then keeps and sends.

No cookie anywhere: an instance's page on another port of this machine would receive it.
"""

from __future__ import annotations

from datetime import timedelta

from fastapi import APIRouter, Request, Response

from api import schemas
from api.access import needs
from api.answers import made, ok
from api.changes.transactions import commit
from api.dependencies import BodyDep, CallerDep, PartsDep, now
from api.docs import takes
from api.gate.middleware import LOGIN_PATH
from api.gate.trust import Trust
from db.session import Tx
from domain.access import PrincipalKind, Right
from domain.specs import Caller
from services.access import tokens
from services.access.audit import note
from services.access.codes import LIVES, Purpose, issue, redeem
from services.access.tokens import Wanted
from services.forms.bodies import LoginBody
from services.forms.validation import parsed

router = APIRouter(tags=["access"])
_BROWSER_LIFE = timedelta(hours=12)


@router.post(
    "/login-codes",
    operation_id="login_codes_create",
    status_code=201,
    response_model=schemas.Code,
    dependencies=[needs(Right.SELF)],
)
def create(parts: PartsDep, caller: CallerDep) -> Response:
    """A code for one login. `berth up` puts it into the fragment of the link that it prints."""
    code = commit(parts.database, lambda tx: issue(tx, caller, Purpose.LOGIN))
    return made({"code": code, "expires_in": int(LIVES[Purpose.LOGIN].total_seconds())})


@router.post(
    LOGIN_PATH.removeprefix("/api/v1"),
    operation_id="login_codes_exchange",
    response_model=schemas.GivenToken,
    openapi_extra=takes(LoginBody),
)
def exchange(parts: PartsDep, request: Request, body: BodyDep) -> Response:
    """The token for a code. Needs no token; the code is used up.

    Where access is local it is the installation's own; elsewhere a new one that ends by itself.
    """
    asked = parsed(LoginBody, body)
    trust: Trust = request.app.state.trust

    def work(tx: Tx) -> str:
        caller = redeem(tx, asked.code, Purpose.LOGIN)
        if trust.mode == "local" and caller.kind is PrincipalKind.LOCAL:
            note(tx, caller, "login_codes_exchange", status=200)
            return trust.token
        wanted = Wanted(_session_of(caller), caller.role, caller.project, _life(caller), caller.credential)
        return tokens.issue(tx, caller, wanted)[0]

    return ok({"token": commit(parts.database, work)})


def _session_of(caller: Caller) -> str:
    """The trail and the history tell whose browser it is, also of one that was begun in another."""
    return f"{tokens.SESSION}{caller.name.removeprefix('token:').removeprefix(tokens.SESSION)}"


@router.delete("/me/session", operation_id="session_end", status_code=204, dependencies=[needs(Right.SELF)])
def sign_out(parts: PartsDep, caller: CallerDep) -> Response:
    """End the browser's own session; other tokens, the installation's among them, are not touched."""
    for token_id in commit(parts.database, lambda tx: tokens.end_session(tx, caller)):
        parts.connections.revoked(token_id)
    return Response(status_code=204)


def _life(caller: Caller) -> timedelta:
    """As long as what the code was made with, at most half a day."""
    if caller.expires_at is None:
        return _BROWSER_LIFE
    return max(timedelta(seconds=1), min(_BROWSER_LIFE, caller.expires_at - now()))

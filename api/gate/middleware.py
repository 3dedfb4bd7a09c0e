"""Before and after every request: Host, Origin, who asks and how often, size of the body, headers of the answer.

Plain ASGI, so that nothing is parsed for a caller who has no token, and nothing is buffered beyond the limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy.exc import SQLAlchemyError
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.gate.bodies import ClientGoneError, bad_headers, read_body, replay, where_asked
from api.gate.oidc import NotBelieved, NothingHere
from api.gate.rates import Standing
from api.gate.signed import is_signed
from api.gate.trust import Trust
from api.gate.visits import Visit
from api.problems import problem
from domain.errors import Unavailable
from domain.specs import Caller
from services.access.audit import REQUEST

LOGIN_PATH = "/api/v1/login-codes:exchange"
BILLING_PATH = "/api/v1/webhooks/billing"
UI = "/ui"
PROBED = frozenset(
    {"/health", "/livez", "/readyz", "/api/v1/health", "/api/v1/livez", "/api/v1/readyz"},
)
OPEN_PATHS = PROBED | {"/", "/docs/errors", LOGIN_PATH, BILLING_PATH}
"""No token needed: liveness for machines, the page that problems link to, where a browser gets its token, and
where a billing system's signed messages arrive. All below /ui/ is open, too: it is the same for everybody."""


def is_open(path: str) -> bool:
    """Whether `path` needs nobody in particular."""
    return path in OPEN_PATHS or path == UI or path.startswith(f"{UI}/")


@dataclass(frozen=True)
class Gate:
    """The outermost layer of the API."""

    app: ASGIApp
    trust: Trust

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send)
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        visit = Visit(scope, send, quiet=scope["path"] in PROBED)
        REQUEST.set(visit.about)
        try:
            answer = await self._refusal(scope, visit) or await read_body(scope, receive)
            if isinstance(answer, bytes) and scope["path"] == BILLING_PATH:
                answer = await self._delivered(scope, visit, answer) or answer
            if isinstance(answer, bytes):
                await self.app(scope, replay(answer, receive), visit.send)
            else:
                await answer(scope, receive, visit.send)
        except ClientGoneError:
            return
        except Exception as error:  # noqa: BLE001 - the last resort: an answer and a log line, whatever it was
            await visit.failed(error, receive)
        finally:
            visit.end()

    async def _refusal(self, scope: Scope, visit: Visit) -> Response | None:
        """Why this request goes no further, cheapest reason first."""
        foreign = self._foreign(scope)
        if foreign is not None:
            return foreign
        path = scope["path"]
        scope["state"]["open"] = is_open(path)
        if scope["state"]["open"]:
            return self._too_many(scope, visit) if path == LOGIN_PATH else None
        return await self._admitted(scope, visit)

    def _foreign(self, scope: Scope) -> Response | None:
        """The refusal of what no client of ours sends, or what comes from elsewhere."""
        bad = bad_headers(scope)
        stranger = self._stranger(scope) if bad is None else None
        return bad if stranger is None else problem(403, "forbidden", stranger, **where_asked(scope))

    async def _admitted(self, scope: Scope, visit: Visit) -> Response | None:
        """Known from here on, and not too often here; else the refusal."""
        caller = await self._caller(scope, visit)
        return caller if isinstance(caller, Response) else await self._rated(scope, visit, caller)

    async def _caller(self, scope: Scope, visit: Visit) -> Caller | Response:
        """Who asks, or the refusal of somebody who does not say so, or cannot."""
        where = where_asked(scope)
        refused = 'Bearer realm="berth"'
        try:
            caller = await self.trust.holder(scope, scope["app"].state.parts.database)
        except NotBelieved as error:
            detail, refused = str(error), f'{refused}, error="invalid_token"'
        except NothingHere as error:
            return problem(403, "forbidden", str(error), **where)
        except Unavailable as error:
            return problem(503, "unavailable", error.message, **where)
        except SQLAlchemyError:
            return problem(503, "unavailable", "The database does not answer now.", **where)
        else:
            if caller is not None:
                scope["state"]["caller"] = visit.about.caller = caller
                return caller
            detail = (
                "A bearer token is needed: the content of the file token in the data directory, or an API token."
            )
        too_many = self._too_many(scope, visit)
        headers = {"WWW-Authenticate": refused}
        return too_many or problem(401, "unauthorized", detail, headers=headers, **where)

    def _too_many(self, scope: Scope, visit: Visit) -> Response | None:
        """The refusal of somebody unknown who comes too often."""
        standing = scope["app"].state.parts.rates.stranger(visit.about.remote or "")
        if standing.allowed:
            return None
        detail = f"Too many requests without a valid token or signature; try again in {standing.seconds} s."
        return problem(429, "rate-limited", detail, headers=standing.headers, **where_asked(scope))

    async def _delivered(self, scope: Scope, visit: Visit, raw: bytes) -> Response | None:
        """Counted once it is known whose it is: no stranger at billing's address may use up billing's rate."""
        parts = scope["app"].state.parts
        if not is_signed(scope, raw, parts.settings.billing_secrets):
            return self._too_many(scope, visit)
        return _rated(scope, visit, "billing", await parts.rates.delivery())

    async def _rated(self, scope: Scope, visit: Visit, caller: Caller) -> Response | None:
        standing = await scope["app"].state.parts.rates.take(caller, scope.get("method", "GET"))
        return _rated(scope, visit, caller.name, standing)

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refused before it is accepted unless it comes from us; without a token it must show a ticket later.

        The refusal is an HTTP answer: no client would see the code of a socket that was never open.
        """
        visit = Visit(scope, send, quiet=False)
        refusal = self._foreign(scope)
        if refusal is None and "authorization" in Headers(scope=scope):
            refusal = await self._admitted(scope, visit)
        elif refusal is None:
            refusal = self._too_many(scope, visit)
        if refusal is None:
            await self.app(scope, receive, send)
            return
        await refusal(scope, receive, visit.send)
        visit.end()

    def _stranger(self, scope: Scope) -> str | None:
        """Why this comes from elsewhere, if it does: another name for us, or another site's page."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        probed = scope["path"] in PROBED
        if not probed and not self.trust.serves(scope):
            return "Access is local: this Berth serves its own machine only."
        if not probed and not self.trust.knows_host(host):
            return "The Host header does not name this Berth."
        origin = headers.get("origin")
        if origin is not None and not _same_place(origin, host):
            return "Requests of web pages from elsewhere are refused."
        if origin is None and scope["type"] == "http" and _of_another_page(headers, scope["method"]):
            return "Requests of web pages from elsewhere are refused."
        return None


def _rated(scope: Scope, visit: Visit, who: str, standing: Standing) -> Response | None:
    """Tell how they stand; the refusal of somebody known who comes too often."""
    if standing.allowed:
        visit.headers.update(standing.headers)
        return None
    policy = standing.policy
    detail = (
        f"At most {policy.quota} requests ({policy.name}) in {policy.window} s for {who}; "
        f"try again in {standing.seconds} s."
    )
    limit = {"name": f"rate_{policy.name}s", "allowed": policy.quota, "used": policy.quota, "asked": 1}
    where: dict[str, Any] = where_asked(scope)
    return problem(429, "rate-limited", detail, headers=standing.headers, limit=limit, **where)


def _same_place(origin: str, host: str) -> bool:
    try:
        return urlsplit(origin).netloc == host
    except ValueError:
        return False


def _of_another_page(headers: Headers, method: str) -> bool:
    """What a browser says of a request without Origin: only to be opened as a page may another site ask.

    As a page of its own: frames cost nobody a click, and each of their requests would count as a stranger's.
    """
    site = headers.get("sec-fetch-site", "none")
    opened = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
    opened = opened and method == "GET"
    return site in {"cross-site", "same-site"} and not opened

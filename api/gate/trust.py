"""Whom this API believes: the names it is reached under, and who is behind a bearer token.

Three kinds of tokens: the installation's own (a file that only its administrator can read), API tokens (the
records), and those of an OpenID Connect issuer. Which count is `Settings.access_mode`.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

from api.gate.oidc import Issuer, NotBelieved, NothingHere
from api.threads import in_thread
from db.session import Database
from domain.access import AccessRole, is_project
from domain.errors import Unavailable
from domain.specs import Caller
from services.access import tokens
from settings import Settings

ADMIN = Caller("admin")
"""The bearer of the installation's own token."""
PROJECT_HEADER = "berth-project"
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_LONGEST_TOKEN = 8192
_TOKEN_SECONDS = 15.0
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")


def is_loopback(host: str) -> bool:
    """Whether `host` (an address, or a name that is none of our own) is this machine to itself."""
    try:
        address = ip_address(host)
    except ValueError:
        return host in LOOPBACK_NAMES
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


@dataclass(frozen=True)
class Trust:
    """Built once by `api.app`. `token` is the installation's own."""

    token: str
    hosts: frozenset[str]
    mode: str = "local"
    issuer: Issuer | None = None
    used: Callable[[str], None] = field(default=lambda _: None)
    """Told the id of every API token that was shown."""

    def knows_host(self, value: str) -> bool:
        """Whether a Host header (with or without port) names us: no other page's DNS name may."""
        try:
            name = urlsplit(f"//{value}").hostname or ""
        except ValueError:
            return False
        return name in LOOPBACK_NAMES or name in self.hosts

    def serves(self, scope: Scope) -> bool:
        """Without real access control nobody is served on an address that other machines reach."""
        if self.mode != "local":
            return True
        server = scope.get("server")
        return server is None or server[1] is None or is_loopback(server[0])

    async def holder(self, scope: Scope, database: Database) -> Caller | None:
        """Who asks, for the project that is asked for; None without any token.

        Raises `NotBelieved` for a token that opens nothing, `NothingHere` for one that opens nothing *here*, and
        what the database raises.
        """
        given = Headers(scope=scope).getlist("authorization")
        if not given:
            return None
        scheme, _, token = given[0].partition(" ")
        token = token.strip()
        if len(given) > 1 or scheme.lower() != "bearer" or not 0 < len(token) <= _LONGEST_TOKEN:
            raise NotBelieved("One bearer token is expected.")
        return in_project(await self._of_token(scope, token, database), scope)

    async def _of_token(self, scope: Scope, token: str, database: Database) -> Caller:
        if hmac.compare_digest(token.encode(), self.token.encode()):
            if self.mode != "local" and not _from_here(scope):
                raise NotBelieved("The installation's own token counts on its own machine only.")
            return ADMIN
        if self.mode == "local" and not token.startswith(tokens.PREFIX):
            raise NotBelieved("The token is not one of this Berth.")
        if token.startswith(tokens.PREFIX):
            found = await self._stored(database, token)
            if found is None:
                raise NotBelieved("The token is unknown, expired or revoked.")
            self.used(found.credential or "")
            return found
        if self.issuer is None:
            raise NotBelieved("The token is not one of this Berth.")
        return await self.issuer.holder(token)

    async def _stored(self, database: Database, token: str) -> Caller | None:
        try:
            return await in_thread(_TOKEN_SECONDS, _holder, database, token)
        except TimeoutError as error:
            raise Unavailable("The database does not answer now.") from error


def _holder(database: Database, token: str) -> Caller | None:
    with database.read() as session:
        return tokens.holder(session, token)


def in_project(caller: Caller, scope: Scope) -> Caller:
    """The caller, about the project that the request names. Raises `NothingHere` for one that is not theirs."""
    wanted = Headers(scope=scope).get(PROJECT_HEADER)
    if wanted is None or wanted == caller.project:
        return caller
    if wanted in caller.projects or (caller.role is AccessRole.ADMIN and is_project(wanted)):
        return replace(caller, project=wanted)
    raise NothingHere(f"The project in Berth-Project is not one of yours: {', '.join(caller.projects)}.")


def _from_here(scope: Scope) -> bool:
    """Whether a request comes from this machine itself, not through a proxy that runs on it."""
    headers, client = Headers(scope=scope), scope.get("client")
    if client is None or not is_loopback(client[0]) or any(name in headers for name in _FORWARDED):
        return False
    return is_loopback(urlsplit(f"//{headers.get('host', '')}").hostname or "")


def check_settings(settings: Settings) -> None:
    """Raise `RuntimeError` for what would let in whoever reaches the port."""
    mode = settings.access_mode
    if mode == "oidc" and not settings.oidc_issuer:
        raise RuntimeError("BERTH_ACCESS=oidc needs BERTH_OIDC_ISSUER")
    if is_loopback(settings.api_host):
        return
    if mode == "local":
        raise RuntimeError(
            f"BERTH_API_HOST={settings.api_host} is reached from other machines, and access is local: "
            "set BERTH_OIDC_ISSUER, or BERTH_ACCESS=tokens, and put TLS in front"
        )
    if settings.local_mode:
        raise RuntimeError(
            f"BERTH_API_HOST={settings.api_host} is reached from other machines: set BERTH_LOCAL_MODE=false"
        )

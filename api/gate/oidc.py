"""JSON Web Tokens of one OpenID Connect issuer: its keys, fetched and kept, and what its claims mean here.

The issuer's address is the operator's configuration and nobody else's. Its keys are fetched with a deadline and a
bound, without following redirects; they are kept for ten minutes, fetched once more for an unknown key id, and
still used for a day when the issuer does not answer.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import httpx2
import jwt
import structlog

from domain.access import AccessRole, PrincipalKind, is_project
from domain.errors import Unavailable
from domain.operations import Source
from domain.specs import Caller
from settings import Settings

log = structlog.get_logger("api")
LEEWAY_SECONDS = 60
FRESH_SECONDS = 600.0
COOLDOWN_SECONDS = 30.0
STALE_SECONDS = 86_400.0
_FETCH_SECONDS = 5.0
_LARGEST = 256 * 1024
_LONGEST_NAME = 200
_FAMILIES = {"RS256": "RSA", "ES256": "EC", "EdDSA": "OKP"}
_STRONGEST_FIRST = (AccessRole.ADMIN, AccessRole.OPERATOR, AccessRole.SERVICE, AccessRole.VIEWER)


class NotBelieved(Exception):
    """The token proves nothing; the text is for the one who sent it and says no more than that."""


class NothingHere(Exception):
    """The token is good, but its bearer has no role or no project here."""


@dataclass(frozen=True)
class Claims:
    """Which claims say what."""

    name: str
    role: str
    roles: Mapping[str, AccessRole]
    project: str

    def caller(self, claims: Mapping[str, Any]) -> Caller:
        """Whom the claims describe. Raises `NothingHere`."""
        name = _at(claims, self.name)
        if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
            raise NothingHere(f"The token's claim {self.name!r} names nobody.")
        found = {self.roles[value] for value in _words(_at(claims, self.role)) if value in self.roles}
        role = next((role for role in _STRONGEST_FIRST if role in found), None)
        if role is None:
            raise NothingHere(f"The token's claim {self.role!r} gives no role here.")
        projects = self._projects(claims, role)
        return Caller(
            f"user:{name}",
            projects[0],
            Source.EXTERNAL if role is AccessRole.SERVICE else Source.USER,
            role=role,
            kind=PrincipalKind.OIDC,
            projects=projects,
            expires_at=_end(claims),
        )

    def _projects(self, claims: Mapping[str, Any], role: AccessRole) -> tuple[str, ...]:
        if not self.project:
            return ("default",)
        named = tuple(dict.fromkeys(word for word in _words(_at(claims, self.project)) if is_project(word)))
        if not named and role is not AccessRole.ADMIN:
            raise NothingHere(f"The token's claim {self.project!r} names no project.")
        return named or ("default",)


def _end(claims: Mapping[str, Any]) -> datetime:
    """When the token ends. Raises `NotBelieved` for a time that no calendar has."""
    try:
        return datetime.fromtimestamp(int(claims["exp"]) + LEEWAY_SECONDS, UTC)
    except (ValueError, TypeError, OverflowError, OSError) as error:
        raise NotBelieved("The token's end is not a time.") from error


def _at(claims: Mapping[str, Any], path: str) -> Any:
    """The claim of that whole name (some are URLs), else what the dots lead to."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for step in path.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found


def _words(value: Any) -> list[str]:
    if isinstance(value, str):
        return value.split()
    return [word for word in value if isinstance(word, str)] if isinstance(value, list) else []


class IssuerKeys:
    """The issuer's public keys. Belongs to the event loop."""

    def __init__(self, issuer: str, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self._issuer = issuer.rstrip("/")
        self._transport = transport
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at = -STALE_SECONDS
        self._tried_at = -COOLDOWN_SECONDS
        self._lock = asyncio.Lock()

    async def key(self, key_id: str) -> jwt.PyJWK:
        """The key of that id. Raises `NotBelieved`, or `Unavailable` when no keys are to be had."""
        if self._is_due(key_id):
            async with self._lock:
                if self._is_due(key_id):
                    await self._fetch()
        if time.monotonic() - self._fetched_at > STALE_SECONDS:
            raise Unavailable("The issuer of tokens does not answer, and its keys are not known.")
        if key_id not in self._keys:
            raise NotBelieved("The token is signed with a key that its issuer does not have.")
        return self._keys[key_id]

    def _is_due(self, key_id: str) -> bool:
        now = time.monotonic()
        wanted = key_id not in self._keys or now - self._fetched_at >= FRESH_SECONDS
        return wanted and now - self._tried_at >= COOLDOWN_SECONDS

    async def _fetch(self) -> None:
        self._tried_at = time.monotonic()
        try:
            async with asyncio.timeout(2 * _FETCH_SECONDS):
                keys = await self._read()
        except (httpx2.HTTPError, TimeoutError, ValueError, jwt.PyJWTError) as error:
            log.warning("the issuer's keys cannot be fetched", kind=type(error).__name__, issuer=self._issuer)
            return
        self._keys, self._fetched_at = keys, time.monotonic()

    async def _read(self) -> dict[str, jwt.PyJWK]:
        async with httpx2.AsyncClient(
            timeout=_FETCH_SECONDS, follow_redirects=False, transport=self._transport
        ) as client:
            about = await _json(client, f"{self._issuer}/.well-known/openid-configuration")
            if str(about.get("issuer", "")).rstrip("/") != self._issuer:
                raise ValueError("the configuration is another issuer's")
            place = str(about.get("jwks_uri", ""))
            if urlsplit(place).scheme != "https" and urlsplit(place).netloc != urlsplit(self._issuer).netloc:
                raise ValueError("the keys are not where a key may be fetched from")
            found = jwt.PyJWKSet.from_dict(_signing(await _json(client, place)))
        return {key.key_id: key for key in found.keys if key.key_id}


def _signing(keys: Mapping[str, Any]) -> dict[str, Any]:
    """Public keys for signatures only: a shared secret among them would let anybody who reads it sign."""
    usable = [
        key
        for key in keys.get("keys", [])
        if isinstance(key, dict) and key.get("kty") in _FAMILIES.values() and key.get("use", "sig") == "sig"
    ]
    return {"keys": usable}


async def _json(client: httpx2.AsyncClient, url: str) -> dict[str, Any]:
    async with client.stream("GET", url, headers={"Accept": "application/json"}) as answer:
        if answer.status_code != 200:
            raise ValueError(f"the issuer answers {answer.status_code}")
        body = bytearray()
        async for part in answer.aiter_bytes():
            body += part
            if len(body) > _LARGEST:
                raise ValueError("the issuer's answer is too long")
    form = json.loads(bytes(body))
    if not isinstance(form, dict):
        raise ValueError("the issuer's answer is no object")  # noqa: TRY004 - one kind for all that is wrong there
    return form


class Issuer:
    """Whom the tokens of one issuer stand for."""

    def __init__(self, settings: Settings, keys: IssuerKeys | None = None) -> None:
        self._issuer = settings.oidc_issuer
        self._audience = settings.oidc_audience
        self._algorithms = frozenset(settings.oidc_algorithms.split(","))
        self._claims = Claims(
            settings.oidc_name_claim,
            settings.oidc_role_claim,
            _roles(settings.oidc_roles),
            settings.oidc_project_claim,
        )
        self._keys = keys or IssuerKeys(settings.oidc_issuer)

    async def holder(self, token: str) -> Caller:
        """Whom `token` stands for. Raises `NotBelieved`, `NothingHere` or `Unavailable`."""
        try:
            header = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError) as error:
            raise NotBelieved("The token cannot be read.") from error
        algorithm, key_id = header.get("alg"), header.get("kid")
        if not isinstance(algorithm, str) or not isinstance(key_id, str):
            raise NotBelieved("The token does not say how it is signed.")
        if algorithm not in self._algorithms or "crit" in header:
            raise NotBelieved("The token is signed in a way that is not accepted here.")
        key = await self._keys.key(key_id)
        if key.key_type != _FAMILIES[algorithm]:
            raise NotBelieved("The token is signed in a way that its key is not for.")
        return self._claims.caller(self._verified(token, key, algorithm))

    def _verified(self, token: str, key: jwt.PyJWK, algorithm: str) -> dict[str, Any]:
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key=key.key,
                algorithms=[algorithm],
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud"]},
            )
        except jwt.ExpiredSignatureError as error:
            raise NotBelieved("The token has expired.") from error
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError) as error:
            raise NotBelieved("The token is not good here.") from error
        return claims


def _roles(text: str) -> dict[str, AccessRole]:
    """`VALUE=ROLE` pairs. A role that there is not is a reason not to start."""
    pairs = [pair.strip().rpartition("=") for pair in text.split(",") if pair.strip()]
    try:
        return {value: AccessRole(role) for value, _, role in pairs if value}
    except ValueError as error:
        known = ", ".join(AccessRole)
        raise RuntimeError(f"BERTH_OIDC_ROLES: {error}; roles are {known}") from error

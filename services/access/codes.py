"""Codes that stand for a principal once and for a moment, on any API process.

A browser cannot put a token into a socket's handshake, and a link must not carry one: they get a code instead.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import delete, insert

from db.models import OneTimeCode
from db.session import Tx
from domain.access import AccessRole, PrincipalKind
from domain.errors import Refused
from domain.operations import Source
from domain.specs import Caller
from services.access.tokens import ended


class Purpose(StrEnum):
    """What a code opens."""

    SOCKET = "socket"
    LOGIN = "login"


LIVES = {Purpose.SOCKET: timedelta(seconds=30), Purpose.LOGIN: timedelta(minutes=10)}


_REFUSED = "The code is unknown, was used before, or is too old; ask for another one."


class CodeRefused(Refused):
    """The code is unknown, used, or too old. It is not said which."""

    code = "code-refused"


def issue(tx: Tx, caller: Caller, purpose: Purpose) -> str:
    """A fresh code for `caller`; those that are past their time go."""
    tx.session.execute(delete(OneTimeCode).where(OneTimeCode.expires_at < tx.now))
    code = secrets.token_urlsafe(16)  # 128 bits; short, for it stands in a link that people see
    tx.session.execute(
        insert(OneTimeCode).values(
            digest=_digest(code),
            purpose=purpose,
            principal=caller.name,
            project=caller.project,
            caller=_rest(caller),
            expires_at=tx.now + LIVES[purpose],
        )
    )
    return code


def redeem(tx: Tx, code: str, purpose: Purpose) -> Caller:
    """Whom the code stands for; it is used up. Raises `CodeRefused`."""
    found = tx.session.execute(
        delete(OneTimeCode)
        .where(
            OneTimeCode.digest == _digest(code),
            OneTimeCode.purpose == purpose,
            OneTimeCode.expires_at >= tx.now,
        )
        .returning(OneTimeCode.principal, OneTimeCode.project, OneTimeCode.caller)
    ).one_or_none()
    if found is None:
        raise CodeRefused(_REFUSED)
    return _whole(tx, found.principal, found.project, found.caller)


def _rest(caller: Caller) -> dict[str, Any]:
    return {
        "source": caller.source.value,
        "role": caller.role.value,
        "kind": caller.kind.value,
        "projects": list(caller.projects),
        "expires_at": caller.expires_at.isoformat() if caller.expires_at else None,
        "credential": caller.credential,
    }


def _whole(tx: Tx, name: str, project: str, rest: dict[str, Any]) -> Caller:
    """The principal as it was when the code was made; nobody, if what it was made with has ended since."""
    if not rest or (rest["credential"] is not None and ended(tx.session, {rest["credential"]})):
        raise CodeRefused(_REFUSED)
    expires_at = datetime.fromisoformat(rest["expires_at"]) if rest["expires_at"] else None
    if expires_at is not None and expires_at <= datetime.now(UTC):
        raise CodeRefused(_REFUSED)
    return Caller(
        name,
        project,
        Source(rest["source"]),
        role=AccessRole(rest["role"]),
        kind=PrincipalKind(rest["kind"]),
        projects=tuple(rest["projects"]),
        expires_at=expires_at,
        credential=rest["credential"],
    )


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()

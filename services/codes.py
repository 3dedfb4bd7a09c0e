"""Codes that stand for a principal once and for a moment, on any API process.

A browser cannot put a token into a socket's handshake, and a link must not carry one: they get a code instead.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from enum import StrEnum

from sqlalchemy import delete, insert

from db.models import OneTimeCode
from db.session import Tx
from domain.errors import Refused
from domain.specs import Caller


class Purpose(StrEnum):
    """What a code opens."""

    SOCKET = "socket"
    LOGIN = "login"


LIVES = {Purpose.SOCKET: timedelta(seconds=30), Purpose.LOGIN: timedelta(minutes=10)}


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
        .returning(OneTimeCode.principal, OneTimeCode.project)
    ).one_or_none()
    if found is None:
        raise CodeRefused("The code is unknown, was used before, or is too old; ask for another one.")
    return Caller(found.principal, found.project)


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()

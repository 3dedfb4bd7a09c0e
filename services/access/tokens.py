"""API tokens: for programs, and for browsers where people log in. Shown once, kept as a digest, revoked at once.

A token holds 256 random bits, so a plain SHA-256 of it tells nothing.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.orm import Session
from ulid import ULID

from db.models import ApiToken
from db.queries.pages import Keyset, Position, Record
from db.session import Tx
from domain.access import AccessRole, PrincipalKind
from domain.errors import NotFound
from domain.operations import Source
from domain.specs import Caller
from services.access.audit import note

_KEYSET = Keyset(ApiToken.created_at, ApiToken.id)
PREFIX = "berth_"
_SHOWN = len(PREFIX) + 6
_TOUCH = timedelta(minutes=1)
LONGEST_LIFE = timedelta(days=366)
SESSION = "browser of "
"""How the names of browsers' tokens begin."""


@dataclass(frozen=True)
class Wanted:
    """A token to be made."""

    name: str
    role: AccessRole
    project: str
    life: timedelta
    parent: str | None = None
    """The token that it may not outlive."""


def digest_of(value: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(value.encode()).hexdigest()


def issue(tx: Tx, caller: Caller, wanted: Wanted) -> tuple[str, ApiToken]:
    """A new token: its value, which is nowhere else, and its record. Raises `NotFound` without its parent."""
    if wanted.parent is not None:
        _hold_parent(tx, wanted.parent)
    value = PREFIX + secrets.token_urlsafe(32)
    now = tx.session.execute(select(tx.now)).scalar_one()
    row = ApiToken(
        id=f"tok_{str(ULID()).lower()}",
        digest=digest_of(value),
        prefix=value[:_SHOWN],
        name=wanted.name,
        role=wanted.role.value,
        project=wanted.project,
        created_by=caller.name,
        created_at=now,
        expires_at=now + wanted.life,
        parent=wanted.parent,
    )
    tx.session.add(row)
    tx.session.flush()
    note(
        tx, caller, "tokens_create", row.id, status=201, detail=f"{wanted.role} in {wanted.project}: {wanted.name}"
    )
    return value, row


def _hold_parent(tx: Tx, token_id: str) -> None:
    """Until the commit nobody revokes it: whoever does so later finds what was made with it."""
    living = select(ApiToken.id).where(ApiToken.id == token_id, ApiToken.revoked_at.is_(None))
    if tx.session.scalar(living.with_for_update(read=True)) is None:
        raise NotFound("token", token_id)


def revoke(tx: Tx, caller: Caller, token_id: str) -> None:
    """From now on it, and every session that was begun with it, opens nothing; records stay. Raises `NotFound`."""
    if not _ended(tx, caller, ApiToken.id == token_id):
        raise NotFound("token", token_id)
    ids = [token_id]
    while ids:
        ids = _ended(tx, caller, ApiToken.parent.in_(ids))
    note(tx, caller, "tokens_revoke", token_id, status=204)


def end_session(tx: Tx, caller: Caller) -> list[str]:
    """The browser that asks signs out: its token opens nothing any more. A token made for a program stays."""
    own = (ApiToken.id == caller.credential) & ApiToken.name.startswith(SESSION, autoescape=True)
    over = _ended(tx, caller, own)
    for token_id in over:
        note(tx, caller, "session_end", token_id, status=204)
    return over


def _ended(tx: Tx, caller: Caller, which: ColumnElement[bool]) -> list[str]:
    """Revoke those that are not yet; their ids."""
    found = tx.session.scalars(
        update(ApiToken)
        .where(which, ApiToken.revoked_at.is_(None))
        .values(revoked_at=tx.now, revoked_by=caller.name)
        .returning(ApiToken.id)
    )
    return list(found)


def living(session: Session, after: Position | None, size: int) -> tuple[Sequence[Record], Position | None]:
    """A page of the tokens that open something, newest first."""
    shown = [column for column in ApiToken.__table__.columns if column.key != "digest"]
    good = select(*shown).where(ApiToken.revoked_at.is_(None), ApiToken.expires_at > func.clock_timestamp())
    return _KEYSET.page(session, good, after, size)


def holder(session: Session, value: str) -> Caller | None:
    """Whom a token stands for; None when it opens nothing."""
    row = session.scalar(
        select(ApiToken).where(
            ApiToken.digest == digest_of(value),
            ApiToken.revoked_at.is_(None),
            ApiToken.expires_at > func.clock_timestamp(),
        )
    )
    if row is None:
        return None
    role = AccessRole(row.role)
    return Caller(
        f"token:{row.name}",
        row.project,
        Source.EXTERNAL if role is AccessRole.SERVICE else Source.USER,
        role=role,
        kind=PrincipalKind.TOKEN,
        projects=(row.project,),
        expires_at=row.expires_at,
        credential=row.id,
    )


def ended(session: Session, ids: Collection[str]) -> set[str]:
    """Those of `ids` that open nothing any more."""
    good = select(ApiToken.id).where(
        ApiToken.id.in_(ids), ApiToken.revoked_at.is_(None), ApiToken.expires_at > func.clock_timestamp()
    )
    return set(ids) - set(session.scalars(good))


def touch(tx: Tx, ids: Collection[str]) -> None:
    """They were used just now; written at most once a minute for each."""
    old = or_(ApiToken.last_used_at.is_(None), ApiToken.last_used_at < tx.now - _TOUCH)
    tx.run(update(ApiToken).where(ApiToken.id.in_(ids), old).values(last_used_at=tx.now))

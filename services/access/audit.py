"""The audit trail: who asked for what, from where, and what became of it. Append-only in the database.

A service that changes something calls `note` in its own transaction, so that change and entry commit together.
What no service noted (refusals above all) the API's gate notes after the answer, from the same `Circumstances`.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import insert
from ulid import ULID

from db.models import AuditEntry
from db.session import Tx
from domain.access import AccessRole
from domain.specs import Caller

LONGEST_TEXT = 300
UNAUTHENTICATED_SIGNAL = "temporal (unauthenticated)"
"""Actor of what arrives through Temporal without a row of the API's: nobody proved who they are."""


class Outcome(StrEnum):
    """What became of a request."""

    DONE = "done"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass
class Circumstances:
    """The request that is being answered. `noted` tells the gate that its entry is written already."""

    trace_id: str
    remote: str | None = None
    noted: bool = False
    caller: Caller | None = None
    """Who asks, once the gate knows."""


REQUEST: ContextVar[Circumstances | None] = ContextVar("berth_request", default=None)


def asking_role() -> AccessRole | None:
    """The role of whoever is being answered; None outside of a request."""
    about = REQUEST.get()
    return about.caller.role if about is not None and about.caller is not None else None


def note(
    tx: Tx,
    caller: Caller,
    action: str,
    target: str | None = None,
    *,
    outcome: Outcome = Outcome.DONE,
    status: int | None = None,
    detail: str | None = None,
) -> None:
    """One entry, committed with the transaction. `detail` holds no secret and no free text of the request."""
    about = REQUEST.get()
    tx.run(
        insert(AuditEntry).values(
            time=tx.now,
            **entry(
                actor=caller.name,
                role=caller.role.value if about else None,
                project=caller.project,
                action=action,
                target=target,
                outcome=outcome.value,
                status=status,
                detail=detail,
                trace_id=about.trace_id if about else None,
                remote=about.remote if about else None,
            ),
        )
    )
    if about is not None:
        about.noted = True


def entry(**values: Any) -> dict[str, Any]:
    """The columns of one entry, texts cut to what the trail keeps."""
    cut = {key: value[:LONGEST_TEXT] if isinstance(value, str) else value for key, value in values.items()}
    return {"id": f"aud_{str(ULID()).lower()}", **cut}

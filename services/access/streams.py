"""Live streams, counted over all API processes: each says how many it has, and who comes is judged by the sum.

One advisory lock a project makes the counting orderly. A process says it again every few seconds; what one that
was killed had is forgotten after a moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert

from db.models import OpenStreams
from db.session import Tx
from domain.bounds import UNLIMITED, Excess, Limits
from services.access.bounds import LimitReached, effective

SILENT = timedelta(seconds=10)
"""A process that has said nothing for so long is not there any more."""


def admit(
    tx: Tx, process: str, project: str, mine: int, asked: int, installation: Limits
) -> tuple[int, LimitReached | None]:
    """How many of `asked` more streams `process` may have, which has `mine` already; why not the others."""
    allowed = effective(tx.session, project, installation)["sockets"]
    if allowed == UNLIMITED:
        return asked, None
    tx.run(select(func.pg_advisory_xact_lock(func.hashtextextended(f"streams/{project}", 0))))
    others = tx.run(
        select(func.coalesce(func.sum(OpenStreams.open), 0)).where(
            OpenStreams.project == project, OpenStreams.process != process, OpenStreams.at > tx.now - SILENT
        )
    ).scalar_one()
    free = max(0, min(asked, int(allowed - mine - others)))
    if free > 0:
        _say(tx, process, {project: mine + free})
    full = None if free == asked else LimitReached(project, Excess("sockets", allowed, mine + others + free, 1))
    return free, full


def say(tx: Tx, process: str, counts: Mapping[str, int]) -> None:
    """What `process` has open of each project; what is silent goes."""
    _say(tx, process, {project: count for project, count in counts.items() if count > 0})
    closed = [project for project, count in counts.items() if count <= 0]
    own = (OpenStreams.process == process) & OpenStreams.project.in_(closed)
    tx.run(delete(OpenStreams).where(own | (OpenStreams.at < tx.now - SILENT)))


def _say(tx: Tx, process: str, counts: Mapping[str, int]) -> None:
    if not counts:
        return
    row = insert(OpenStreams)
    given = row.on_conflict_do_update(
        index_elements=["process", "project"], set_={"open": row.excluded.open, "at": row.excluded.at}
    )
    for project, count in sorted(counts.items()):
        tx.run(given.values(process=process, project=project, open=count, at=tx.now))

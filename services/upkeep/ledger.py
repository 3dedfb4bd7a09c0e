"""Folds the event log, once and in order, into counters that outlive every process, and into notifications.

The log itself is the outbox: an event is written with the change that it tells of, and this follows the log with a
cursor of its own. So nothing that happened is missed or counted twice, whoever wrote it and whoever died. Called
by the keeper; two at once do no harm.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from db.models import Instance, InstanceRun, LifecycleEvent, Measure, OperationRow, Pulse
from db.session import Tx
from domain.metrics import CHANGES, LAUNCH, TERMINATION, TRANSITIONS, Metric, cause_of
from services.upkeep.notices import note_events

MOST_AT_ONCE = 2000
Counted = dict[tuple[str, str], float]
_NO_STATUS = "none"
_ENDINGS = {"CONFIRMED": "confirmed", "FAILED": "failed", "CANCELLED": "cancelled"}


def pulse(tx: Tx, name: str) -> None:
    """A loop's sign of life."""
    tx.run(
        insert(Pulse)
        .values(name=name, at=tx.now)
        .on_conflict_do_update(index_elements=["name"], set_={"at": tx.now})
    )


def fold(tx: Tx, *, notify: bool) -> int:
    """Deal with the events that follow the cursor; returns how many there were."""
    tx.run(insert(Pulse).values(name="ledger", at=tx.now).on_conflict_do_nothing())
    cursor = tx.session.scalar(select(Pulse.cursor).where(Pulse.name == "ledger").with_for_update()) or 0
    rows = tx.session.execute(_EVENTS.where(LifecycleEvent.seq > cursor)).all()
    if rows:
        _add(tx, count(rows))
        if notify:
            note_events(tx, rows)
    last = rows[-1].seq if rows else cursor
    tx.run(update(Pulse).where(Pulse.name == "ledger").values(cursor=last, at=tx.now))
    return len(rows)


_EVENTS = (
    select(
        *LifecycleEvent.__table__.columns,
        func.coalesce(
            OperationRow.provider,
            Instance.provider,
            InstanceRun.provider,
            LifecycleEvent.data["provider"].astext,
            "unknown",
        ).label("provider"),
    )
    .join(OperationRow, OperationRow.id == LifecycleEvent.operation_id, isouter=True)
    .join(Instance, Instance.id == LifecycleEvent.instance_id, isouter=True)
    .join(InstanceRun, InstanceRun.instance_id == LifecycleEvent.instance_id, isouter=True)
    .order_by(LifecycleEvent.seq)
    .limit(MOST_AT_ONCE)
)


def count(rows: Iterable[Any]) -> Counted:
    """What these events add to the counters: (name, labels as JSON) → how much."""
    counted: Counted = defaultdict(float)
    for row in rows:
        for name, labels, amount in _of(row):
            counted[name, json.dumps(labels, sort_keys=True)] += amount
    return counted


def _of(row: Any) -> Iterator[tuple[str, dict[str, str], float]]:
    if row.to_status is not None and row.from_status != row.to_status:
        labels = {"provider": row.provider, "from": row.from_status or _NO_STATUS, "to": row.to_status}
        yield TRANSITIONS.name, labels, 1
    operation, _, what = row.event_type.rpartition("_")
    ending = _ENDINGS.get(what)
    if ending is None or not operation or row.instance_id is None:
        return
    yield CHANGES.name, _change(row, operation.lower(), ending), 1
    launched = row.data.get("launch_duration_seconds")
    ended = row.data.get("termination_duration_seconds")
    if row.event_type == "LAUNCH_CONFIRMED" and launched is not None:
        yield from _observed(LAUNCH, row.provider, launched)
    if row.event_type == "TERMINATE_CONFIRMED" and ended is not None:
        yield from _observed(TERMINATION, row.provider, ended)


def _change(row: Any, operation: str, ending: str) -> dict[str, str]:
    code = str((row.data.get("error") or {}).get("code", "internal"))
    outcome = "timed_out" if ending == "failed" and code == "timed-out" else ending
    cause = cause_of(code) if ending == "failed" else "none"
    return {"operation": operation, "provider": row.provider, "outcome": outcome, "cause": cause}


def _observed(metric: Metric, provider: str, seconds: float) -> Iterator[tuple[str, dict[str, str], float]]:
    """One observation: in the first bucket that holds it, the exporter adds them up; and in the sum."""
    bucket = next((f"{bound:g}" for bound in metric.buckets if seconds <= bound), "+Inf")
    yield metric.name, {"provider": provider, "le": bucket}, 1
    yield metric.name, {"provider": provider, "le": "sum"}, seconds


def _add(tx: Tx, counted: Counted) -> None:
    rows = [{"name": name, "labels": labels, "value": value} for (name, labels), value in counted.items()]
    if not rows:
        return
    statement = insert(Measure)
    added = statement.on_conflict_do_update(
        index_elements=["name", "labels"], set_={"value": Measure.value + statement.excluded.value}
    )
    tx.run(added, sorted(rows, key=lambda row: (row["name"], row["labels"])))

"""What the machine looks at: the records in one snapshot, and the simulated provider's own file.

The file is opened read-only and without a line of the product's code, so that a mistake there cannot hide itself.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Row, text

from db.session import Database

UNFINISHED = frozenset({"pending", "running"})
_BERTH = "berth"
_NOT_HELD = frozenset({"running", "stopped", "maintenance"})
_DEPLOYMENTS = text("select * from deployments where id = any(:ids)")
_INSTANCES = text("select * from instances_runtime where deployment_id = any(:ids) order by name")
_OPERATIONS = text("select * from operations where deployment_id = any(:ids) order by created_at, id")
_MOVES = text(
    "select m.* from operation_instances m join operations o on o.id = m.operation_id "
    "where o.deployment_id = any(:ids)"
)
_RUNS = text("select * from instance_runs where deployment_id = any(:ids)")
_HOLDS = text("select * from holds where deployment_id = any(:ids)")
_OPEN_STEPS = text(
    "select s.operation_id, s.name from operation_steps s join operations o on o.id = s.operation_id "
    "where o.deployment_id = any(:ids) and o.finished_at is not null and s.status in ('pending', 'running')"
)


@dataclass(frozen=True)
class Sight:
    """One consistent look at the records of some deployments."""

    at: datetime
    deployments: Mapping[str, Row[Any]]
    instances: Mapping[str, Row[Any]]
    operations: Mapping[str, Row[Any]]
    """In the order of their acceptance."""
    moves: Sequence[Row[Any]]
    runs: Sequence[Row[Any]]
    open_steps: Sequence[Row[Any]]
    holds: Sequence[Row[Any]]

    def of(self, deployment_id: str) -> list[Row[Any]]:
        """The operations of one deployment, oldest first."""
        return [row for row in self.operations.values() if row.deployment_id == deployment_id]

    def members(self, deployment_id: str) -> list[Row[Any]]:
        return [row for row in self.instances.values() if row.deployment_id == deployment_id]

    @property
    def unfinished(self) -> list[Row[Any]]:
        return [row for row in self.operations.values() if row.status in UNFINISHED]

    def held(self, deployment_id: str) -> bool:
        """Whether a hold stands."""
        return any(hold.deployment_id == deployment_id for hold in self.holds)

    @property
    def astray(self) -> list[Row[Any]]:
        """What rests as no member of a held deployment may: the keeper is about to suspend it."""
        held = {hold.deployment_id for hold in self.holds if hold.lifting is None}
        rows = [row for row in self.instances.values() if row.termination_requested_at is None]
        return [row for row in rows if row.status in _NOT_HELD and row.deployment_id in held]

    def asked_since(self, before: Sight, deployment_id: str) -> list[Row[Any]]:
        """What was accepted since then, but for what Berth asks of itself: it enforces a hold at any moment."""
        return [row for row in self._new_since(before, deployment_id) if row.actor != _BERTH]

    def own_since(self, before: Sight, deployment_id: str) -> list[Row[Any]]:
        """What Berth has asked of itself since then."""
        return [row for row in self._new_since(before, deployment_id) if row.actor == _BERTH]

    def _new_since(self, before: Sight, deployment_id: str) -> list[Row[Any]]:
        return [row for row in self.of(deployment_id) if row.id not in before.operations]

    def passing(self, deployment_id: str) -> set[object]:
        """Holds that may go at any moment: an unsuspension decides of them, or their suspension is taken back."""
        taken_back = any(row.kind == "suspend" and row.cancel_requested_at for row in self.unfinished)
        holds = self._holds_of(deployment_id)
        return {hold.since for hold in holds if taken_back or hold.lifting is not None}

    def footprint(self, deployment_id: str, before: Sight) -> tuple[object, ...]:
        """All that accepting somebody's request would change, and that nothing else has changed since `before`."""
        row, own = self.deployments.get(deployment_id), self.own_since(before, deployment_id)
        wish = row and (row.generation, row.version - len(own), row.members, row.params, row.labels)
        passing = before.passing(deployment_id)
        holds = [(h.cause, h.since, h.note) for h in self._holds_of(deployment_id) if h.since not in passing]
        asked = [row for row in self.of(deployment_id) if row not in own]
        return wish, holds, [(row.id, self._stopped_by_others(row), row.pre_empted_by) for row in asked]

    def _stopped_by_others(self, row: Row[Any]) -> datetime | None:
        """When somebody asked for its end; past its deadline Berth does so itself."""
        asked: datetime | None = row.cancel_requested_at
        overdue = asked is not None and row.deadline_at is not None and asked >= row.deadline_at
        return None if overdue else asked

    def _holds_of(self, deployment_id: str) -> list[Row[Any]]:
        return [hold for hold in self.holds if hold.deployment_id == deployment_id]


def look(database: Database, deployment_ids: Iterable[str]) -> Sight:
    """Read it."""
    given = {"ids": list(deployment_ids)}
    with database.read() as session:
        return Sight(
            session.execute(text("select clock_timestamp()")).scalar_one(),
            {row.id: row for row in session.execute(_DEPLOYMENTS, given)},
            {row.id: row for row in session.execute(_INSTANCES, given)},
            {row.id: row for row in session.execute(_OPERATIONS, given)},
            session.execute(_MOVES, given).all(),
            session.execute(_RUNS, given).all(),
            session.execute(_OPEN_STEPS, given).all(),
            session.execute(_HOLDS, given).all(),
        )


@dataclass(frozen=True)
class Thing:
    """An object that the provider holds."""

    instance_id: str
    deployment_id: str
    name: str
    state: str
    moving: bool
    params: Mapping[str, Any]


@dataclass(frozen=True)
class Effect:
    """Something that a call changed at the provider, as its journal has it."""

    instance_id: str
    at: float
    verb: str
    state: str


@dataclass(frozen=True)
class ProviderFile:
    """The simulated provider, as its file shows it."""

    path: Path

    def things(self) -> dict[str, Thing]:
        """By instance id. The provider's own clock settles what was accepted earlier."""
        now, found = time.time(), {}
        for row in self._rows("select * from objects"):
            settled = row["settles_at"] is not None and row["settles_at"] <= now
            state = row["settles_to"] if settled else row["state"]
            if state != "absent":
                found[row["instance_id"]] = Thing(
                    row["instance_id"],
                    row["deployment_id"],
                    row["name"],
                    state,
                    row["settles_at"] is not None and not settled,
                    json.loads(row["params"]),
                )
        return found

    def effects(self) -> list[Effect]:
        """All of them, in order."""
        rows = self._rows("select * from lines order by id")
        parts = ((row, row["line"].partition(": ")) for row in rows)
        return [Effect(row["instance_id"], row["at"], verb, state) for row, (verb, _, state) in parts]

    def calls(self) -> dict[tuple[str, str], int]:
        """Calls so far by instance and verb, those that changed nothing too; looks are left out."""
        rows = self._rows("select * from calls where verb <> 'observe'")
        return {(row["instance_id"], row["verb"]): row["n"] for row in rows}

    def _rows(self, query: str) -> list[sqlite3.Row]:
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=10)) as file:
            file.row_factory = sqlite3.Row
            return file.execute(query).fetchall()

"""Rows that nobody works on, and changes of them straight in the records: what `bench.ui` shows to a page."""

from __future__ import annotations

import random
import threading
import time
from typing import Any

from sqlalchemy import select, text, update

from bench.listing import FILL
from db.models import Instance
from db.session import Database
from domain.lifecycle import Status

_OTHER = {Status.STOPPED: Status.RUNNING, Status.RUNNING: Status.STOPPED}


def fill(database: Database, rows: int) -> list[str]:
    """Rows that nobody works on."""
    with database.begin() as tx:
        for statement in FILL.strip().split(";\n"):
            if statement:
                tx.session.execute(text(statement), {"first": 1, "last": rows})
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("vacuum analyze instances_runtime, deployments"))
    return [f"ins_bench{number}" for number in range(1, rows + 1)]


class Writer:
    """Turns of life of instances that only the records know, each in a transaction of its own."""

    def __init__(self, database: Database, ids: list[str]) -> None:
        self.database, self.ids = database, ids
        with database.begin() as tx:
            rows = tx.session.execute(select(Instance.id, Instance.version, Instance.status))
            self._at = {row.id: (row.version, Status(row.status)) for row in rows}

    def turn(self, instance_id: str) -> tuple[str, float]:
        """To the other settled status; returns it with the time just before the commit."""
        version, status = self._at[instance_id]
        version, status = self._at[instance_id] = version + 1, _OTHER[status]
        with self.database.begin() as tx:
            changed = update(Instance).where(Instance.id == instance_id)
            tx.session.execute(changed.values(status=status, version=version, updated_at=tx.now))
            tx.emit(**_event(instance_id, version, status))
            before = time.time()
        return status.value, before

    def keep_turning(self, per_second: float, stop: threading.Event) -> None:
        began, number = time.monotonic(), 0
        chance = random.Random(7)
        while not stop.wait(max(0.0, began + number / per_second - time.monotonic())):
            self.turn(chance.choice(self.ids))
            number += 1


def _event(instance_id: str, version: int, status: Status) -> dict[str, Any]:
    return {
        "project": "default",
        "event_type": "OBSERVED",
        "instance_id": instance_id,
        "deployment_id": instance_id.replace("ins_", "dep_"),
        "operation_id": None,
        "version": version,
        "status": status.value,
        "from_status": None,
        "to_status": status.value,
        "source": "monitor",
        "reason": None,
        "confirmation_method": None,
        "actor": "bench",
        "cloud_instance_id": None,
        "data": {},
    }

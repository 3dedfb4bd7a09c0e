"""What a test can see of one Berth: its records, the simulated inventory, and what must be true at rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.models import Deployment, Instance, InstanceRun, LifecycleEvent, OperationRow, OperationStep
from db.session import Database
from domain.lifecycle import IN_PROGRESS, Status
from domain.work import InventoryItem
from providers.simulated import SimulatedProvider
from tests.support.workers import WorkerProcess, wait_for


class Looking:
    """The eyes of a `Spine`."""

    database: Database
    provider: SimulatedProvider
    workers: list[WorkerProcess]

    def operation(self, operation_id: str) -> OperationRow:
        with Session(self.database.engine, expire_on_commit=False) as session:
            return session.get_one(OperationRow, operation_id)

    def rows(self, query: Any) -> list[Any]:
        with Session(self.database.engine, expire_on_commit=False) as session:
            return list(session.scalars(query))

    def instances(self, deployment_id: str) -> list[Instance]:
        return self.rows(
            select(Instance).where(Instance.deployment_id == deployment_id).order_by(Instance.ordinal)
        )

    def instance(self, deployment_id: str) -> Instance:
        """The only member."""
        (found,) = self.instances(deployment_id)
        return found

    def runs(self, deployment_id: str) -> list[InstanceRun]:
        return self.rows(select(InstanceRun).where(InstanceRun.deployment_id == deployment_id))

    def steps(self, operation_id: str) -> list[OperationStep]:
        query = select(OperationStep).where(OperationStep.operation_id == operation_id)
        return self.rows(query.order_by(OperationStep.position))

    def events(self, operation_id: str) -> list[LifecycleEvent]:
        query = select(LifecycleEvent).where(LifecycleEvent.operation_id == operation_id)
        return self.rows(query.order_by(LifecycleEvent.seq))

    def event_types(self, operation_id: str) -> list[str]:
        return [event.event_type for event in self.events(operation_id)]

    def inventory(self, deployment_id: str | None = None) -> Sequence[InventoryItem]:
        """What the simulated provider really holds."""
        found = self.provider.inventory()
        return [item for item in found if deployment_id in {None, item.deployment_id}]

    def calls(self, instance_id: str) -> Mapping[str, int]:
        return self.provider.calls(instance_id)

    def retry_of(self, operation_id: str, seconds: float = 15.0) -> str:
        """The id of the operation that repeats this one, once it is accepted."""
        query = select(OperationRow.id).where(OperationRow.retry_of == operation_id)
        wait_for(lambda: bool(self.rows(query)), seconds, lambda: f"no retry: {self.story(operation_id)}")
        (found,) = self.rows(query)
        return str(found)

    def story(self, operation_id: str) -> str:
        """Everything about an operation, for the message of a failed test."""
        row = self.operation(operation_id)
        steps = [(s.name, s.status.value, s.attempts) for s in self.steps(operation_id)]
        members = [(i.name, i.status.value, i.error_message) for i in self.instances(row.deployment_id)]
        logs = "".join(worker.log.read_text()[-1500:] for worker in self.workers[-2:])
        return f"{row.kind} {row.status} {row.phase} error={row.error} steps={steps} members={members}\n{logs}"

    def invariants(self) -> None:
        """Nothing in progress, nothing holding, the inventory is the records, one object per instance."""
        with Session(self.database.engine) as session:
            rows = session.scalars(select(Instance)).all()
            owners = set(session.scalars(select(Deployment.id)))
            unfinished = session.scalars(select(OperationRow.id).where(OperationRow.finished_at.is_(None))).all()
        assert not unfinished, [self.story(operation_id) for operation_id in unfinished]
        assert not [row.name for row in rows if row.status in IN_PROGRESS]
        assert not [row.name for row in rows if row.deployment_id not in owners]
        held = [item.instance_id for item in self.inventory()]
        assert len(held) == len(set(held)), f"two objects for one instance: {held}"
        known = {row.id: row for row in rows if row.provider == "simulated"}
        assert set(held) <= set(known), f"objects without a row: {set(held) - set(known)}"
        states = {item.instance_id: item.state for item in self.inventory()}
        for row in known.values():
            if row.status in {Status.RUNNING, Status.STOPPED}:
                assert states.get(row.id) == row.status.value, f"{row.name}: {row.status} but {states.get(row.id)}"
        self._nothing_was_told_twice()

    def _nothing_was_told_twice(self) -> None:
        """One end per operation, one confirmation per instance in it, and versions that only rise."""
        with Session(self.database.engine) as session:
            changed = select(OperationRow.id).where(OperationRow.changed, OperationRow.instance_ids != [])
            operations = set(session.scalars(changed))
            # Last: to build so many takes seconds on a busy machine, and a transaction that rests is ended.
            events = session.scalars(select(LifecycleEvent).order_by(LifecycleEvent.seq)).all()
        ends = Counter(e.operation_id for e in events if e.event_type.startswith("OPERATION_"))
        assert {ends[operation_id] for operation_id in operations} <= {1}, ends.most_common(3)
        once = Counter(
            (e.operation_id, e.instance_id, e.event_type)
            for e in events
            if e.event_type.endswith(("_CONFIRMED", "_PLANNED", "_CANCELLED"))
        )
        assert not [told for told, times in once.items() if times > 1]
        seen: dict[str | None, int] = {}
        for e in events:
            if e.instance_id is not None and e.version is not None:
                assert e.version > seen.get(e.instance_id, 0), f"{e.event_type} of {e.instance_id} goes back"
                seen[e.instance_id] = e.version

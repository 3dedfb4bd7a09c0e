"""Reads of live instances: a page, one by id or name, counts by status, members of deployments."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from db.models import Deployment, Host, Instance, InstanceRun, OperationRow
from db.queries.pages import Keyset, Position, Record, like_pattern
from domain.lifecycle import Status
from domain.operations import OperationStatus

_KEYSET = Keyset(Instance.created_at, Instance.id)
_COLUMNS = (
    *Instance.__table__.columns,
    Deployment.name.label("deployment_name"),
    Deployment.params.label("desired_params"),
    Deployment.resources.label("desired_resources"),
    Deployment.secret_revisions.label("desired_secrets"),
    Deployment.members.label("members"),
    Deployment.restart_policy.label("restart_policy"),
    Deployment.timeouts.label("timeouts"),
    Deployment.database.label("database"),
    Deployment.generation.label("generation"),
    Deployment.version.label("deployment_version"),
    Host.name.label("host_name"),
)


@dataclass(frozen=True)
class InstanceFilter:
    """What a list shows. `needs_you`: in error, or busy for longer than its deadline."""

    project: str
    statuses: tuple[Status, ...] = ()
    blueprint: str | None = None
    provider: str | None = None
    deployment: str | None = None
    name_part: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    needs_you: bool | None = None
    nothing: bool = False
    """The filter asks for what no instance has."""

    def scope(self) -> list[ColumnElement[bool]]:
        """The conditions without the status part, for the counts."""
        conditions: list[ColumnElement[bool]] = [Instance.project == self.project]
        if self.nothing:
            conditions.append(Instance.id.is_(None))
        if self.blueprint is not None:
            conditions.append(Instance.blueprint == self.blueprint)
        if self.provider is not None:
            conditions.append(Instance.provider == self.provider)
        if self.deployment is not None:
            conditions.append(_of_deployment(self.project, self.deployment))
        if self.name_part is not None:
            conditions.append(Instance.name.like(like_pattern(self.name_part), escape="\\"))
        if self.labels:
            conditions.append(Instance.labels.contains(dict(self.labels)))
        return conditions

    def scope_key(self) -> str:
        """The same for all filters that differ in their status part only."""
        return repr(replace(self, statuses=(), needs_you=None))

    def conditions(self) -> list[ColumnElement[bool]]:
        """All of them."""
        conditions = self.scope()
        if self.statuses:
            conditions.append(Instance.status.in_(self.statuses))
        if self.needs_you is not None:
            conditions.append(needs_you() if self.needs_you else ~needs_you())
        return conditions


def _of_deployment(project: str, key: str) -> ColumnElement[bool]:
    named = select(Deployment.id).where(Deployment.project == project, Deployment.name == key).scalar_subquery()
    return Instance.deployment_id == (key if key.startswith("dep_") else named)


def needs_you() -> ColumnElement[bool]:
    """In error, or its operation is overdue."""
    return or_(Instance.status == Status.ERROR, _overdue())


def _overdue() -> ColumnElement[bool]:
    late = select(OperationRow.deployment_id).where(
        OperationRow.status == OperationStatus.RUNNING, OperationRow.deadline_at < func.now()
    )
    return and_(Instance.status != Status.ERROR, Instance.deployment_id.in_(late))


def _records() -> Select[tuple[object, ...]]:
    return (
        select(*_COLUMNS)
        .join(Deployment, Deployment.id == Instance.deployment_id)
        .join(Host, Host.id == Instance.host_id, isouter=True)
    )


def page(
    session: Session, wanted: InstanceFilter, after: Position | None, size: int
) -> tuple[Sequence[Record], Position | None]:
    """One page, newest first."""
    return _KEYSET.page(session, _records().where(*wanted.conditions()), after, size)


def find(session: Session, project: str, key: str) -> Record | None:
    """One living instance by id or name."""
    column = Instance.id if key.startswith("ins_") else Instance.name
    return session.execute(_records().where(Instance.project == project, column == key)).one_or_none()


def of_deployments(session: Session, deployment_ids: Collection[str]) -> Sequence[Record]:
    """All members of some deployments, in order of their number."""
    return session.execute(
        _records().where(Instance.deployment_id.in_(deployment_ids)).order_by(Instance.ordinal)
    ).all()


def ended(session: Session, project: str, instance_id: str) -> str | None:
    """The run of an instance that lived once."""
    return session.scalar(
        select(InstanceRun.run_id).where(InstanceRun.project == project, InstanceRun.instance_id == instance_id)
    )


def counts(session: Session, wanted: InstanceFilter) -> dict[str, int]:
    """How many have each status, zeros included, and how many need somebody."""
    conditions = wanted.scope()
    rows = session.execute(select(Instance.status, func.count()).where(*conditions).group_by(Instance.status))
    found = {status.value: number for status, number in rows}
    late = session.scalar(select(func.count()).select_from(Instance).where(*conditions, _overdue())) or 0
    zeros = {status.value: 0 for status in Status if status is not Status.TERMINATED}
    return {**zeros, **found, "needs_you": found.get(Status.ERROR.value, 0) + late}

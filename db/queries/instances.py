"""Reads of live instances: a page, one by id or name, counts by status, members of deployments."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from sqlalchemy import ColumnElement, Select, Text, and_, case, cast, func, or_, select, type_coerce, union_all
from sqlalchemy.orm import Session

from db.models import BillingRecord, Deployment, Host, Instance, InstanceRun, OperationRow
from db.queries.holds import kept_back, unlifted
from db.queries.pages import Keyset, Position, Record, like_pattern
from domain.health import STALE_AFTER
from domain.lifecycle import IN_PROGRESS, Health, Status
from domain.operations import UNFINISHED

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
    Deployment.deletion_protection,
    Deployment.generation.label("generation"),
    Deployment.version.label("deployment_version"),
    Host.name.label("host_name"),
    BillingRecord.subscription,
    BillingRecord.alert.label("billing_alert"),
)


@dataclass(frozen=True)
class InstanceFilter:
    """What a list shows. `needs_you`: in error, busy for longer than its deadline, or with a notice."""

    project: str
    statuses: tuple[Status, ...] = ()
    blueprint: str | None = None
    provider: str | None = None
    deployment: str | None = None
    text: str | None = None
    """Part of the name, a label, the host, the blueprint or the error."""
    labels: Mapping[str, str] = field(default_factory=dict)
    needs_you: bool | None = None
    health: Health | None = None
    ids: tuple[str, ...] = ()

    def scope(self) -> list[ColumnElement[bool]]:
        """The conditions without the status part, for the counts."""
        conditions: list[ColumnElement[bool]] = [Instance.project == self.project]
        if self.health is not None:
            conditions.append(_health() == self.health.value)
        if self.ids:
            conditions.append(or_(Instance.id.in_(self.ids), Instance.name.in_(self.ids)))
        if self.blueprint is not None:
            conditions.append(Instance.blueprint == self.blueprint)
        if self.provider is not None:
            conditions.append(Instance.provider == self.provider)
        if self.deployment is not None:
            conditions.append(_of_deployment(self.project, self.deployment))
        if self.text is not None:
            conditions.append(_mentions(self.text))
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


def _mentions(text: str) -> ColumnElement[bool]:
    pattern = like_pattern(text)
    hosts = select(Host.id).where(Host.name.ilike(pattern, escape="\\"))
    texts = (Instance.name, Instance.blueprint, Instance.error_message, cast(Instance.labels, Text))
    return or_(*(column.ilike(pattern, escape="\\") for column in texts), Instance.host_id.in_(hosts))


def _health() -> ColumnElement[str]:
    """As `domain.health.shown`, in the database: what is too old to be believed is unknown."""
    stale = or_(
        Instance.health_checked_at.is_(None),
        Instance.health_checked_at < func.now() - STALE_AFTER,
        Instance.status.in_(IN_PROGRESS),
    )
    return case((stale, Health.UNKNOWN.value), else_=type_coerce(Instance.health, Text))


class Sort(StrEnum):
    """What a list can be ordered by. `health`: the worst first when ascending."""

    NAME = "name"
    STATUS = "status"
    CREATED = "created_at"
    UPDATED = "updated_at"
    HEALTH = "health"


@dataclass(frozen=True)
class Order:
    """The order of a list."""

    by: Sort = Sort.CREATED
    descending: bool = True


_WORST_FIRST = (Health.UNREACHABLE, Health.DEGRADED, Health.UNKNOWN, Health.HEALTHY)
_HEALTH_RANK = case({word.value: rank for rank, word in enumerate(_WORST_FIRST)}, value=_health())
_SORTED = {
    Sort.NAME: Instance.name,
    Sort.STATUS: type_coerce(Instance.status, Text),
    Sort.CREATED: Instance.created_at,
    Sort.UPDATED: Instance.updated_at,
    Sort.HEALTH: _HEALTH_RANK,
}


def needs_you() -> ColumnElement[bool]:
    """In error, or its operation is overdue, or billing wants what it cannot have."""
    return or_(Instance.status == Status.ERROR, _waits())


def _waits() -> ColumnElement[bool]:
    """Not in error, and needs somebody all the same."""
    late = select(OperationRow.deployment_id).where(
        OperationRow.status.in_(UNFINISHED),
        OperationRow.deadline_at < func.now(),
    )
    # One set of few deployments, whose instances their index finds; three sets would be a look at every instance.
    waiting = union_all(late, unlifted(), kept_back())
    return and_(Instance.status != Status.ERROR, Instance.deployment_id.in_(waiting))


def _records() -> Select[tuple[object, ...]]:
    return (
        select(*_COLUMNS)
        .join(Deployment, Deployment.id == Instance.deployment_id)
        .join(Host, Host.id == Instance.host_id, isouter=True)
        .join(BillingRecord, BillingRecord.deployment_id == Instance.deployment_id, isouter=True)
    )


NEWEST_FIRST = Order()


def page(
    session: Session, wanted: InstanceFilter, after: Position | None, size: int, order: Order = NEWEST_FIRST
) -> tuple[Sequence[Record], Position | None]:
    """One page."""
    ranked = order.by is Sort.HEALTH
    query = _records().where(*wanted.conditions())
    if ranked:
        query = query.add_columns(_HEALTH_RANK.label("health_rank"))
    keyset = Keyset(_SORTED[order.by], Instance.id, order.descending, "health_rank" if ranked else order.by.value)
    return keyset.page(session, query, after, size)


def find(session: Session, project: str, key: str) -> Record | None:
    """One living instance by id or name."""
    column = Instance.id if key.startswith("ins_") else Instance.name
    return session.execute(_records().where(Instance.project == project, column == key)).one_or_none()


def of_deployments(session: Session, deployment_ids: Collection[str]) -> Sequence[Record]:
    """All members of some deployments, in order of their number."""
    return session.execute(
        _records().where(Instance.deployment_id.in_(deployment_ids)).order_by(Instance.ordinal)
    ).all()


def by_ids(session: Session, instance_ids: Collection[str]) -> Sequence[Record]:
    """Some instances of any project: for the one reader of a process."""
    return session.execute(_records().where(Instance.id.in_(instance_ids))).all() if instance_ids else []


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
    late = session.scalar(select(func.count()).select_from(Instance).where(*conditions, _waits())) or 0
    zeros = {status.value: 0 for status in Status if status is not Status.TERMINATED}
    return {**zeros, **found, "needs_you": found.get(Status.ERROR.value, 0) + late}

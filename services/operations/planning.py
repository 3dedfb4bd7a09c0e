"""Plan, the first activity of every operation: claim the fence and write the planned states, once.

A repeat returns the stored plan. Any other run of the same operation ends here, before it touches anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from sqlalchemy import bindparam, func, select, update

from db.models import Deployment, Instance, Meta, OperationInstance, OperationRow
from db.session import Tx, interval
from domain.databases import DatabaseStep
from domain.errors import FenceLost
from domain.lifecycle import Operation, ProvisioningStatus, Status
from domain.limits import CLEANUP_SECONDS, Budget, database_budget
from domain.operations import OPERATION_DETAILS, OperationStatus
from domain.planned import Plan, PlannedStep
from providers.registry import budget
from services.operations.events import instance_event, request_times
from services.operations.fence import Owner, lock_operation
from services.operations.shown_steps import write_steps
from services.operations.usual import UsualSlow
from services.places.database_checks import must_be_allocated, shared_address

PHASE_ORDER = (
    Operation.CREATE,
    Operation.MODIFY,
    Operation.START,
    Operation.STOP,
    Operation.RESTART,
    Operation.SUSPEND,
    Operation.UNSUSPEND,
    Operation.DELETE,
)
_CONNECTING = {Operation.CREATE, Operation.MODIFY, Operation.START, Operation.RESTART, Operation.UNSUSPEND}
"""What makes an instance log in to its database anew."""
_COSTS_AS = {Operation.SUSPEND: Operation.STOP, Operation.UNSUSPEND: Operation.START}
"""What does to an object what another verb does takes as long."""
CENTRAL_QUEUE = "berth"
"""The queue of the workflows; what needs no place of its own is done there too."""


def task_queue(provider: str, host_id: str | None) -> str:
    """The queue that reaches a provider: of the host where it is local to one, else the provider's own."""
    return f"host-{host_id}" if host_id else f"provider-{provider}"


@dataclass(frozen=True)
class PlanRules:
    """What this installation says about every plan: how long a failed run listens, and, by provider, the totals of
    launch and termination that stand in the place of its own."""

    park_seconds: float
    timeouts: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    usual: UsualSlow = field(default_factory=UsualSlow)


def claim_and_plan(tx: Tx, owner: Owner, run_id: str, rules: PlanRules) -> dict[str, Any]:
    """Claim `pending → running` and plan; returns the plan as JSON. Raises `FenceLost`."""
    operation, deployment = lock_operation(tx, owner.operation_id)
    if deployment is None:
        raise FenceLost(f"the deployment of operation {operation.id} is gone")
    if operation.status is OperationStatus.RUNNING and operation.original_run_id == owner.original_run_id:
        assert operation.plan is not None
        return operation.plan
    _claim(tx, operation, deployment)
    moves, instances = moves_with_rows(tx, operation.id)
    plan = _plan(operation, deployment, moves, instances, rules)
    plan = _with_database(tx, plan, deployment, rules)
    _write_planned(tx, operation, plan, moves, instances)
    total = sum(max(step.total_seconds for step in phase) for phase in plan.phases) + 2 * CLEANUP_SECONDS
    slow = sum(max(_slow(operation.provider, step) for step in phase) for phase in plan.phases)
    usual = rules.usual.seconds(tx.session, operation.kind, operation.blueprint, operation.provider)
    slow = min(slow, usual) if usual is not None else slow
    stored = asdict(plan)
    planned = tx.run(
        update(OperationRow)
        .where(OperationRow.id == operation.id)
        .values(
            status=OperationStatus.RUNNING,
            phase="acting",
            plan=stored,
            run_id=run_id,
            original_run_id=owner.original_run_id,
            namespace_id=_NAMESPACE,
            started_at=tx.now,
            slow_at=tx.now + interval(slow),
            deadline_at=tx.now + interval(total),
        )
        .returning(func.now().label("begun"), OperationRow.started_at)
    ).one()
    write_steps(tx, operation.id, plan.phases, (planned.begun, planned.started_at))
    return stored


def _claim(tx: Tx, operation: OperationRow, deployment: Deployment) -> None:
    """Refuse unless this operation may take (or already has) the fence."""
    if operation.status is not OperationStatus.PENDING:
        raise FenceLost(f"operation {operation.id} is {operation.status}; only one run may carry it out")
    if deployment.operation_id == operation.id:
        return
    other = tx.session.scalar(
        select(OperationRow.id).where(
            OperationRow.deployment_id == deployment.id, OperationRow.status == OperationStatus.RUNNING
        )
    )
    if other is not None:
        raise FenceLost(f"operation {other} still runs on this deployment")
    deployment.operation_id = operation.id
    tx.session.flush()


_NAMESPACE = select(Meta.value).where(Meta.key == "temporal_namespace_id").scalar_subquery()
_MOVES = (
    select(OperationInstance, Instance)
    .join(Instance, Instance.id == OperationInstance.instance_id, isouter=True)
    .where(OperationInstance.operation_id == bindparam("operation_id"))
    .order_by(OperationInstance.instance_name)
)


def moves_with_rows(tx: Tx, operation_id: str) -> tuple[list[OperationInstance], dict[str, Instance]]:
    """The moves of an operation, and the rows of those instances that still have one.

    The caller has locked the operation; nobody else writes an instance that a live operation owns.
    """
    found = tx.session.execute(
        _MOVES, {"operation_id": operation_id}, execution_options={"populate_existing": True}
    ).all()
    return [f.OperationInstance for f in found], {f.Instance.id: f.Instance for f in found if f.Instance}


def _plan(
    operation: OperationRow,
    deployment: Deployment,
    moves: Sequence[OperationInstance],
    instances: dict[str, Instance],
    rules: PlanRules,
) -> Plan:
    """Phases in order: make what is missing, change what differs one by one, remove what is too much."""
    phases: list[tuple[PlannedStep, ...]] = []
    rolling = False
    timeouts = {**rules.timeouts.get(operation.provider, {}), **deployment.timeouts}
    for verb in PHASE_ORDER:
        steps = []
        for move in moves:
            if move.verb != verb or move.instance_id not in instances:
                continue
            row = instances[move.instance_id]
            limit = budget(operation.provider, _COSTS_AS.get(verb, verb), timeouts)
            queue = task_queue(row.provider, row.host_id)
            steps.append(PlannedStep(row.id, row.name, verb, queue, limit.attempt, limit.total, limit.attempts))
        if verb is Operation.MODIFY and len(steps) > 1:
            rolling = True
            phases += [(step,) for step in steps]
        elif steps:
            phases.append(tuple(steps))
    return Plan(operation.id, operation.kind.value, deployment.name, rules.park_seconds, tuple(phases), rolling)


def _with_database(tx: Tx, plan: Plan, deployment: Deployment, rules: PlanRules) -> Plan:
    """The database comes before the first instance that needs it, and goes after the last one is gone."""
    if deployment.database is None:
        return plan
    steps = [step for phase in plan.phases for step in phase]
    gone = [step for step in steps if step.verb == Operation.DELETE]
    connecting = _CONNECTING if must_be_allocated(tx, deployment) else {Operation.CREATE}
    if made := [step for step in steps if step.verb in connecting]:
        first = _database_step(tx, deployment, rules, DatabaseStep.ALLOCATE, made[0])
        return replace(plan, phases=((first,), *plan.phases))
    left = select(func.count()).where(
        Instance.deployment_id == deployment.id, Instance.id.not_in([step.instance_id for step in gone])
    )
    if gone and tx.session.scalar(left) == 0:
        last = _database_step(tx, deployment, rules, DatabaseStep.RELEASE, gone[0])
        return replace(plan, phases=(*plan.phases, (last,)))
    return plan


def _database_step(
    tx: Tx, deployment: Deployment, rules: PlanRules, verb: DatabaseStep, beside: PlannedStep
) -> PlannedStep:
    """It stands beside one instance, under whose id its step is found, and is done where that one is."""
    limit = _budget(deployment.provider, verb, rules.timeouts.get(deployment.provider))
    elsewhere = shared_address(tx, deployment) is not None
    return replace(
        beside,
        name=deployment.name,
        verb=verb.value,
        queue=CENTRAL_QUEUE if elsewhere else beside.queue,
        attempt_seconds=limit.attempt,
        total_seconds=limit.total,
        attempts=limit.attempts,
    )


def _budget(provider: str, verb: str, timeouts: Mapping[str, float] | None = None) -> Budget:
    """Of one step. To allocate or release can mean to make or remove a whole server."""
    if verb == DatabaseStep.ALLOCATE:
        return database_budget(budget(provider, Operation.CREATE, timeouts))
    if verb == DatabaseStep.RELEASE:
        return database_budget(budget(provider, Operation.DELETE, timeouts))
    asked = Operation(verb)
    return budget(provider, _COSTS_AS.get(asked, asked))


def _slow(provider: str, step: PlannedStep) -> float:
    return min(_budget(provider, step.verb).slow, step.total_seconds)


def _write_planned(
    tx: Tx,
    operation: OperationRow,
    plan: Plan,
    moves: Sequence[OperationInstance],
    instances: dict[str, Instance],
) -> None:
    """The planned states of what is touched first; in a rolling change later ones stay as they are."""
    busy: set[str] = set()
    seen_modify = False
    for phase in plan.phases:
        for step in phase:
            if step.verb == Operation.MODIFY and plan.rolling:
                if not seen_modify:
                    busy.add(step.instance_id)
                seen_modify = True
            else:
                busy.add(step.instance_id)
    for move in moves:
        if move.instance_id in busy:
            write_planned(tx, operation, move, instances[move.instance_id])


def write_planned(tx: Tx, operation: OperationRow, move: OperationInstance, row: Instance) -> None:
    """Show one instance as busy, owned by this operation, its old error gone."""
    verb, before = Operation(move.verb), row.status
    values: dict[str, Any] = {
        "status": Status(move.during) if move.during else before,
        "operation_id": operation.id,
        "error_code": None,
        "error_message": None,
        "error_origin": None,
        "version": Instance.version + 1,
        "updated_at": tx.now,
    }
    if verb is Operation.CREATE:
        values["provisioning_status"] = ProvisioningStatus.PROVISIONING
        values["launch_requested_at"] = operation.created_at  # a launch lasts from the request that it answers
    if verb is Operation.DELETE:
        values["termination_requested_at"] = func.coalesce(Instance.termination_requested_at, tx.now)
    written = tx.run(
        update(Instance)
        .where(Instance.id == row.id)
        .values(**values)
        .returning(Instance.version, Instance.launch_requested_at, Instance.termination_requested_at)
    ).one()
    instance_event(
        tx,
        operation,
        row.id,
        "PLANNED",
        event=OPERATION_DETAILS[verb].event,
        version=written.version,
        change=(before, move.during),
        cloud_instance_id=row.cloud_instance_id,
        data={"name": row.name, **request_times(written)},
    )

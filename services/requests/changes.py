"""The doors for create, modify and act. (Delete and cancel: `services.requests.withdrawals`; retry: `repeats`.)

Each takes an open transaction, validates all that can be validated, writes the operation and answers at once.
Specs arrive already validated (`services.forms.validation`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import insert, update

from db.models import Deployment, Instance
from db.session import Tx
from domain.changes import (
    Member,
    Touch,
    check_not_held,
    free_ordinals,
    member_name,
    modify_verb,
    scale,
    split_legal,
    touch,
)
from domain.databases import Purpose
from domain.errors import NameTaken, NotFound, PreconditionFailed
from domain.lifecycle import BillingStatus, Operation, ProvisioningStatus, Role, Status
from domain.operations import OperationStatus
from domain.specs import Accepted, Ask, Caller, NewDeployment, Spec
from services.operations.acceptance import (
    check_free,
    insert_operation,
    lock_deployment,
    members_of,
    new_id,
    replayed,
    take_fence,
    with_begun_changes,
)
from services.places.database_checks import check_wanted
from services.requests.names import taken_deployment, taken_member
from services.requests.protection import check_not_protected


def create(
    tx: Tx, ask: Ask, wanted: NewDeployment, host_id: str | None, *, purpose: Purpose | None = None
) -> Accepted:
    """Accept a new deployment with its instances. Raises `NameTaken`, or `InvalidInput` for its database.

    `purpose`: it is a database server of Berth's own making.
    """
    if (before := replayed(tx, ask)) is not None:
        return before
    project = ask.caller.project
    if purpose is None:
        check_wanted(tx, project, wanted)
    _refuse_taken(tx, project, wanted)
    deployment = _row_of(tx, project, wanted, host_id, purpose)
    tx.session.add(deployment)
    tx.session.flush()
    operation_id = new_id("op")
    members = _add_members(tx, deployment, free_ordinals([], wanted.spec.members), operation_id)
    touches = [touch(m, Operation.CREATE) for m in members]
    insert_operation(tx, ask, deployment, Operation.CREATE, touches, id=operation_id)
    take_fence(tx, deployment.id, operation_id)
    return Accepted(operation_id, deployment.id)


def _refuse_taken(tx: Tx, project: str, wanted: NewDeployment) -> None:
    """Raise `NameTaken` when something alive has the name, or that of a member."""
    names = [member_name(wanted.name, n) for n in range(1, wanted.spec.members + 1)]
    taken = taken_deployment(tx.session, project, wanted.name) or taken_member(tx.session, project, names)
    if taken is not None:
        raise NameTaken(taken)


def _row_of(
    tx: Tx, project: str, wanted: NewDeployment, host_id: str | None, purpose: Purpose | None
) -> Deployment:
    return Deployment(
        id=new_id("dep"),
        project=project,
        name=wanted.name,
        blueprint=wanted.blueprint,
        provider=wanted.provider,
        host_id=host_id,
        params=dict(wanted.spec.params),
        resources=dict(wanted.spec.resources),
        members=wanted.spec.members,
        labels=dict(wanted.spec.labels),
        restart_policy=wanted.spec.restart_policy,
        timeouts=dict(wanted.spec.timeouts),
        database=dict(wanted.spec.database) if wanted.spec.database else None,
        secret_revisions=dict(wanted.spec.revisions),
        deletion_protection=wanted.spec.deletion_protection,
        customer_id=wanted.customer_id,
        purpose=purpose,
        generation=1,
        version=1,
        created_at=tx.now,
        updated_at=tx.now,
    )


def _add_members(tx: Tx, deployment: Deployment, ordinals: Sequence[int], operation_id: str) -> list[Member]:
    """Insert the rows of new members, already `creating`, so that a read after the write finds them."""
    members = []
    port = deployment.params.get("port")
    for ordinal in ordinals:
        member = Member(
            new_id("ins"), member_name(deployment.name, ordinal), ordinal, Role.STANDALONE, Status.CREATING, None
        )
        tx.session.execute(
            insert(Instance).values(
                id=member.id,
                deployment_id=deployment.id,
                project=deployment.project,
                name=member.name,
                ordinal=ordinal,
                role=member.role,
                blueprint=deployment.blueprint,
                provider=deployment.provider,
                host_id=deployment.host_id,
                labels=deployment.labels,
                status=Status.CREATING,
                provisioning_status=ProvisioningStatus.PENDING,
                billing_status=BillingStatus.TRIAL,
                customer_id=deployment.customer_id,
                db_type=(deployment.database or {}).get("mode"),
                port=port,
                port_fixed=port is not None,
                instance_type=deployment.params.get("instance_type"),
                availability_zone=deployment.params.get("availability_zone"),
                launch_requested_at=tx.now,
                operation_id=operation_id,
                created_at=tx.now,
                updated_at=tx.now,
            )
        )
        members.append(member)
    return members


def modify(tx: Tx, ask: Ask, deployment_id: str, desired: Spec, *, base_version: int | None = None) -> Accepted:
    """Accept a new desired spec. Equal to what is applied: the operation has succeeded at once, unchanged.

    Raises `PreconditionFailed` when `base_version` is not the deployment's version any more, `NameTaken` when
    something else has the name of a new member.
    """
    if (before := replayed(tx, ask)) is not None:
        return before
    deployment = lock_deployment(tx, deployment_id, ask.caller.project)
    if base_version is not None and deployment.version != base_version:
        raise PreconditionFailed(
            f"The deployment is at version {deployment.version}, not {base_version}; read it again.",
            deployment.version,
        )
    check_free(tx, deployment_id)
    members = with_begun_changes(tx.session, deployment_id, members_of(tx, deployment_id))
    scaling = scale(members, desired.members)
    if scaling.remove:
        check_not_protected(deployment, Operation.MODIFY)
    if scaling.missing and members:
        # The hold stands on the deployment: what is half deleted does not free it for something new.
        check_not_held(replace(members[0], delete_begun=False), Operation.CREATE)
    touches = modify_touches(scaling.keep, scaling.remove, desired.applied())
    stored = _store_spec(tx, ask.caller, deployment, desired)
    operation_id = new_id("op")
    ordinals = free_ordinals(members, scaling.missing)
    taken = taken_member(tx.session, deployment.project, [member_name(deployment.name, n) for n in ordinals])
    if taken is not None:
        raise NameTaken(taken)
    added = _add_members(tx, deployment, ordinals, operation_id)
    touches += [touch(m, Operation.CREATE) for m in added]
    if not touches:
        return _nothing_to_do(tx, ask, deployment, operation_id, changed=stored)
    insert_operation(tx, ask, deployment, Operation.MODIFY, touches, id=operation_id)
    take_fence(tx, deployment.id, operation_id)
    return Accepted(operation_id, deployment.id)


def modify_touches(keep: Sequence[Member], remove: Sequence[Member], desired: dict[str, Any]) -> list[Touch]:
    """The moves of existing members in a modify. Raises `OperationNotAllowed` for one that may not be changed."""
    touches = []
    for member in keep:
        verb = modify_verb(member, desired)
        if verb is not None:
            touches.append(touch(member, verb, asked=Operation.MODIFY))
    return touches + [touch(member, Operation.DELETE) for member in remove]


def _store_spec(tx: Tx, caller: Caller, deployment: Deployment, desired: Spec) -> bool:
    """Write the desired spec; the generation rises only when it differs, which is the answer."""
    values: dict[str, Any] = {
        "params": dict(desired.params),
        "resources": dict(desired.resources),
        "members": desired.members,
        "labels": dict(desired.labels),
        "restart_policy": desired.restart_policy,
        "timeouts": dict(desired.timeouts),
        "secret_revisions": dict(desired.revisions),
        "deletion_protection": desired.deletion_protection,
    }
    if all(getattr(deployment, name) == value for name, value in values.items()):
        return False
    relabelled = deployment.labels != values["labels"]
    for name, value in values.items():
        setattr(deployment, name, value)
    deployment.generation += 1
    tx.session.flush()
    tx.session.execute(
        update(Deployment)
        .where(Deployment.id == deployment.id)
        .values(version=Deployment.version + 1, updated_at=tx.now)
    )
    if relabelled:
        said = {"changed_by": caller.name, "changed_at": tx.now}
        tx.session.execute(
            update(Instance)
            .where(Instance.deployment_id == deployment.id)
            .values(labels=values["labels"], version=Instance.version + 1, updated_at=tx.now, **said)
        )
    return True


def _nothing_to_do(tx: Tx, ask: Ask, deployment: Deployment, operation_id: str, *, changed: bool) -> Accepted:
    """Record a modify that touches no instance: no planned state, no workflow, no provider call.

    `changed`: labels, policy or time-outs of the deployment are new all the same.
    """
    insert_operation(
        tx,
        ask,
        deployment,
        Operation.MODIFY,
        [],
        id=operation_id,
        status=OperationStatus.SUCCEEDED,
        phase="done",
        changed=changed,
        started_at=tx.now,
        finished_at=tx.now,
    )
    return Accepted(operation_id, deployment.id)


def act(tx: Tx, ask: Ask, operation: Operation, deployment_id: str, instance_id: str | None = None) -> Accepted:
    """Accept start, stop or restart of one instance, or of every member whose status allows it.

    Raises `OperationNotAllowed` when none does.
    """
    if (before := replayed(tx, ask)) is not None:
        return before
    deployment = lock_deployment(tx, deployment_id, ask.caller.project)
    check_free(tx, deployment_id)
    members = chosen_members(members_of(tx, deployment_id), instance_id)
    able, skipped = split_legal(members, operation)
    if not able:
        raise skipped[0][1]
    touches = [touch(m, _verb_of(operation, m), asked=operation) for m in able]
    operation_id = insert_operation(tx, ask, deployment, operation, touches)
    take_fence(tx, deployment.id, operation_id)
    return Accepted(operation_id, deployment.id)


def _verb_of(operation: Operation, member: Member) -> Operation:
    """What has never been made cannot be started: it is made, and then it runs."""
    starts = operation in {Operation.START, Operation.RESTART}
    return Operation.CREATE if starts and member.applied is None else operation


def chosen_members(members: Sequence[Member], instance_id: str | None) -> list[Member]:
    chosen = [m for m in members if instance_id is None or m.id == instance_id]
    if not chosen:
        raise NotFound("instance", instance_id or "")
    return chosen

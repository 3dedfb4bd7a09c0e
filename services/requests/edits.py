"""From checked bodies to the doors: what a create and a change of a spec look up first, in one transaction.

A request that was answered before is answered again before anything else is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from db.models import Deployment, Instance, OperationRow
from db.session import Tx
from db.vault import Vault
from domain.errors import (
    NotFound,
    OperationNotAllowed,
    PortTaken,
    PreconditionFailed,
    Refused,
)
from domain.lifecycle import Operation
from domain.operations import ErrorOrigin
from domain.specs import Accepted, Ask, NewDeployment, Spec
from providers.registry import PROVIDERS
from services.forms import secret_params
from services.forms.validation import Rules, patched
from services.operations.acceptance import last_operation, lock_deployment, replayed
from services.places.placement import choose_host
from services.places.reported import check_configured
from services.requests import changes, repeats


class SeveralMembers(Refused):
    """The instance shares its spec with others."""

    code = "several-members"


@dataclass(frozen=True)
class Edit:
    """A change of a spec. `versions`: those that the caller may have read; None: whichever.

    `approve` gets the deployment and the new spec before anything is written, and may raise.
    """

    patch: Mapping[str, Any]
    versions: frozenset[int] | None = None
    approve: Callable[[Deployment, Spec], None] | None = None


@dataclass(frozen=True)
class Means:
    """What a change of a spec is checked and stored with."""

    rules: Rules
    vault: Vault


def create_deployment(tx: Tx, ask: Ask, wanted: NewDeployment, vault: Vault) -> Accepted:
    """Accept a new deployment. Raises `ProviderUnavailable`, `HostUnavailable`, `PortTaken` or `NameTaken`."""
    if (before := replayed(tx, ask)) is not None:
        return before
    check_configured(tx, wanted.provider)
    host_id = choose_host(tx, wanted.provider) if PROVIDERS[wanted.provider].on_host else None
    _check_port(tx, ask.caller.project, host_id, wanted.spec.params.get("port"))
    made = changes.create(tx, ask, wanted, host_id)
    secret_params.keep(tx, vault, made.deployment_id, Spec(), wanted.spec)
    return made


def _check_port(tx: Tx, project: str, host_id: str | None, port: int | None) -> None:
    if host_id is None or port is None:
        return
    owner = tx.session.scalar(select(Instance).where(Instance.host_id == host_id, Instance.port == port))
    if owner is not None:
        whose = f"instance {owner.name!r}" if owner.project == project else "an instance of another project"
        raise PortTaken(f"Port {port} belongs to {whose} for life; choose another or leave it out.")


def spec_of(deployment: Deployment) -> Spec:
    """The desired spec of a deployment."""
    return Spec(
        params=deployment.params,
        resources=deployment.resources,
        members=deployment.members,
        labels=deployment.labels,
        restart_policy=deployment.restart_policy,
        timeouts=deployment.timeouts,
        database=deployment.database,
        revisions=deployment.secret_revisions,
        deletion_protection=deployment.deletion_protection,
        generation=deployment.generation,
    )


def edit_deployment(tx: Tx, ask: Ask, deployment_id: str, edit: Edit, means: Means) -> Accepted:
    """Accept a change of a deployment's spec. Raises `PreconditionFailed` when the caller read another version."""
    if (before := replayed(tx, ask)) is not None:
        return before
    deployment = lock_deployment(tx, deployment_id, ask.caller.project)
    check_version(edit.versions, deployment.version, f"deployment {deployment.name}")
    return _edit(tx, ask, deployment, edit, means)


def edit_instance(tx: Tx, ask: Ask, instance_id: str, edit: Edit, means: Means) -> Accepted:
    """Accept a change of the deployment whose only member is this instance. Raises `SeveralMembers`."""
    if (before := replayed(tx, ask)) is not None:
        return before
    row = instance(tx, ask, instance_id)
    deployment = lock_deployment(tx, row.deployment_id, ask.caller.project)
    tx.session.refresh(row)
    check_version(edit.versions, row.version, f"instance {row.name}")
    if (tx.session.scalar(select(func.count()).where(Instance.deployment_id == deployment.id)) or 0) > 1:
        raise SeveralMembers(
            f"{row.name} is one of several members that share one spec; "
            f"send the change to /api/v1/deployments/{deployment.name}."
        )
    return _edit(tx, ask, deployment, edit, means)


def check_version(allowed: frozenset[int] | None, current: int, what: str) -> None:
    """Raise `PreconditionFailed` unless `current` is among `allowed`."""
    if allowed is not None and current not in allowed:
        read = ", ".join(str(v) for v in sorted(allowed)) or "another"
        raise PreconditionFailed(f"The {what} is at version {current}, not {read}; read it again.", current)


def _edit(tx: Tx, ask: Ask, deployment: Deployment, edit: Edit, means: Means) -> Accepted:
    current = spec_of(deployment)
    wanted = patched(current, edit.patch, deployment.blueprint, deployment.provider, means.rules)
    if edit.approve is not None:
        edit.approve(deployment, wanted)
    wanted = secret_params.without_repeats(tx, means.vault, deployment.id, current, wanted)
    accepted = changes.modify(tx, ask, deployment.id, wanted)
    secret_params.keep(tx, means.vault, deployment.id, current, wanted)
    return accepted


def instance(tx: Tx, ask: Ask, instance_id: str) -> Instance:
    """The row of a living instance of the caller's project. Raises `NotFound`."""
    row = tx.session.get(Instance, instance_id)
    if row is None or row.project != ask.caller.project:
        raise NotFound("instance", instance_id)
    return row


def retry_instance(tx: Tx, ask: Ask, instance_id: str) -> Accepted:
    """Accept a repeat of the last failed operation of one instance. An error that a monitor set has none."""
    if (before := replayed(tx, ask)) is not None:
        return before
    row = instance(tx, ask, instance_id)
    failed = tx.session.get(OperationRow, row.operation_id) if row.operation_id else None
    if failed is None or not failed.status.repeatable:
        failed = last_operation(tx, row.deployment_id, row.id)
    if row.error_origin is ErrorOrigin.MONITOR or failed is None:
        raise OperationNotAllowed(
            Operation.RETRY.value, row.status.value, (), "no operation failed, it was found like this; use start"
        )
    return repeats.retry(tx, ask, failed.id)

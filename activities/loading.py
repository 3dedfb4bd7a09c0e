"""How an activity gets at its step: the work fresh from the records, its provider and its blueprint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from activities.contracts import OwnerInput
from activities.databases import database_access
from activities.parts import Parts
from blueprints.base import Blueprint
from db.session import Tx
from db.vault import Vault
from providers.base import Provider
from services.operations.fence import Owner
from services.operations.steps import StepWork

Load = Callable[[Tx, Vault, str, Owner, str], StepWork]


def load(parts: Parts, how: Load, owner: Owner, instance_id: str) -> StepWork:
    """`how` is one of the loading functions of `services.operations.steps`, in a transaction of its own."""
    with parts.database.begin() as tx:
        step = how(tx, parts.vault, parts.server_id, owner, instance_id)
    database = database_access(step.database, parts)
    return replace(step, work=replace(step.work, recipes=blueprint_of(parts, step), database=database))


def blueprint_of(parts: Parts, step: StepWork) -> Blueprint:
    return parts.blueprints[step.work.blueprint]


def provider_of(parts: Parts, step: StepWork) -> Provider:
    """Raises `ProviderError` where this worker cannot reach it."""
    return parts.providers[step.provider]


def owner_of(given: OwnerInput) -> Owner:
    return Owner(given.operation_id, given.original_run_id)

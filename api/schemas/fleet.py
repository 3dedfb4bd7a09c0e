"""What there is to choose from and to work with: the table of moves, blueprints, providers, hosts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from api.schemas.base import Form
from api.schemas.instances import ActionNeeds
from domain.lifecycle import Actor, Operation, Status


class MoveForm(Form):
    """One row of the table of moves. The ends are a status, or a word for one that depends on the instance.

    `with_hold`: from where it is legal besides while a hold stands; `refused_on_hold`: never while one stands.
    """

    operation: Operation
    legal_from: list[Status]
    during: Status | None
    done: str
    failed: str
    cancelled: str
    actor: Actor
    buttons_in: list[Status]
    with_hold: list[Status]
    refused_on_hold: bool


class StatusForm(Form):
    """A status, and its older upper-case name."""

    name: Status
    lifecycle_state: str


class OperationKind(Form):
    """An operation, how it presents itself, and what it needs from a person."""

    name: Operation
    label: str
    event: str
    synonyms: list[str]
    durable: bool
    available: bool
    of_every_blueprint: bool
    """False: a blueprint's `operations` says whether it can do it."""
    needs: ActionNeeds


class Lifecycle(Form):
    """The table that decides everywhere. `params`: a JSON schema for each action that has any."""

    moves: list[MoveForm]
    statuses: list[StatusForm]
    operations: list[OperationKind]
    params: dict[str, dict[str, Any]]
    version: str


class BlueprintForm(Form):
    """What can run. `params_schema` is a JSON schema."""

    name: str
    title: str
    description: str
    providers: list[str]
    forms: list[str]
    needs_database: bool
    secret_params: list[str]
    max_members: int
    operations: list[str]
    immutable: list[str]
    params_schema: dict[str, Any]


class BlueprintList(Form):
    """All of them."""

    items: list[BlueprintForm]


class ProviderPlaceForm(Form):
    """A provider as one worker finds it."""

    host_id: str | None
    agent: str
    configured: bool
    available: bool
    reason: str | None
    identity: str | None
    checked_at: datetime


class ProviderForm(Form):
    """Where instances can live, and why not where they cannot."""

    name: str
    title: str
    description: str
    available: bool
    configured: bool
    reason: str | None
    hosts: list[str]
    places: list[ProviderPlaceForm]


class ProviderList(Form):
    """All of them."""

    items: list[ProviderForm]


class HostForm(Form):
    """A machine that holds instances. `silent`: asked for nothing new; `lost`: its instances may be forgotten."""

    id: str
    name: str
    providers: list[str]
    boot_id: str | None
    cordoned: bool
    first_seen_at: datetime
    last_seen_at: datetime
    instances: int
    unseen_seconds: float
    silent: bool
    lost: bool


class HostList(Form):
    """All of them."""

    items: list[HostForm]


class HeldObject(Form):
    """One object that a provider holds, ours or not."""

    provider: str
    provider_id: str
    state: str
    owned: bool
    instance_id: str | None = None
    deployment_id: str | None = None
    generation: int | None = None
    endpoint: str | None = None
    pid: int | None = None
    data_dir: str | None = None
    calls: dict[str, int] | None = None


class OrphanedObject(HeldObject):
    """One of ours without a living instance."""

    why: str


class Inventory(Form):
    """What a provider really holds, asked now."""

    items: list[HeldObject]
    orphans: list[OrphanedObject]


class FaultForm(Form):
    """A scripted fault of the simulated provider."""

    verb: str
    kind: str
    times: int
    seconds: float | None
    instance: str


class FaultList(Form):
    """What it will act out."""

    items: list[FaultForm]


class Check(Form):
    """One of the things that must be in order."""

    name: str
    ok: bool
    detail: str


class HealthReport(Form):
    """Whether this Berth can work."""

    status: str
    ready: bool | None = None
    checks: list[Check]


class Code(Form):
    """A code or ticket that is good once."""

    expires_in: int
    ticket: str | None = None
    code: str | None = None


class GivenToken(Form):
    """The token for a code."""

    token: str


class Recorded(Form):
    """Whether the claim was new."""

    recorded: bool
    operation_id: str


class OlderRetry(Form):
    """The older form's answer to a retry."""

    message: str
    instance_id: str
    job_id: str

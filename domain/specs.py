"""What a person asks for: a new deployment, or a change of one. Checked by `services.forms.validation`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from domain.access import AccessRole, PrincipalKind, Right, may
from domain.bounds import Bounds
from domain.operations import Reason, RestartPolicy, Source
from domain.work import Secrets


@dataclass(frozen=True)
class Spec:
    """The desired state of a deployment, all but its name and place."""

    params: Mapping[str, Any] = field(default_factory=dict)
    resources: Mapping[str, Any] = field(default_factory=dict)
    members: int = 1
    labels: Mapping[str, str] = field(default_factory=dict)
    restart_policy: RestartPolicy = RestartPolicy.NEVER
    timeouts: Mapping[str, float] = field(default_factory=dict)
    database: Mapping[str, Any] | None = None
    revisions: Mapping[str, int] = field(default_factory=dict)
    """The secret parameters that are set, each with the generation at which it was set last."""
    secrets: Secrets = field(default_factory=Secrets)
    """Values that were given for secret parameters just now: they are stored encrypted, never with the spec."""
    deletion_protection: bool = False
    generation: int = 0
    """Of the deployment when this was read."""

    def applied(self) -> dict[str, Any]:
        """The part that reaches the real object, in the form stored as `applied_spec`."""
        applied = {"params": dict(self.params), "resources": dict(self.resources)}
        return {**applied, "secrets": dict(self.revisions)} if self.revisions else applied


@dataclass(frozen=True)
class NewDeployment:
    """A deployment to be made."""

    name: str
    blueprint: str
    provider: str
    spec: Spec
    customer_id: str | None = None


@dataclass(frozen=True)
class Caller:
    """Who asks. `source` comes from the principal, never from a request body."""

    name: str
    project: str = "default"
    """The one project that this request is about."""
    source: Source = Source.USER
    role: AccessRole = AccessRole.ADMIN
    kind: PrincipalKind = PrincipalKind.LOCAL
    projects: tuple[str, ...] = ("default",)
    """All that the principal may choose from; an administrator may choose any other, too."""
    expires_at: datetime | None = None
    credential: str | None = None
    """The id of the API token that was shown, so that a stream can end with it."""

    def may(self, right: Right) -> bool:
        """Whether its role has `right`."""
        return may(self.role, right)


@dataclass(frozen=True)
class Idempotency:
    """A client's key, its scope (principal, method, path) and the fingerprint of its body."""

    scope: str
    key: str
    fingerprint: str


@dataclass(frozen=True)
class Ask:
    """The circumstances of a request for an operation."""

    caller: Caller
    reason: Reason | None = None
    idempotency: Idempotency | None = None
    bounds: Bounds | None = None
    """What bounds it; None: Berth asks itself."""


@dataclass(frozen=True)
class Accepted:
    """What acceptance answers. `replayed`: an earlier request with the same key made it."""

    operation_id: str
    deployment_id: str
    replayed: bool = False

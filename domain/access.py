"""Who may do what: four roles, and the rights that routes ask for. Pure; the API, the views and the tests read it.

Everybody belongs to projects and sees nothing of the others; administrators may choose any one. What belongs to
no project (hosts, inventories, orphans, faults, figures, the audit trail, tokens) is for administrators alone.
"""

from __future__ import annotations

import re
from enum import StrEnum


class AccessRole(StrEnum):
    """What a principal is. (`domain.lifecycle.Role` is an instance's place in its deployment.)"""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"
    SERVICE = "service"


class PrincipalKind(StrEnum):
    """How somebody proved who they are."""

    LOCAL = "local"
    OIDC = "oidc"
    TOKEN = "token"  # noqa: S105 - a word, not a secret


class Right(StrEnum):
    """What a route needs."""

    SELF = "self"
    """To be somebody: who am I, a ticket for my own socket."""
    READ = "read"
    """The project's instances, deployments, operations, events, history, logs; the catalogue."""
    OPERATE = "operate"
    """Create, change, act, cancel, retry, delete, abort, plan."""
    REVEAL = "reveal"
    """See or renew an instance's secrets. Audited."""
    CONFIRM = "confirm"
    """Bring evidence from outside that a change happened."""
    METRICS = "metrics"
    """Read `/metrics`: figures of all projects, which name nobody. For a scraper with a service token."""
    ADMIN = "admin"
    """What belongs to no project, and who may do what."""


_READER = frozenset({Right.SELF, Right.READ})
RIGHTS: dict[AccessRole, frozenset[Right]] = {
    AccessRole.VIEWER: _READER,
    AccessRole.OPERATOR: _READER | {Right.OPERATE, Right.REVEAL},
    AccessRole.SERVICE: _READER | {Right.CONFIRM, Right.METRICS},
    AccessRole.ADMIN: frozenset(Right),
}


def may(role: AccessRole, right: Right) -> bool:
    """Whether `role` has `right`."""
    return right in RIGHTS[role]


_PROJECT = re.compile(r"[a-z][a-z0-9-]{0,62}\Z")


def is_project(name: str) -> bool:
    """Whether a project can be called so."""
    return _PROJECT.match(name) is not None


def roles_with(right: Right) -> list[AccessRole]:
    """Who has `right`, for a refusal that names what is allowed."""
    return [role for role in AccessRole if may(role, right)]

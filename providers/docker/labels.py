"""Names and labels: how an object is found again, and how it proves whose it is.

The names are deterministic, so the daemon itself refuses a second one. What a user calls labels goes below another
prefix and is never looked at again.
"""

from __future__ import annotations

from collections.abc import Mapping

from domain.work import Identity, Work
from providers.marks import claimed_by, marks_of

PREFIX = "berth.dev/"
USER_PREFIX = "labels.berth.dev/"
SERVER, PROJECT, INSTANCE = f"{PREFIX}server-id", f"{PREFIX}project", f"{PREFIX}instance-id"
SIGNATURE, NAME = f"{PREFIX}signature", f"{PREFIX}name"
RECIPE = f"{PREFIX}recipe"
"""A digest of what the container was made from, without the values of secrets."""
VOLUME = f"{PREFIX}volume"
_FORMER = "-replaced"


def container_name(instance_id: str) -> str:
    return f"berth-{instance_id.replace('_', '-')}"


def former_name(instance_id: str) -> str:
    """While a container is replaced, the old one bears this name."""
    return container_name(instance_id) + _FORMER


def volume_name(instance_id: str, volume: str) -> str:
    return f"{container_name(instance_id)}-{volume}"


def network_name(identity: Identity) -> str:
    """One per server and project: there instances reach each other by container name."""
    return f"berth-{identity.server_id}-{identity.project}"


def identity_labels(work: Work) -> dict[str, str]:
    return {**marks_of(work.identity, PREFIX), NAME: work.name}


def user_labels(work: Work) -> dict[str, str]:
    return {f"{USER_PREFIX}{key}": value for key, value in work.labels.items()}


def identity_of(labels: Mapping[str, str] | None) -> Identity | None:
    """What an object says of itself; the signature is still to be checked."""
    return claimed_by(labels or {}, PREFIX)


def of_instance(identity: Identity) -> dict[str, list[str]]:
    """The filter that finds an instance's objects over all generations."""
    return {"label": [f"{SERVER}={identity.server_id}", f"{INSTANCE}={identity.instance_id}"]}


def of_project(identity: Identity) -> dict[str, list[str]]:
    return {"label": [f"{SERVER}={identity.server_id}", f"{PROJECT}={identity.project}"]}

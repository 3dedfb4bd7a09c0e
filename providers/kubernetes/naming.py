"""Whose an object is: its name, its labels to be found by, and annotations with the signed identity.

Labels select, annotations prove: a signature is longer than a label may be. A user's own labels become prefixed
annotations, so that none can select anything or pass for one of ours.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from domain.work import Identity, Work
from providers.kubernetes.resources import Json
from providers.marks import claimed_by, marks_of

DOMAIN = "berth.dev"
USER = f"labels.{DOMAIN}"
PROJECT = f"{DOMAIN}/project"
SERVER = f"{DOMAIN}/server-id"
DEPLOYMENT = f"{DOMAIN}/deployment-id"
INSTANCE = f"{DOMAIN}/instance-id"
GENERATION = f"{DOMAIN}/generation"
SIGNATURE = f"{DOMAIN}/signature"
NAME = f"{DOMAIN}/name"
STAGE = f"{DOMAIN}/stage"
PREPARING, COMPLETE = "preparing", "complete"
"""Preparing until everything that the pod needs is there."""
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_KEY = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")


@dataclass(frozen=True)
class Place:
    """Where one instance lies."""

    namespace: str
    name: str
    server_id: str
    instance_id: str

    @classmethod
    def of(cls, identity: Identity, prefix: str) -> Place:
        return cls(
            namespace_of(prefix, identity.project),
            object_name(identity.instance_id),
            identity.server_id,
            identity.instance_id,
        )

    @property
    def selector(self) -> str:
        return ",".join(f"{key}={value}" for key, value in self.match_labels.items())

    @property
    def match_labels(self) -> dict[str, str]:
        return {SERVER: self.server_id, INSTANCE: self.instance_id}

    @property
    def provider_id(self) -> str:
        return f"{self.namespace}/{self.name}"

    def claim(self, volume: str) -> str:
        return f"{self.name}-{volume}"


def object_name(instance_id: str) -> str:
    return f"berth-{instance_id.replace('_', '-').lower()}"


def namespace_of(prefix: str, project: str) -> str:
    """A namespace per project; a name that Kubernetes would not take is made one that is as unique."""
    plain = f"{prefix}-{project}"
    if len(plain) <= 63 and _LABEL.fullmatch(plain):
        return plain
    words = re.sub(r"[^a-z0-9]+", "-", project.lower()).strip("-")[:20]
    return f"{prefix}-{words or 'project'}-{hashlib.sha256(project.encode()).hexdigest()[:12]}"


def labels(work: Work) -> dict[str, str]:
    identity = work.identity
    return {
        SERVER: identity.server_id,
        INSTANCE: identity.instance_id,
        DEPLOYMENT: identity.deployment_id,
        GENERATION: str(identity.generation),
        "app.kubernetes.io/managed-by": "berth",
        "app.kubernetes.io/name": work.blueprint,
    }


def signed_annotations(work: Work) -> dict[str, str]:
    return {**marks_of(work.identity, f"{DOMAIN}/"), NAME: work.name}


def user_annotations(given: Mapping[str, str]) -> dict[str, str]:
    """The user's labels. A key that Kubernetes would not take is replaced by one that is as unique."""
    return {f"{USER}/{_user_key(key)}": value for key, value in given.items()}


def identity_of(found: Json) -> Identity | None:
    """Whose it says it is; None where it does not say."""
    return claimed_by(found["metadata"].get("annotations") or {}, f"{DOMAIN}/")


@dataclass(frozen=True)
class Ownership:
    """Tells our objects from everything else."""

    server_id: str
    verify: Callable[[Identity], bool]

    def holds(self, found: Json) -> bool:
        """Whether this Berth made it."""
        identity = identity_of(found)
        return identity is not None and identity.server_id == self.server_id and self.verify(identity)

    def is_of(self, found: Json, place: Place) -> bool:
        """Whether this Berth made it for this instance, in whatever generation."""
        identity = identity_of(found)
        return identity is not None and identity.instance_id == place.instance_id and self.holds(found)

    def is_exactly(self, found: Json, wanted: Identity) -> bool:
        identity = identity_of(found)
        return (
            identity is not None
            and replace(identity, signature="") == replace(wanted, signature="")
            and self.holds(found)
        )


def _user_key(key: str) -> str:
    if _KEY.fullmatch(key):
        return key
    words = re.sub(r"[^A-Za-z0-9._-]+", "_", key).strip("._-")[:40]
    return f"{words or 'label'}-{hashlib.sha256(key.encode()).hexdigest()[:12]}"

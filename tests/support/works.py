"""Builds `Work` for provider and blueprint tests."""

from __future__ import annotations

import hashlib
import hmac
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from blueprints.base import BlueprintBase
from domain.work import Home, Identity, ProcessRecipe, Resources, Secrets, Work

SERVER_ID = "0123456789abcdef"
_KEY = b"test"


@dataclass
class AsProcess(BlueprintBase):
    """A blueprint that is nothing but this recipe."""

    recipe: Callable[[Work, Home], ProcessRecipe]

    def process_recipe(self, work: Work, home: Home) -> ProcessRecipe:
        return self.recipe(work, home)


def signed(identity: Identity) -> Identity:
    parts = "\0".join(
        (identity.server_id, identity.project, identity.instance_id, str(identity.generation))
    ).encode()
    return replace(identity, signature=hmac.new(_KEY, parts, hashlib.sha256).hexdigest())


def verify(identity: Identity) -> bool:
    return hmac.compare_digest(signed(identity).signature, identity.signature)


def an_id(prefix: str) -> str:
    return f"{prefix}_{uuid.uuid4().hex[:26]}"


def a_work(**changes: Any) -> Work:
    """A new instance's work. `project` and `generation` go to its identity."""
    identity = Identity(
        server_id=changes.pop("server_id", SERVER_ID),
        project=changes.pop("project", "default"),
        deployment_id=an_id("dep"),
        instance_id=changes.pop("instance_id", an_id("ins")),
        generation=changes.pop("generation", 1),
        signature="",
    )
    work = Work(
        identity=signed(identity),
        name="shop",
        blueprint="web",
        params={},
        resources=Resources(),
        secrets=Secrets(),
    )
    return replace(work, **changes)

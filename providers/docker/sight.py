"""Finding an instance's container, and proving that it is the instance's own.

Looked up by name and by (server id, instance id) over all generations. What does not verify is foreign, and of
two that could be meant none is touched. Only a replacement may be under way: then the old container bears another
name.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from domain.errors import ProviderError, ProviderErrorKind
from domain.work import Identity, Observation, Seen, Work
from providers.docker.container import ABSENT, Container, container_of
from providers.docker.engine import Engine
from providers.docker.labels import container_name, former_name, of_instance

Verify = Callable[[Identity], bool]


@dataclass(frozen=True)
class Sight:
    """What was found. `foreign`: why nothing of it may be touched."""

    current: Container | None = None
    former: Container | None = None
    """The one that is being replaced."""
    foreign: str | None = None

    @property
    def serving(self) -> Container | None:
        """The one that counts: during a replacement the old one, as long as it lives."""
        if self.former is not None and (self.current is None or self.former.lives):
            return self.former
        return self.current

    @property
    def containers(self) -> tuple[Container, ...]:
        return tuple(found for found in (self.current, self.former) if found is not None)


class Eyes:
    """Looks through one engine with one key."""

    def __init__(self, engine: Engine, server_id: str, verify: Verify) -> None:
        self._engine = engine
        self._server_id = server_id
        self._verify = verify

    def look(self, identity: Identity, *, any_generation: bool = False) -> Sight:
        """Both containers of this instance, or why they are not its own."""
        found = self._matching(identity)
        for one in found:
            wrong = self._wrong(one, identity, any_generation)
            if wrong is not None:
                return Sight(foreign=wrong)
        names = (container_name(identity.instance_id), former_name(identity.instance_id))
        current, former = (tuple(one for one in found if one.name == name) for name in names)
        if len(current) + len(former) < len(found) or len(current) > 1 or len(former) > 1:
            listed = ", ".join(sorted(one.name for one in found))
            return Sight(foreign=f"ambiguous: {len(found)} containers carry this identity ({listed})")
        return Sight(current[0] if current else None, former[0] if former else None)

    def inspect(self, name_or_id: str) -> Container | None:
        found = self._engine.find(lambda api: api.inspect_container(name_or_id))
        return None if found is None else container_of(found)

    def is_ours(self, identity: Identity | None) -> bool:
        return identity is not None and identity.server_id == self._server_id and self._verify(identity)

    def _matching(self, identity: Identity) -> list[Container]:
        """By labels, and whoever has the names."""
        listed: list[Mapping[str, Any]] = self._engine.ask(
            lambda api: api.containers(all=True, filters=of_instance(identity))
        )
        wanted = [one["Id"] for one in listed]
        known = {name for one in listed for name in one.get("Names") or ()}
        for name in (container_name(identity.instance_id), former_name(identity.instance_id)):
            if f"/{name}" not in known:
                wanted.append(name)
        inspected = (self.inspect(one) for one in wanted)
        return list({one.id: one for one in inspected if one is not None}.values())

    def _wrong(self, found: Container, identity: Identity, any_generation: bool) -> str | None:
        own = found.identity
        if own is None:
            return f"container {found.name} is not Berth's"
        if not self.is_ours(own):
            return f"container {found.name} is not signed by this Berth"
        if own.instance_id != identity.instance_id or own.project != identity.project:
            return f"container {found.name} belongs to {own.instance_id}"
        if any_generation:
            return None
        same = replace(own, signature="") == replace(identity, signature="")
        if not same or not hmac.compare_digest(own.signature, identity.signature):
            return f"container {found.name} belongs to generation {own.generation}"
        return None


def refuse_foreign(sight: Sight, work: Work) -> None:
    if sight.foreign is not None:
        raise foreign(f"what stands in the place of {work.name} is not it: {sight.foreign}")


def foreign(message: str) -> ProviderError:
    return ProviderError(ProviderErrorKind.INVALID, f"{message}; it is left untouched")


def observation(sight: Sight) -> Observation:
    if sight.foreign is not None:
        return Observation(Seen.FOREIGN, "unknown", detail=sight.foreign)
    found = sight.serving
    if found is None:
        return Observation(Seen.ABSENT, ABSENT)
    seen, detail = found.meaning()
    generation = None if found.identity is None else found.identity.generation
    return Observation(seen, found.state, found.id, generation, found.endpoint, detail)

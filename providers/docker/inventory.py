"""Everything of the daemon that says it is Berth's, of this server or not: containers, and volumes left alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from domain.work import Identity, InventoryItem
from providers.docker.engine import Engine
from providers.docker.labels import INSTANCE, identity_of

_FILTER = {"label": [INSTANCE]}
_VOLUME = "volume/"


@dataclass(frozen=True)
class Holding:
    """`provider_id`: a container's id, or `volume/` and the name of a volume whose container is gone."""

    provider_id: str
    state: str
    labels: Mapping[str, str]
    endpoint: str | None = None

    @property
    def identity(self) -> Identity | None:
        return identity_of(self.labels)

    @property
    def volume(self) -> str | None:
        return self.provider_id.removeprefix(_VOLUME) if self.provider_id.startswith(_VOLUME) else None

    def item(self, is_ours: Callable[[Identity | None], bool]) -> InventoryItem:
        own = self.identity
        return InventoryItem(
            provider_id=self.provider_id,
            state=self.state,
            owned=is_ours(own),
            instance_id=self.labels.get(INSTANCE),
            deployment_id=None if own is None else own.deployment_id,
            generation=None if own is None else own.generation,
            endpoint=self.endpoint,
        )


def holdings(engine: Engine) -> list[Holding]:
    containers = list(_containers(engine))
    instances = {holding.labels.get(INSTANCE) for holding in containers}
    alone = [holding for holding in _volumes(engine) if holding.labels.get(INSTANCE) not in instances]
    return sorted(
        containers + alone, key=lambda holding: (holding.labels.get(INSTANCE) or "", holding.provider_id)
    )


def _containers(engine: Engine) -> Iterator[Holding]:
    listed: list[Mapping[str, Any]] = engine.ask(lambda api: api.containers(all=True, filters=_FILTER))
    for one in listed:
        ports = [port["PublicPort"] for port in one.get("Ports") or () if port.get("PublicPort")]
        endpoint = f"127.0.0.1:{min(ports)}" if ports else None
        yield Holding(one["Id"], one["State"], one.get("Labels") or {}, endpoint)


def _volumes(engine: Engine) -> Iterator[Holding]:
    listed: Mapping[str, Any] = engine.ask(lambda api: api.volumes(filters=_FILTER))
    for one in listed.get("Volumes") or ():
        yield Holding(f"{_VOLUME}{one['Name']}", "volume", one.get("Labels") or {})

"""Bringing a container to the shape of its work: making it, changing its limits, replacing it.

A replacement keeps name, identity and volumes, and can be killed at any point: the old container is set aside
under another name, the new one is made beside it, and only then the old one is stopped and removed. Should the new
one not come to be, the old one goes on as if nothing had been asked.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from domain.errors import ProviderError, ProviderErrorKind
from domain.work import Call
from providers.docker import ending
from providers.docker.container import DEAD, Container, in_use
from providers.docker.engine import Engine
from providers.docker.failures import NameInUse, NetworkMissing, NoQuota
from providers.docker.images import Images
from providers.docker.labels import container_name, former_name
from providers.docker.networks import Networks
from providers.docker.shape import Limits, Parts, Shape, creation, host_options
from providers.docker.sight import Eyes, Sight
from providers.docker.volumes import Volumes


@dataclass(frozen=True)
class Making:
    """The hands of the provider."""

    engine: Engine
    eyes: Eyes
    images: Images
    networks: Networks
    volumes: Volumes

    def tidy(self, sight: Sight, shape: Shape, call: Call) -> Container | None:
        """End an interrupted replacement either way: what matches the work stays, else the newer one."""
        current, former = sight.current, sight.former
        if former is None:
            return current
        if current is not None and (_fits(current, shape) or not _fits(former, shape)):
            self._discard(former, call)
            return current
        if current is not None:
            self._discard(current, call)
        return self._rename(former, container_name(shape.work.instance_id), call)

    def bring(self, found: Container | None, shape: Shape, call: Call) -> Container:
        """From what is there, or nothing, to a container of this shape; whether it runs stays as it was."""
        if found is None:
            return self._make(shape, self.images.require(shape.recipe.image, call), call)
        if not _fits(found, shape) or found.limits.drops(shape.limits) or found.state == DEAD:
            return self._replace(found, shape, self.images.require(shape.recipe.image, call), call)
        if found.limits != shape.limits:
            return self._limit(found, shape.limits, call)
        return found

    def _make(self, shape: Shape, image: Mapping[str, Any], call: Call) -> Container:
        work = shape.work
        volumes = self.volumes.ensure(work, shape.recipe.volumes, image, call)
        network = self.networks.ensure(work.identity, call)
        parts = Parts(str(image["Id"]), network, volumes, work.resources.disk_gb)
        with contextlib.suppress(NameInUse):  # another attempt of ours was faster, or its answer was lost
            try:
                self._create(shape, parts, call)
            except NoQuota:
                self._create(shape, replace(parts, disk_gb=None), call)
        name = container_name(work.instance_id)
        made = self.eyes.look(work.identity)
        if made.foreign is not None:
            raise ProviderError(ProviderErrorKind.INVALID, f"{made.foreign}; it is left untouched")
        if made.current is None:
            raise ProviderError(ProviderErrorKind.TRANSIENT, f"container {name} is being made by somebody else")
        return made.current

    def _create(self, shape: Shape, parts: Parts, call: Call) -> None:
        name, hide = container_name(shape.work.instance_id), shape.recipe.secrets.values()
        self.engine.act(
            call,
            lambda api: api.create_container(
                name=name,
                **creation(shape, parts),
                host_config=api.create_host_config(**host_options(shape, parts)),
            ),
            hide=hide,
        )

    def _replace(self, old: Container, shape: Shape, image: Mapping[str, Any], call: Call) -> Container:
        call.progress(f"replacing the container of {shape.work.name}")
        aside = self._rename(old, former_name(shape.work.instance_id), call)
        try:
            new = self._make(shape, image, call)
        except ProviderError as error:
            if not error.retryable:
                self._rename(aside, container_name(shape.work.instance_id), call)
            raise
        self._discard(aside, call)
        return self.start(new, shape, call) if old.lives else new

    def start(self, container: Container, shape: Shape, call: Call) -> Container:
        """Start one that does not run."""
        try:
            self.engine.act(call, lambda api: api.start(container.id))
        except NetworkMissing:
            self.networks.attach(container, shape.work.identity, call)
            self.engine.act(call, lambda api: api.start(container.id))
        return self._again(container)

    def _limit(self, container: Container, limits: Limits, call: Call) -> Container:
        if container.lives and 0 < limits.memory < container.limits.memory:
            self._require_room(container, limits.memory)
        self.engine.act(call, lambda api: api.update_limits(container.id, limits.as_update()))
        return self._again(container)

    def _require_room(self, container: Container, memory: int) -> None:
        """Some kernels refuse a limit below what is used, others kill the process at once."""
        stats = self.engine.ask(lambda api: api.stats(container.id, stream=False, one_shot=True))
        used = in_use(stats.get("memory_stats") or {})
        if used > memory:
            raise ProviderError(
                ProviderErrorKind.INVALID,
                f"it uses {used >> 20} MB of memory now, more than {memory >> 20}; stop it first, or allow more",
            )

    def _discard(self, container: Container, call: Call) -> None:
        ending.stop(self.engine, container, call)
        ending.remove(self.engine, container, call)

    def _rename(self, container: Container, name: str, call: Call) -> Container:
        self.engine.act(call, lambda api: api.rename(container.id, name))
        return replace(container, name=name)

    def _again(self, container: Container) -> Container:
        found = self.eyes.inspect(container.id)
        if found is None:
            raise ProviderError(ProviderErrorKind.TRANSIENT, f"container {container.name} vanished meanwhile")
        return found


def _fits(container: Container, shape: Shape) -> bool:
    return shape.matches(container.labels, container.environment)

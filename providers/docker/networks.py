"""One network per server and project, on which instances reach each other by container name.

Made with the first container, removed with the last. Docker may let two processes make two of one name; the next
that comes by leaves one.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from domain.errors import ProviderError, ProviderErrorKind
from domain.work import Call, Identity
from providers.docker.container import Container
from providers.docker.engine import Engine
from providers.docker.labels import PROJECT, SERVER, network_name, of_project
from providers.docker.sight import foreign

_IN_USE = "active endpoints"


class Networks:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._one_at_a_time = threading.Lock()

    def ensure(self, identity: Identity, call: Call) -> str:
        """Its id."""
        found = self._find(identity) or self._made(identity, call)
        if not found:
            raise ProviderError(
                ProviderErrorKind.TRANSIENT, f"network {network_name(identity)} was removed while it was made"
            )
        return self._one_of(found, call)

    def _one_of(self, found: Sequence[str], call: Call) -> str:
        """Containers find each other by the network's name, so what another process made meanwhile must go."""
        kept = found[0]
        for other in found[1:]:
            try:
                self._remove(other, call)
            except ProviderError as error:
                if _IN_USE in error.message:
                    with contextlib.suppress(ProviderError):  # both are used: what follows says so
                        self._remove(kept, call)
                    kept = other
        return kept

    def attach(self, container: Container, identity: Identity, call: Call) -> None:
        """Bring a container that does not run back to its project's network, which was made anew."""
        network = self.ensure(identity, call)
        former = container.network_id or network_name(identity)
        with contextlib.suppress(ProviderError):  # what is gone cannot be left
            self._engine.act(
                call, lambda api: api.disconnect_container_from_network(container.id, former, force=True)
            )
        self._engine.act(call, lambda api: api.connect_container_to_network(container.id, network))

    def release(self, identity: Identity, call: Call) -> None:
        """Remove it when no container of the project is left, running or not."""
        listed = self._engine.ask(lambda api: api.containers(all=True, filters=of_project(identity)))
        for found in () if listed else self._find(identity):
            with contextlib.suppress(ProviderError):  # somebody joined, or removed it first: either is right
                self._remove(found, call)

    def _find(self, identity: Identity) -> list[str]:
        """Ids, the oldest first."""
        name = network_name(identity)
        listed: list[Mapping[str, Any]] = self._engine.ask(lambda api: api.networks(names=[name]))
        same = [one for one in listed if one["Name"] == name]
        for one in same:
            labels = one.get("Labels") or {}
            if labels.get(SERVER) != identity.server_id or labels.get(PROJECT) != identity.project:
                raise foreign(f"network {name} is not this Berth's")
        return [one["Id"] for one in sorted(same, key=lambda one: (one["Created"], one["Id"]))]

    def _remove(self, network: str, call: Call) -> None:
        self._engine.act(call, lambda api: api.remove_network(network))

    def _made(self, identity: Identity, call: Call) -> list[str]:
        labels = {SERVER: identity.server_id, PROJECT: identity.project}
        name = network_name(identity)
        with self._one_at_a_time:
            found = self._find(identity)
            if not found:
                self._engine.act(
                    call,
                    lambda api: api.create_network(name, driver="bridge", check_duplicate=True, labels=labels),
                )
        return found or self._find(identity)

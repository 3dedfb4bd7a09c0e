"""Being told by the cluster what happens to Deployments and pods, and listing all Deployments of this Berth.

One watch per kind and namespace: the account need not see more of the cluster than the projects' namespaces.
"""

from __future__ import annotations

from collections.abc import Iterator

from domain.glimpses import Glimpse
from domain.work import Seen
from providers.base import Bell
from providers.kubernetes.api import Api
from providers.kubernetes.inventory import namespaces
from providers.kubernetes.judge import state_of
from providers.kubernetes.naming import INSTANCE, SERVER, identity_of
from providers.kubernetes.resources import DEPLOYMENT, POD, Resource
from providers.kubernetes.watch import Feed

_KINDS = (DEPLOYMENT, POD)
_NAMESPACES_SECONDS = 10.0
"""How soon the namespace of a new project is watched."""
_TROUBLE_SECONDS = 0.5
_SEEN = {"Running": Seen.UP, "Stopped": Seen.DOWN}


def follow(api: Api, prefix: str, server_id: str, bell: Bell) -> None:
    """Until nobody listens. Raises `ProviderError` as soon as one of the watches hears nothing any more."""
    feeds: dict[tuple[Resource, str], Feed] = {}
    try:
        rounds = 0
        bell.ring(None)
        while True:
            if rounds % int(_NAMESPACES_SECONDS / _TROUBLE_SECONDS) == 0:
                _start(api, prefix, server_id, bell, feeds)
            rounds += 1
            if bell.wait(_TROUBLE_SECONDS):
                return
            for feed in feeds.values():
                if feed.trouble is not None:
                    raise feed.trouble
    finally:
        for feed in feeds.values():
            feed.stop()


def _start(api: Api, prefix: str, server_id: str, bell: Bell, feeds: dict[tuple[Resource, str], Feed]) -> None:
    wanted = {(kind, namespace) for namespace in namespaces(api, prefix) for kind in _KINDS}
    for gone in feeds.keys() - wanted:
        feeds.pop(gone).stop()
    for kind, namespace in sorted(wanted - feeds.keys(), key=lambda key: (key[1], key[0].plural)):
        feed = Feed(api, kind, namespace, server_id, lambda _, instance_id: bell.ring(instance_id))
        feeds[kind, namespace] = feed
        feed.start()


def glimpses(api: Api, prefix: str, server_id: str) -> Iterator[Glimpse]:
    """One call per namespace."""
    for namespace in namespaces(api, prefix):
        for one in api.list(DEPLOYMENT, namespace, labelSelector=f"{SERVER}={server_id}"):
            metadata, identity, state = one["metadata"], identity_of(one), state_of(one)
            yield Glimpse(
                metadata["labels"].get(INSTANCE, ""),
                _SEEN.get(state, Seen.TRANSIENT),
                state,
                f"{namespace}/{metadata['name']}",
                None if identity is None else identity.generation,
            )

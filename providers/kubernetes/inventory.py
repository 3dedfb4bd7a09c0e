"""Everything in the cluster that looks like Berth's: Deployments, and what was left without one."""

from __future__ import annotations

from collections.abc import Iterator

from domain.work import InventoryItem
from providers.kubernetes.api import Api
from providers.kubernetes.judge import state_of
from providers.kubernetes.namespaces import MANAGED_SELECTOR
from providers.kubernetes.naming import INSTANCE, Ownership, identity_of, object_name
from providers.kubernetes.resources import CLAIM, DEPLOYMENT, NAMESPACE, POD, REPLICA_SET, SERVICE, Json

_LEFT = (SERVICE, CLAIM, REPLICA_SET, POD)
"""What can outlive its Deployment. A secret can too, and goes with the rest: Berth lists none."""


def inventory(api: Api, prefix: str, ownership: Ownership) -> list[InventoryItem]:
    return [item for namespace in namespaces(api, prefix) for item in _of_namespace(api, namespace, ownership)]


def namespaces(api: Api, prefix: str) -> list[str]:
    found = api.list(NAMESPACE, None, labelSelector=MANAGED_SELECTOR)
    names = [str(one["metadata"]["name"]) for one in found]
    return [name for name in names if name.startswith(f"{prefix}-")]


def _of_namespace(api: Api, namespace: str, ownership: Ownership) -> Iterator[InventoryItem]:
    deployments = api.list(DEPLOYMENT, namespace, labelSelector=INSTANCE)
    known = {one["metadata"]["labels"][INSTANCE] for one in deployments}
    for one in deployments:
        yield _item(namespace, one["metadata"]["name"], one, state_of(one), ownership)
    left: dict[str, Json] = {}
    for resource in _LEFT:
        for one in api.list(resource, namespace, labelSelector=INSTANCE):
            left.setdefault(one["metadata"]["labels"][INSTANCE], one)
    for instance_id, one in left.items():
        if instance_id not in known:
            yield _item(namespace, object_name(instance_id), one, "Leftover", ownership)


def _item(namespace: str, name: str, found: Json, state: str, ownership: Ownership) -> InventoryItem:
    identity = identity_of(found)
    return InventoryItem(
        provider_id=f"{namespace}/{name}",
        state=state,
        owned=ownership.holds(found),
        instance_id=found["metadata"]["labels"][INSTANCE] if identity is None else identity.instance_id,
        deployment_id=None if identity is None else identity.deployment_id,
        generation=None if identity is None else identity.generation,
    )

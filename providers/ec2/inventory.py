"""Everything with Berth's tags in this region: machines, and what was left behind without one."""

from __future__ import annotations

from collections.abc import Mapping

from domain.work import InventoryItem
from providers.ec2.looks import Looks
from providers.ec2.sight import TERMINATED
from providers.ec2.tags import Ownership, identity_in


def inventory(looks: Looks, ownership: Ownership) -> list[InventoryItem]:
    """Of this server and of others. A terminated machine is gone; a volume or address without a machine is not."""
    found = [
        _item(one.id, one.state, one.tags, ownership, one.endpoint)
        for one in looks.everything()
        if one.state != TERMINATED
    ]
    found += [_item(one.id, f"volume {one.state}", one.tags, ownership) for one in looks.loose_volumes()]
    found += [
        _item(one.id, "address free", one.tags, ownership) for one in looks.all_addresses() if one.holder is None
    ]
    return found


def _item(
    thing: str, state: str, tags: Mapping[str, str], ownership: Ownership, endpoint: str | None = None
) -> InventoryItem:
    identity = identity_in(tags)
    return InventoryItem(
        provider_id=thing,
        state=state,
        owned=ownership.proven(tags) is not None,
        instance_id=identity.instance_id if identity else None,
        deployment_id=identity.deployment_id if identity else None,
        generation=identity.generation if identity else None,
        endpoint=endpoint,
    )

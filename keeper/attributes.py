"""Make the search attributes of our runs known to a Temporal server that does not know them yet.

The server that `berth up` starts has them from the beginning; somebody else's gets what is missing.
"""

from __future__ import annotations

import structlog
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client

from keeper.dispatch import RPC_TIMEOUT, SEARCH_ATTRIBUTES

log = structlog.get_logger("keeper")


async def ensure_search_attributes(client: Client) -> None:
    """Add those that are missing. Raises `RPCError` when the server refuses: no operation could start then."""
    known = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace), timeout=RPC_TIMEOUT
    )
    missing = [key.name for key in SEARCH_ATTRIBUTES if key.name not in known.custom_attributes]
    if not missing:
        return
    keyword = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
    await client.operator_service.add_search_attributes(
        AddSearchAttributesRequest(namespace=client.namespace, search_attributes=dict.fromkeys(missing, keyword)),
        timeout=RPC_TIMEOUT,
    )
    log.info("search attributes added", names=missing)

"""Which Temporal namespace this database's operations ran in.

A not-found from another namespace id (a lost or swapped Temporal) proves nothing: the keeper stops until a person
acknowledges the new one. `berth up` does so for a Temporal database that it made itself.
"""

from __future__ import annotations

import asyncio
import time

import structlog
from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

from db.models import Meta
from db.session import Database
from keeper.dispatch import RPC_TIMEOUT

log = structlog.get_logger("keeper")
KEY = "temporal_namespace_id"
SWAPPED = "temporal_swapped"
_FRESH_SECONDS = 5.0


class NamespaceCheck:
    """Asks Temporal for its namespace id, and remembers the answer for a few seconds."""

    def __init__(self, database: Database, client: Client, *, accept_new: bool) -> None:
        self._database = database
        self._client = client
        self._accept_new = accept_new
        self._checked_at = 0.0
        self._holds = False

    async def holds(self) -> bool:
        """Whether this is the Temporal that the records know. False also while Temporal does not answer."""
        if self._holds and time.monotonic() - self._checked_at < _FRESH_SECONDS:
            return True
        try:
            shown = await self._client.workflow_service.describe_namespace(
                DescribeNamespaceRequest(namespace=self._client.namespace), timeout=RPC_TIMEOUT
            )
        except RPCError:
            self._holds = False
            return False
        self._holds = await asyncio.to_thread(self._compare, shown.namespace_info.id)
        self._checked_at = time.monotonic()
        return self._holds

    def _compare(self, seen: str) -> bool:
        with self._database.begin() as tx:
            known = tx.session.scalar(select(Meta.value).where(Meta.key == KEY))
            if known == seen:
                tx.session.execute(delete(Meta).where(Meta.key == SWAPPED))
                self._accept_new = False
                return True
            if known is not None and not self._accept_new:
                log.error("another Temporal than the records know", known=known, seen=seen)
                swapped = insert(Meta).values(key=SWAPPED, value=seen)
                tx.session.execute(swapped.on_conflict_do_update(index_elements=["key"], set_={"value": seen}))
                return False
            stored = insert(Meta).values(key=KEY, value=seen)
            tx.session.execute(stored.on_conflict_do_update(index_elements=["key"], set_={"value": seen}))
            tx.session.execute(delete(Meta).where(Meta.key == SWAPPED))
            self._accept_new = False
            return True

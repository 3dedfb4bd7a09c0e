"""What the keeper does of itself, once a second: give up what nobody works on, enforce holds, carry out what
billing's words and deadlines demand, begin and end maintenance.

Everything is decided by `services` from the records, each deployment in a transaction of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from db.session import Database
from domain.errors import OperationInProgress, Refused
from domain.lifecycle import Status
from services.billing.duties import BillingRules, candidates, carry_out, refused, take_back
from services.operations.abandoned import sweep_abandoned
from services.requests.maintenance import Due, due
from services.requests.maintenance import carry_out as carry_out_maintenance
from services.requests.suspension import astray, stop_unused_server, suspend_again, unused_servers

log = structlog.get_logger("keeper")
Look = Callable[[Due], Awaitable[Status | None]]
"""What one look at an instance shows now; None without an answer."""


@dataclass(frozen=True)
class Upkeep:
    """Built by the worker."""

    database: Database
    rules: BillingRules
    look: Look

    async def round(self) -> bool:
        """Everything once. Never has more to do at once. What fails is tried again by the next round."""
        try:
            await asyncio.to_thread(self.records)
            every = await asyncio.to_thread(self._due)
            for found, seen in zip(every, await asyncio.gather(*map(self._seen, every)), strict=True):
                await asyncio.to_thread(self._maintain, found, seen)
        except Exception as error:  # noqa: BLE001 - without this no hold is enforced: it outlives any trouble
            log.warning("upkeep begins again", error=type(error).__name__)
        return False

    def records(self) -> None:
        """What needs no look at anything real."""
        with self.database.begin() as tx:
            given_up = sweep_abandoned(tx)
            taken_back = take_back(tx)
            strays, unused, wanted = astray(tx), unused_servers(tx), candidates(tx)
        if given_up:
            log.warning("given up: nobody worked on it", instances=given_up)
        if taken_back:
            log.info("deletes withdrawn: they are no longer wanted", operations=taken_back)
        _each(strays, self._enforce)
        _each(unused, self._rest)
        _each(wanted, self._bill)

    def _enforce(self, deployment_id: str) -> None:
        with self.database.begin() as tx:
            made = suspend_again(tx, deployment_id)
        if made is not None:
            log.warning("a hold is enforced", deployment=deployment_id, operation=made.operation_id)

    def _rest(self, server_id: str) -> None:
        with self.database.begin() as tx:
            made = stop_unused_server(tx, server_id)
        if made is not None:
            log.info("a server of what is suspended is stopped", deployment=server_id, operation=made.operation_id)

    def _bill(self, deployment_id: str) -> None:
        try:
            with self.database.begin() as tx:
                made = carry_out(tx, deployment_id, self.rules)
        except OperationInProgress:
            return
        except Refused as refusal:
            with self.database.begin() as tx:
                if refused(tx, deployment_id, refusal):
                    log.warning("billing was refused", deployment=deployment_id, code=refusal.code)
            return
        if made is not None:
            log.info("billing's wish accepted", deployment=deployment_id, operation=made.operation_id)

    async def _seen(self, found: Due) -> Status | None:
        """All at once: a place that does not answer holds up no hold and no other maintenance."""
        if not (found.over and found.status is Status.MAINTENANCE):
            return None
        try:
            return await self.look(found)
        except Exception as error:  # noqa: BLE001 - without a look it ends in what was before
            log.warning(
                "no look at the end of maintenance", instance=found.instance_id, error=type(error).__name__
            )
            return None

    def _due(self) -> list[Due]:
        with self.database.begin() as tx:
            return due(tx)

    def _maintain(self, found: Due, seen: Status | None) -> None:
        try:
            with self.database.begin() as tx:
                made = carry_out_maintenance(tx, found, seen)
        except Refused:
            return  # somebody works on it: the next round looks again
        if made is not None:
            log.info("maintenance carried out", instance=found.instance_id, over=found.over)


def _each(deployment_ids: Sequence[str], work: Callable[[str], None]) -> None:
    """The trouble of one deployment is not that of the others."""
    for deployment_id in deployment_ids:
        try:
            work(deployment_id)
        except Exception as error:  # noqa: BLE001 - logged, and tried again by the next round
            log.warning("upkeep failed", deployment=deployment_id, error=type(error).__name__)

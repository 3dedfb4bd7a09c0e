"""Questions to a provider on behalf of a person: one look, the inventory, the logs, and scripted faults.

Temporal can be reached by others than the API: a question is answered only when this installation sealed it a
moment ago, and the answer is sealed too. They change no record, and only faults (local mode, `simulated`) change
anything at all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.databases import database_access
from activities.failures import as_temporal_failures
from activities.guarded import GuardedProvider
from activities.parts import Parts
from db.models import Instance
from domain.errors import FieldError, InvalidInput, NotFound, Refused
from domain.work import Work
from providers.base import Provider
from providers.simulated import SimulatedProvider
from providers.simulated_faults import fault_from
from services.operations.works import granted, load_work

QUESTION_SECONDS = 30
Question = dict[str, Any]


@contextmanager
def _refusals_are_answers() -> Iterator[None]:
    """Who asks about what was deleted a moment ago is told so; to the log of the worker that is no warning."""
    try:
        yield
    except Refused as error:
        raise ApplicationError(
            error.message, type=error.code, non_retryable=True, category=ApplicationErrorCategory.BENIGN
        ) from None


class AskActivities:
    """Composed by the worker, like `InstanceActivities`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    @activity.defn
    async def observe_instance(self, sealed: str) -> str:
        """`{instance_id}` → one look: `{seen, provider_state, endpoint, detail}`."""

        def look(given: Question) -> dict[str, Any]:
            provider, work = self._work(given["instance_id"])
            return asdict(provider.observe(work))

        return await self._answer("observe_instance", sealed, look)

    @activity.defn
    async def read_inventory(self, sealed: str) -> str:
        """`{provider}` → `{items: […]}`: everything that provider holds here."""

        def read(given: Question) -> dict[str, Any]:
            return {"items": [asdict(item) for item in self._parts.providers[given["provider"]].inventory()]}

        return await self._answer("read_inventory", sealed, read)

    @activity.defn
    async def read_logs(self, sealed: str) -> str:
        """`{instance_id, tail}` → `{lines: […]}`, the instance's own secrets masked."""

        def read(given: Question) -> dict[str, Any]:
            provider, work = self._work(given["instance_id"])
            lines = list(provider.logs(work, int(given["tail"])))
            return {"lines": [work.masked(line) for line in lines]}

        return await self._answer("read_logs", sealed, read)

    @activity.defn
    async def simulated_faults(self, sealed: str) -> str:
        """`{do: list|set|clear, fault?}` → `{items: […]}`: the faults that `simulated` will act out."""

        def change(given: Question) -> dict[str, Any]:
            guarded = self._parts.providers["simulated"]
            simulated = guarded.inner if isinstance(guarded, GuardedProvider) else guarded
            assert isinstance(simulated, SimulatedProvider)
            match given["do"]:
                case "set":
                    simulated.set_fault(fault_from(given["fault"]))
                case "clear":
                    simulated.clear_faults()
                case "list":
                    pass
                case other:
                    raise InvalidInput(FieldError("/do", f"{other!r} is not list, set or clear"))
            return {"items": [asdict(fault) for fault in simulated.faults()]}

        return await self._answer("simulated_faults", sealed, change)

    async def _answer(self, subject: str, sealed: str, answer: Callable[[Question], dict[str, Any]]) -> str:
        vault = self._parts.vault

        def work() -> str:
            return vault.seal(subject, answer(vault.unseal(subject, sealed, QUESTION_SECONDS)))

        with as_temporal_failures(), _refusals_are_answers():
            return await asyncio.get_running_loop().run_in_executor(self._parts.pool, work)

    def _work(self, instance_id: str) -> tuple[Provider, Work]:
        with self._parts.database.begin() as tx:
            row = tx.session.get(Instance, instance_id)
            if row is None:
                raise NotFound("instance", instance_id)
            spec = row.applied_spec or {"params": {}, "resources": {}}
            work = load_work(tx, self._parts.vault, self._parts.server_id, row, spec)
            database = granted(tx, self._parts.vault, self._parts.server_id, row.deployment_id)
        provider = self._parts.providers[row.provider]
        reached = database_access(database, self._parts)
        return provider, replace(work, recipes=self._parts.blueprints[work.blueprint], database=reached)

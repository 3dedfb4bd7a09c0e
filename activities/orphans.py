"""The sweep at one place: look again, ask the records again, and only then remove.

The question is sealed like every other (`activities.asks`). Before each mutating call of the provider the records
are asked once more whether the instance lives; every removal is an event, before and after.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from temporalio import activity

from activities.failures import as_temporal_failures
from activities.parts import Parts
from db.session import Database
from domain.errors import CallCancelled, FenceLost, ProviderError
from providers.base import Provider
from services.orphans import Orphan, Spot, Sweeper, judge, note, why_not

QUESTION_SECONDS = 30
_SECONDS = 40.0
"""For one place; what is not reached by then is said, and left to the next sweep."""
_OUT_OF_TIME = "the time of this sweep was over; sweep again"

Result = dict[str, str]


class OrphanCall:
    """`domain.work.Call` for a removal: its guard is the living check."""

    def __init__(self, database: Database, instance_id: str | None, named: bool, until: float) -> None:
        self._database = database
        self._instance_id = instance_id
        self._named = named
        self._until = until

    def guard(self) -> None:
        self._in_time()
        with self._database.read() as session:
            against = why_not(session, self._instance_id, named=self._named)
        if against is not None:
            raise FenceLost(against)

    def sleep(self, seconds: float) -> None:
        self._in_time()
        time.sleep(min(seconds, max(0.0, self._until - time.monotonic())))
        self._in_time()

    def progress(self, message: str) -> None:
        """Nobody watches a sweep step by step."""

    def _in_time(self) -> None:
        if time.monotonic() > self._until:
            raise CallCancelled(_OUT_OF_TIME)


class OrphanActivities:
    """Composed by the worker, like `AskActivities`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    @activity.defn
    async def sweep_orphans(self, sealed: str) -> str:
        """`{provider, host_id, sweeper, objects: {provider_id: named}}` → `{objects: {provider_id: result}}`."""

        def work() -> str:
            given = self._parts.vault.unseal("sweep_orphans", sealed, QUESTION_SECONDS)
            place = _Place(self._parts, Spot(given["provider"], given["host_id"]), Sweeper(**given["sweeper"]))
            return self._parts.vault.seal("sweep_orphans", {"objects": place.sweep(given["objects"])})

        with as_temporal_failures():
            return await asyncio.get_running_loop().run_in_executor(self._parts.pool, work)


class _Place:
    """One sweep of one provider."""

    def __init__(self, parts: Parts, spot: Spot, sweeper: Sweeper) -> None:
        self._database = parts.database
        self._provider: Provider = parts.providers[spot.provider]
        self._spot = spot
        self._sweeper = sweeper
        self._until = time.monotonic() + _SECONDS

    def sweep(self, wanted: Mapping[str, bool]) -> dict[str, Result]:
        """What became of each object that was asked for."""
        items = [asdict(item) for item in self._provider.inventory()]
        with self._database.read() as session:
            orphans = {orphan.provider_id: orphan for orphan in judge(session, self._spot, items)}
        there = {item["provider_id"] for item in items}
        results: dict[str, Result] = {}
        for provider_id, named in wanted.items():
            orphan = orphans.get(provider_id)
            if orphan is not None and orphan.may_go(named=named):
                results[provider_id] = self._remove(orphan, named)
            elif provider_id not in there:
                results[provider_id] = _result("gone", "it is not there any more")
            else:
                results[provider_id] = _result("kept", orphan.reason if orphan else "its instance lives")
        return self._proven(results)

    def _remove(self, orphan: Orphan, named: bool) -> Result:
        call = OrphanCall(self._database, orphan.item.get("instance_id"), named, self._until)
        try:
            call.guard()
            self._note(orphan, "REMOVE_REQUESTED")
            self._provider.remove(orphan.provider_id, call)
        except (FenceLost, CallCancelled) as stopped:
            return _result("kept", stopped.message)
        except ProviderError as error:
            self._note(orphan, "REMOVE_FAILED", message=error.message)
            return _result("failed", error.message)
        self._note(orphan, "REMOVED")
        return _result("removed", orphan.why)

    def _proven(self, results: dict[str, Result]) -> dict[str, Result]:
        """What a provider has only accepted to remove still shows; it is not called removed."""
        removed = [key for key, result in results.items() if result["outcome"] == "removed"]
        if not removed:
            return results
        left = self._still_there(removed)
        return {key: _result("removing", left[key]) if key in left else result for key, result in results.items()}

    def _still_there(self, removed: Iterable[str]) -> dict[str, str]:
        try:
            states = {item.provider_id: item.state for item in self._provider.inventory()}
        except ProviderError as error:
            return dict.fromkeys(removed, f"accepted; whether it is gone cannot be seen: {error.message}")
        return {key: f"accepted; it still shows as {states[key]}" for key in removed if key in states}

    def _note(self, orphan: Orphan, what: str, **more: Any) -> None:
        with self._database.begin() as tx:
            note(tx, self._sweeper, orphan, what, **more)


def _result(outcome: str, reason: str) -> Result:
    return {"outcome": outcome, "reason": reason}

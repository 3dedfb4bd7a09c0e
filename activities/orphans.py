"""The sweep at one place: look again, ask the records again, and only then remove.

The question is sealed like every other (`activities.asks`). Before each mutating call of the provider the records
are asked once more whether the instance lives; every removal is an event, before and after.
"""

from __future__ import annotations

import asyncio
import random
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
from services.watching.orphans import Orphan, Spot, Sweeper, judge, note, why_not

QUESTION_SECONDS = 30
SECONDS = 40.0
"""For one place; what is not reached by then is said, and left to the next sweep."""
_SLICE, _LEAST, _LONGER = 5.0, 1.0, 15.0
"""For one object, so that one that does not end holds up no other: at first, at least, and when all had theirs."""
_OUT_OF_TIME = "its time in this sweep was over; sweep again"

Result = dict[str, str]


class OrphanCall:
    """`domain.work.Call` for a removal: its guard is the living check."""

    attempt = None

    def __init__(self, database: Database, instance_id: str | None, named: bool, until: float) -> None:
        self._database = database
        self._instance_id = instance_id
        self._named = named
        self._until = until
        self.sent = False
        """Whether a call that removes something went out."""
        self.said = ""
        """The last that the provider told of its waiting."""

    def check(self) -> None:
        """Raises what speaks against the removal now."""
        self._in_time()
        with self._database.read() as session:
            against = why_not(session, self._instance_id, named=self._named)
        if against is not None:
            raise FenceLost(against)

    def guard(self) -> None:
        self.check()
        self.sent = True

    def sleep(self, seconds: float) -> None:
        self._in_time()
        time.sleep(min(seconds, max(0.0, self._until - time.monotonic())))
        self._in_time()

    def progress(self, message: str) -> None:
        self.said = message

    def unfinished(self) -> Result | None:
        """What was asked of the provider, now or before, and is not proven. None: nothing was."""
        asked = "accepted" if self.sent else "asked for before"
        words = ": ".join(filter(None, (f"{asked}, not gone yet", self.said)))
        return _result("removing", words) if self.sent or self.said else None

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
            spot = Spot(given["provider"], given["host_id"])
            provider = self._parts.providers[spot.provider]
            sweep = Sweep(self._parts.database, provider, spot, Sweeper(**given["sweeper"]))
            return self._parts.vault.seal("sweep_orphans", {"objects": sweep.run(given["objects"])})

        with as_temporal_failures():
            return await asyncio.get_running_loop().run_in_executor(self._parts.pool, work)


class Sweep:
    """One sweep of one provider."""

    def __init__(self, database: Database, provider: Provider, spot: Spot, sweeper: Sweeper) -> None:
        self._database = database
        self._provider = provider
        self._spot = spot
        self._sweeper = sweeper
        self._until = time.monotonic() + SECONDS

    def run(self, wanted: Mapping[str, bool]) -> dict[str, Result]:
        """What became of each object that was asked for."""
        items = [asdict(item) for item in self._provider.inventory()]
        with self._database.read() as session:
            orphans = {orphan.provider_id: orphan for orphan in judge(session, self._spot, items)}
        there = {item["provider_id"] for item in items}
        going: dict[str, tuple[Orphan, bool]] = {}
        results: dict[str, Result] = {}
        for provider_id, named in wanted.items():
            orphan = orphans.get(provider_id)
            if orphan is not None and orphan.may_go(named=named):
                going[provider_id] = (orphan, named)
            elif provider_id not in there:
                results[provider_id] = _result("gone", "it is not there any more")
            else:
                results[provider_id] = _result("kept", orphan.reason if orphan else "its instance lives")
        return self._proven(results | self._removed(going))

    def _removed(self, going: Mapping[str, tuple[Orphan, bool]]) -> dict[str, Result]:
        """Each gets a short while; those that need longer get what is left of the time.

        In any order, so that no sweep after sweep stays with the same ones where too many do not end.
        """
        results: dict[str, Result] = {}
        order = random.sample(list(going), len(going))
        for left, key in zip(range(len(order), 0, -1), order, strict=True):
            share = max(_LEAST, (self._until - time.monotonic()) / left)
            results[key] = self._remove(*going[key], min(_SLICE, share))
        for key in order:
            if results[key]["outcome"] == "removing" and time.monotonic() < self._until:
                results[key] = self._remove(*going[key], _LONGER, again=True)
        return results

    def _remove(self, orphan: Orphan, named: bool, seconds: float, *, again: bool = False) -> Result:
        until = min(self._until, time.monotonic() + seconds)
        call = OrphanCall(self._database, orphan.item.get("instance_id"), named, until)
        call.sent = again
        try:
            call.check()
            if not again:
                self._note(orphan, "REMOVE_REQUESTED")
            self._provider.remove(orphan.provider_id, call)
        except FenceLost as lost:
            return _result("kept", lost.message)
        except CallCancelled as over:
            return call.unfinished() or _result("kept", over.message)
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

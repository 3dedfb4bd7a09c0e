"""What must hold whatever was asked: after each step, and more of it once nothing is in flight.

What exists is read from the provider's file; the records only say what should.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import Row

from domain.lifecycle import IN_PROGRESS
from tests.machine.sight import UNFINISHED, Effect, Sight, Thing
from tests.machine.world import World
from tests.support.workers import wait_for

_BUSY = frozenset(status.value for status in IN_PROGRESS)
_AFTER_DEADLINE = timedelta(seconds=90)
"""Grace of a cancel, clean-up, and the hold of a lost run."""
_ALSO = {
    "delete": ["create"],
    "start": ["modify", "unsuspend"],
    "stop": ["suspend", "unsuspend"],
    "create": ["unsuspend"],
}
"""A create that failed is cleaned up; a modify from `error` starts what is down; a hold stops, its end starts."""
_CLOCK_SECONDS = 0.05
"""Between the fence and the moment that the journal notes."""


@dataclass
class Watch:
    """The memory of one example: what was seen before must not be taken back."""

    world: World
    deployments: set[str] = field(default_factory=set)
    may_vanish: bool = False
    """A look was told to lose what it looks at: then what is said to run may be gone."""
    cursor: str = ""
    _ended: dict[str, tuple[object, ...]] = field(default_factory=dict)
    _versions: dict[str, int] = field(default_factory=dict)
    _chain: dict[str, tuple[str, int]] = field(default_factory=dict)
    _at_rest: dict[str, tuple[set[str], Mapping[tuple[str, str], int]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.cursor = self.world.api.get("/events?limit=1")["next"]

    # --- after each step

    def glance(self) -> None:
        """The cheap ones."""
        calls, things_before = self.world.file.calls(), self.world.file.things()
        sight = self.world.look(self.deployments)
        things_after = self.world.file.things()
        calls_after = self.world.file.calls()
        self._objects(sight, things_before, things_after)
        self._nothing_runs_under_a_hold(sight, things_before, things_after)
        self._one_at_a_time(sight)
        self._nothing_taken_back(sight)
        self._no_call_without_operation(sight, calls, calls_after)
        self._feed()

    def _objects(self, sight: Sight, before: Mapping[str, Thing], after: Mapping[str, Thing]) -> None:
        for run in sight.runs:
            assert run.instance_id not in after, f"{run.name} is finished, but its object exists: {after}"
        for thing in before.values():
            if thing.deployment_id in self.deployments and thing.instance_id not in sight.instances:
                assert thing.instance_id not in after, f"an orphan: {thing}"

    def _nothing_runs_under_a_hold(
        self, sight: Sight, before: Mapping[str, Thing], after: Mapping[str, Thing]
    ) -> None:
        """What a suspension has stopped stays down until the next operation."""
        for deployment_id in sight.deployments:
            last = sight.of(deployment_id)[-1:]
            if not last or (last[0].kind, last[0].status) != ("suspend", "succeeded"):
                continue
            touched = {move.instance_id for move in sight.moves if move.operation_id == last[0].id}
            for key in touched & before.keys() & after.keys():
                up = before[key].state == after[key].state == "running"
                assert not up, f"{sight.instances[key].name} is held, and runs: {after[key]}"
                assert sight.instances[key].status == "suspended", f"{key} is {sight.instances[key].status}"

    def _one_at_a_time(self, sight: Sight) -> None:
        for deployment_id in self.deployments:
            rows = sight.of(deployment_id)
            running = [row.id for row in rows if row.status == "running"]
            assert len(running) <= 1, f"two run at once: {running}"
            holding = [row.id for row in rows if row.status in UNFINISHED and row.pre_empted_by is None]
            assert len(holding) <= 1, f"two hold at once: {holding}"
            for number, row in enumerate(rows):
                for earlier in rows[:number]:
                    over = earlier.finished_at is not None and earlier.finished_at <= row.created_at
                    assert over or earlier.pre_empted_by, f"{row.kind} {row.id} was accepted during {earlier.id}"
        for row in sight.unfinished:
            late = row.deadline_at is not None and sight.at > row.deadline_at + _AFTER_DEADLINE
            assert not late, f"unfinished past its deadline: {self.world.story(row.id)}"

    def _nothing_taken_back(self, sight: Sight) -> None:
        for row in sight.operations.values():
            if row.status not in UNFINISHED:
                end = (row.status, row.finished_at, row.error)
                assert self._ended.setdefault(row.id, end) == end, (
                    f"{row.id} ended twice: {self._ended[row.id]}, {end}"
                )
        for row in [*sight.instances.values(), *sight.deployments.values()]:
            before = self._versions.get(row.id, 0)
            assert row.version >= before, f"the version of {row.name} fell from {before} to {row.version}"
            self._versions[row.id] = row.version

    def _no_call_without_operation(
        self, sight: Sight, before: Mapping[tuple[str, str], int], after: Mapping[tuple[str, str], int]
    ) -> None:
        """A deployment at rest is left alone until something is accepted."""
        for deployment_id in self.deployments:
            ids = {row.id for row in sight.of(deployment_id)}
            rested = self._at_rest.get(deployment_id)
            members = {move.instance_id for move in sight.moves if move.operation_id in ids}
            if rested is not None and rested[0] == ids:
                now = {key: n for key, n in before.items() if key[0] in members}
                assert now == rested[1], f"provider calls without an operation: {rested[1]} became {now}"
            self._at_rest.pop(deployment_id, None)
            if not any(sight.operations[i].status in UNFINISHED for i in ids):
                self._at_rest[deployment_id] = ids, {k: n for k, n in after.items() if k[0] in members}

    def _feed(self) -> None:
        """The feed has every change of an instance once, in order: each begins where the last one ended."""
        while True:
            page = self.world.api.get(f"/events?limit=200&after={self.cursor}")
            assert not page["snapshot_required"]
            for event in page["items"]:
                if event["deployment_id"] in self.deployments and event["instance_id"] is not None:
                    self._link(event)
            self.cursor = page["next"]
            if len(page["items"]) < 200:
                return

    def _link(self, event: Mapping[str, Any]) -> None:
        key = event["instance_id"]
        status, version = self._chain.get(key, ("creating", 0))
        assert event["from"] == status, f"{key} was {status}, but the next event says so: {event}"
        assert event["version"] >= version, f"{key} was at version {version}, the next event says {event}"
        self._chain[key] = (event["to"], event["version"])

    # --- once nothing is in flight

    def at_rest(self) -> None:
        """Everything is settled, and the provider holds what the records say, no more and no less."""
        self.world.wait_still(self.deployments)
        self.glance()
        sight, things = self.world.look(self.deployments), self.world.file.things()
        assert not sight.unfinished, [self.world.story(row.id) for row in sight.unfinished]
        assert not sight.open_steps, f"steps that are open after the end: {sight.open_steps}"
        for row in sight.instances.values():
            self._settled(row, things.get(row.id))
        self._lives(sight, things)
        self._effects_belong(sight, self.world.file.effects())
        for key, (status, _) in self._chain.items():
            shown = sight.instances[key].status if key in sight.instances else "terminated"
            assert status == shown, f"the feed ends with {status} where the record of {key} says {shown}"
        for row in sight.deployments.values():
            self._whole(sight, row)

    def empty(self) -> None:
        """Once all is deleted, nothing is left anywhere."""
        own = self.deployments
        assert not [thing for thing in self.world.file.things().values() if thing.deployment_id in own]
        inventory = self.world.inventory()
        assert not [item for item in inventory if item["deployment_id"] in own], inventory
        wait_for(lambda: not self.world.open_runs(own), 10, "workflow runs are still open")

    def _settled(self, row: Row[Any], thing: Thing | None) -> None:
        assert row.status not in _BUSY, f"{row.name} is {row.status}, and nothing works on it"
        # A suspended one may say why its unsuspension failed.
        fits = row.status == "suspended" or (row.status == "error") == (row.error_message is not None)
        assert fits, f"{row.name}: {row.status}, {row.error_message}"
        if row.status not in {"running", "stopped"}:
            return
        assert row.provisioning_status == "completed", f"{row.name} is {row.status} and {row.provisioning_status}"
        if thing is None:
            assert self.may_vanish, f"{row.name} is {row.status}, but the provider has no object"
            return
        assert thing.state == row.status, f"{row.name} is {row.status}, but its object is {thing.state}"
        wanted = {name: value for name, value in row.applied_spec["params"].items() if name != "simulate"}
        assert thing.params == wanted, f"{row.name} is said to have {wanted}, its object has {thing.params}"

    def _lives(self, sight: Sight, things: Mapping[str, Thing]) -> None:
        """Each instance lives or has one finished life; each object belongs to one that lives."""
        ever = {move.instance_id for move in sight.moves}
        ended = [run.instance_id for run in sight.runs]
        assert len(ended) == len(set(ended)), f"finished twice: {ended}"
        for instance_id in ever:
            living, gone = instance_id in sight.instances, instance_id in ended
            assert living != gone, f"{instance_id}: living {living}, finished {gone}"
        own = [thing for thing in things.values() if thing.deployment_id in self.deployments]
        orphans = [thing for thing in own if thing.instance_id not in sight.instances]
        assert not orphans, f"objects without a record: {orphans}"
        names = [thing.name for thing in own]
        assert len(names) == len(set(names)), f"two objects of one name: {own}"

    def _effects_belong(self, sight: Sight, effects: list[Effect]) -> None:
        """Whatever changed at the provider was done while an operation that asks for it was running."""
        own = {move.instance_id for move in sight.moves}
        for effect in effects:
            if effect.instance_id not in own or effect.verb == "vanished":
                continue
            verbs = {effect.verb, *_ALSO.get(effect.verb, ())}
            asked = [m for m in sight.moves if m.instance_id == effect.instance_id and m.verb in verbs]
            rows = [sight.operations[move.operation_id] for move in asked]
            times = [(row.id, row.status, row.started_at, row.finished_at) for row in rows]
            assert any(_during(row, effect.at) for row in rows), f"{effect} belongs to none of {times}"

    def _whole(self, sight: Sight, row: Row[Any]) -> None:
        """After a change that succeeded the deployment is what was asked for."""
        last = sight.of(row.id)[-1]
        members = sight.members(row.id)
        assert members, f"{row.name} has no instance left"
        if last.status != "succeeded" or last.kind not in {"create", "modify"}:
            return
        wanted = {"params": row.params, "resources": row.resources}
        assert len(members) == row.members, f"{row.name} wants {row.members} and has {len(members)}"
        assert all(m.applied_spec == wanted for m in members), f"{row.name}: not everybody has {wanted}"


def _during(row: Row[Any], at: float) -> bool:
    """Whether the operation was running then."""
    if row.started_at is None:
        return False
    begun = bool(row.started_at.timestamp() <= at)
    return begun and (row.finished_at is None or bool(at <= row.finished_at.timestamp() + _CLOCK_SECONDS))

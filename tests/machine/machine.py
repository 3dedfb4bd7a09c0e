"""The machine: everything that people, programs and bad luck do to a Berth, in any order.

A move is plain numbers and words; what they mean is found out when it is made, because what is there then depends
on how far earlier operations have come. Only `patient` ones wait for an end: several operations are in flight.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from providers.simulated_faults import Fault, FaultKind, Verb
from tests.machine.asking import ACCEPTED, GONE, REFUSED, STALE, Asking, Post, latest
from tests.machine.invariants import Watch
from tests.machine.moves import SLOTS, Move, moves, numbers, scripts
from tests.machine.sight import UNFINISHED
from tests.machine.world import World

_QUIET_SECONDS = 60.0
_PATIENCE_SECONDS = 2.0
_DELETES = 6
_DEAR = 2
"""How often an example may do what takes seconds."""
_NUMBERS = itertools.count(1)
_WHOLE = {"start", "stop", "restart", "suspend", "unsuspend", "delete"}
"""What a deployment takes for all its members."""
_CALLS = {"suspend": "stop", "unsuspend": "start"}
"""What the provider is asked for then."""


class Machine(RuleBasedStateMachine):
    """Three names, each a deployment or free. Every example leaves the Berth empty."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self.world.examples += 1
        self.watch = Watch(self.world)
        self.asking = Asking(self.world, self.watch)
        self.names = [f"m{next(_NUMBERS)}-{slot}" for slot in range(SLOTS)]
        self.kills = self.ends = self.waits = 0

    @initialize(number=numbers, script=scripts)
    def begin(self, number: int, script: dict[str, Any]) -> None:
        self.create(0, number, "one", {})
        self.create(1, 1, "one", script)

    @rule(move=moves)
    def step(self, move: Move) -> None:
        self.world.made[move.name] += 1
        with self.telling():
            getattr(self, move.name)(**move.given)

    @invariant()
    def nothing_is_wrong(self) -> None:
        with self.telling():
            self.watch.glance()

    # --- people and programs

    def create(self, slot: int, number: int, greeting: str, script: dict[str, Any]) -> None:
        before = self.asking.see()
        form = self.asking.living(self.names[slot])
        answer = self.asking.ask("POST", "/deployments", self._body(slot, number, greeting, script))
        if answer.status_code == ACCEPTED:
            assert form is None or before.unfinished, "a second one of the same name"
            return
        assert answer.json()["code"] == "name-taken", answer.text
        assert form is not None, "the name was free"
        self.asking.unchanged(before, form["id"])

    def act(self, slot: int, action: str, member: int | None, patient: bool) -> None:
        self._fill(slot, patient)
        self.asking.act(self.names[slot], self._post(slot, action, member))

    def act_in_vain(self, slot: int, action: str, kind: FaultKind, times: int, seconds: float) -> None:
        """The provider has a fault for what is asked next, in the first of the members."""
        self._fill(slot, patient=True)
        post = self._post(slot, action, None)
        verb = Verb(_CALLS.get(post.action, post.action))
        self.world.spine.provider.set_fault(Fault(verb, kind, times, seconds, self.names[slot]))
        self.asking.act(self.names[slot], post)

    def delete(self, slot: int, member: int | None) -> None:
        self.asking.act(self.names[slot], Post("delete", member))

    def modify(
        self, slot: int, number: int, greeting: str, script: dict[str, Any], stale: bool, patient: bool
    ) -> None:
        self._fill(slot, patient)
        before = self.asking.see()
        form = self.asking.living(self.names[slot])
        if form is None:
            return
        patch = {"params": {"greeting": greeting, "simulate": script or None}, "members": number}
        tag = f'"{form["version"] - stale}"'
        send = partial(self.asking.ask, "PATCH", f"/deployments/{self.names[slot]}", patch, If_Match=tag)
        answer = self.asking.checked(before, form["id"], send)
        right = {GONE, STALE} if stale else {GONE, ACCEPTED, REFUSED}
        if self.asking.see().own_since(before, form["id"]):
            right |= {STALE}  # the version was raised by Berth itself
        assert answer.status_code in right, answer.text

    def cancel(self, slot: int) -> None:
        before = self.asking.see()
        form = self.asking.living(self.names[slot])
        last = latest(before, form["id"]) if form else None
        if form is None or last is None:
            return
        send = partial(self.asking.ask, "POST", f"/operations/{last.id}/cancel")
        answer = self.asking.checked(before, form["id"], send)
        now = self.asking.see().operations[last.id]
        if answer.status_code == ACCEPTED:
            assert last.status in UNFINISHED, "it was over"
            assert last.status == "pending" or last.kind != "delete", "a delete that has begun was taken back"
        else:
            done = now.status not in UNFINISHED
            assert done or (now.kind == "delete" and now.status == "running"), answer.text

    def retry(self, slot: int, patient: bool) -> None:
        self._fill(slot, patient)
        before = self.asking.see()
        form = self.asking.living(self.names[slot])
        failed = latest(before, form["id"], frozenset({"failed", "cancelled"})) if form else None
        if form is None or failed is None:
            return
        send = partial(self.asking.ask, "POST", f"/operations/{failed.id}/retry")
        answer = self.asking.checked(before, form["id"], send)
        if answer.status_code == ACCEPTED:
            assert answer.json()["operation"]["retry_of"] == failed.id
            return
        idle = not [row for row in before.of(form["id"]) if row.status in UNFINISHED]
        left = [m.name for m in before.members(form["id"]) if m.status == "error" and m.operation_id == failed.id]
        held = before.held(form["id"])
        assert held or not (idle and left), f"{left} can be repaired, but {answer.text}"

    def abort(self, slot: int) -> None:
        """Nobody wants a failed run to listen any longer."""
        before = self.asking.see()
        form = self.asking.living(self.names[slot])
        failed = latest(before, form["id"], frozenset({"failed"})) if form else None
        if failed is not None:
            answer = self.asking.ask("POST", f"/operations/{failed.id}/abort")
            assert (answer.status_code == ACCEPTED) <= (failed.parked_until is not None), answer.text

    def say_it_twice(self, slot: int, change: str, member: int | None, at_once: bool) -> None:
        """One Idempotency-Key, two requests, one operation."""
        self._fill(slot)
        before = self.asking.see()
        form = self.asking.living(self.names[slot])
        if form is None:
            return
        post = self._post(slot, change, member)
        key = f"key-{self.names[slot]}-{len(self.asking.said)}"
        send = [partial(self.asking.post, self.names[slot], form, post, Idempotency_Key=key)] * 2
        answers = self.asking.at_once(send) if at_once else [one() for one in send]
        made = {a.json()["operation"]["id"] for a in answers if a.status_code == ACCEPTED}
        # A delete that meets another one joins it: the key then stands for nothing, and a repeat may begin anew.
        joined = change == "delete" and bool(made & set(before.operations))
        assert len(made) <= 1 or joined, f"one key, two operations: {made}"
        new = {row.id for row in self.asking.see().asked_since(before, form["id"])}
        assert new <= made, f"{new} came from {made}"
        if answers[0].status_code == ACCEPTED:
            assert at_once or answers[1].status_code == ACCEPTED, answers[1].text

    def contradict(self, slot: int, first: str, second: str, member: int | None) -> None:
        """Two requests at the same moment: what is accepted is there, and nothing else."""
        self._fill(slot)
        before = self.asking.see()
        form = self.asking.living(self.names[slot])
        if form is None:
            return
        posts = [self._post(slot, word, member) for word in (first, second)]
        answers = self.asking.at_once([partial(self.asking.post, self.names[slot], form, post) for post in posts])
        made = {a.json()["operation"]["id"] for a in answers if a.status_code == ACCEPTED}
        new = {row.id for row in self.asking.see().asked_since(before, form["id"])}
        assert new <= made <= new | set(before.operations), f"{new} came from {made}"

    # --- bad luck

    def misbehave(
        self, slot: int, everywhere: bool, verb: Verb, kind: FaultKind, times: int, seconds: float
    ) -> None:
        """From now on the provider has this fault, for one instance or for all."""
        self.watch.may_vanish |= verb is Verb.OBSERVE and kind is FaultKind.GONE
        who = "*" if everywhere else self.names[slot]
        self.world.spine.provider.set_fault(Fault(verb, kind, times, seconds, who))

    def behave(self) -> None:
        self.world.spine.provider.clear_faults()

    def kill_the_worker(self) -> None:
        self.kills += 1
        if self.kills <= _DEAR:
            self.world.kill_worker()

    def end_the_run(self, slot: int, how: str) -> None:
        """Somebody ends the workflow itself."""
        self.ends += 1
        form = self.asking.living(self.names[slot])
        if form is not None and self.ends <= _DEAR:
            self.asking.said.append(f"{how} the run of {form['id']}")
            self.world.end_run(form["id"], how)

    # --- time

    def pass_time(self, seconds: float) -> None:
        time.sleep(seconds)

    def wait_for_the_end(self) -> None:
        self.waits += 1
        if self.waits <= _DEAR:
            self.world.wait_quiet(self.watch.deployments, _QUIET_SECONDS)
            self.watch.at_rest()

    def teardown(self) -> None:
        """Let everything end, check it, delete it all, check that nothing is left."""
        with self.telling():
            try:
                self.world.wait_quiet(self.watch.deployments, _QUIET_SECONDS)
                self.watch.at_rest()
            finally:
                self.world.spine.provider.clear_faults()
                self._delete_all()
            self.watch.at_rest()
            self.watch.empty()

    def _delete_all(self) -> None:
        """A scripted fault of a deployment's own may fail a delete a few times."""
        for _ in range(_DELETES):
            left = self.world.look(self.watch.deployments).deployments
            for row in left.values():
                self.asking.ask("DELETE", f"/deployments/{row.name}")
            self.world.wait_quiet(self.watch.deployments, _QUIET_SECONDS)
        left = self.world.look(self.watch.deployments).deployments
        assert not left, f"cannot be deleted: {left}"

    def _post(self, slot: int, action: str, member: int | None) -> Post:
        """What is asked for. A deployment as a whole takes no more than these."""
        form = self.asking.living(self.names[slot])
        status = (
            form["instances"][0 if member is None else member % len(form["instances"])]["status"] if form else ""
        )
        if action == "switch":
            action = "stop" if status == "running" else "start"
        elif action == "maintain":
            action = "maintenance_off" if status == "maintenance" else "maintenance_on"
        elif action == "hold":
            action = "unsuspend" if form and form["instances"][0]["holds"] else "suspend"
        whole = member is None and action not in _WHOLE
        return Post(action, 0 if whole else member)

    def _fill(self, slot: int, patient: bool = False) -> None:
        """Most names are in use most of the time."""
        if slot < SLOTS - 1 and self.asking.living(self.names[slot]) is None:
            self.asking.ask("POST", "/deployments", self._body(slot, slot + 1, "one", {}))
        until = time.monotonic() + _PATIENCE_SECONDS if patient else 0.0
        while time.monotonic() < until and self.asking.held(self.names[slot]):
            time.sleep(0.05)

    def _body(self, slot: int, number: int, greeting: str, script: dict[str, Any]) -> dict[str, Any]:
        params = {"greeting": greeting} | ({"simulate": script} if script else {})
        return {
            "name": self.names[slot],
            "blueprint": "web",
            "provider": "simulated",
            "params": params,
            "members": number,
            "timeouts": {"launch_seconds": 20, "termination_seconds": 20},
        }

    @contextmanager
    def telling(self) -> Iterator[None]:
        """A failure tells all that was asked before it."""
        try:
            yield
        except AssertionError as error:
            error.add_note("\n".join(["asked so far:", *self.asking.said]))
            raise

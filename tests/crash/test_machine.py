"""Random lives over the live API, with worker and Temporal dying now and then.

Hypothesis chooses what is asked, of what, and what goes wrong. After some steps the machine comes to rest, and
then what the provider really holds is what the records say, and the records are what was last asked for.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from sqlalchemy import select

from db.models import Instance, OperationRow
from domain.lifecycle import Status
from tests.support.api import Api, running_api
from tests.support.spine import Spine
from tests.support.workers import Kept

pytestmark = [pytest.mark.crash, pytest.mark.timeout(900)]
LIVES, STEPS = int(os.environ.get("CRASH_LIVES", "0")), 25
"""`CRASH_LIVES` many lives chosen at random; without it a few that are always the same."""
KILLS = {"worker": 4, "temporal": 2}
PICKS = st.integers(0, 99)
VERBS = st.sampled_from(["create", "start", "stop", "restart", "modify", "delete"])
FAULTS = st.sampled_from(["error", "error_after_success", "invalid", "no_capacity", "slow", "unconfirmed"])
SETTLED = {"start": Status.RUNNING, "restart": Status.RUNNING, "create": Status.RUNNING, "stop": Status.STOPPED}


class Machine(RuleBasedStateMachine):
    """One life of one Berth: the same installation goes on from life to life."""

    spine: Spine
    api: Api
    worker: Kept
    steps = 0
    kills = dict.fromkeys(KILLS, 0)

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.turn = 0

    # --- what may be asked

    @rule(members=st.integers(1, 3))
    def create(self, members: int) -> None:
        self.count()
        name = self.spine.new_name()
        self.ask("POST", "/deployments", {**self._wanted(name), "members": members})
        self.names.append(name)

    @precondition(lambda self: self.names)
    @rule(which=PICKS, action=st.sampled_from(["start", "stop", "restart", "retry", "delete"]))
    def act(self, which: int, action: str) -> None:
        """What `allowed_actions` says is what happens, unless something else changed the instance meanwhile."""
        self.count()
        held = self._unfinished()
        instance = self._some_instance(which)
        if instance is None:
            return
        enabled = {row["action"] for row in instance["allowed_actions"] if row["enabled"]}
        status = self.ask("POST", f"/instances/{instance['id']}/actions", {"action": action})
        repeated = action == "delete" and status == 202  # a second delete is the first one
        if (action in enabled) != (status == 202) and not repeated:
            after = self.api.ask("GET", f"/instances/{instance['id']}")
            changed = after.status_code != 200 or after.json()["version"] != instance["version"]
            # An action on one member holds its siblings, too, and leaves their versions alone.
            let_go = status == 202 and held.get(instance["deployment_id"], set()) - self._unfinished_of(instance)
            assert changed or let_go, (
                f"{action} was {'' if action in enabled else 'not '}enabled, but {status}: {instance}"
            )

    @precondition(lambda self: self.names)
    @rule(which=PICKS, members=st.integers(1, 3), greeting=st.sampled_from(["one", "two"]))
    def modify(self, which: int, members: int, greeting: str) -> None:
        self.count()
        path = f"/deployments/{self.names[which % len(self.names)]}"
        shown = self.api.ask("GET", path)
        if shown.status_code == 200:
            body = {"members": members, "params": {"greeting": greeting}}
            self.ask("PATCH", path, body, If_Match=shown.headers["ETag"])

    @precondition(lambda self: self.names)
    @rule(which=PICKS)
    def delete(self, which: int) -> None:
        self.count()
        self.ask("DELETE", f"/deployments/{self.names[which % len(self.names)]}")

    @rule()
    def cancel(self) -> None:
        self.count()
        unfinished = self.spine.rows(select(OperationRow.id).where(OperationRow.finished_at.is_(None)))
        if unfinished:
            self.ask("POST", f"/operations/{min(unfinished)}/cancel", {})

    # --- what may go wrong

    @rule(verb=VERBS, kind=FAULTS, times=st.integers(1, 2))
    def fault(self, verb: str, kind: str, times: int) -> None:
        self.count()
        self.spine.fault(verb, kind, times, seconds=0.3)

    @precondition(lambda self: self.turn > 3)
    @rule()
    def kill_worker(self) -> None:
        self.count()
        if self._may_kill("worker"):
            self.worker.current.kill()

    @precondition(lambda self: self.turn > 6)
    @rule()
    def kill_temporal(self) -> None:
        self.count()
        if self._may_kill("temporal"):
            self.spine.temporal.kill()
            self.spine.temporal.start()

    # --- what must hold

    @precondition(lambda self: self.turn > 3)
    @rule()
    def come_to_rest(self) -> None:
        self.count()
        query = select(OperationRow.id).where(OperationRow.finished_at.is_(None)).order_by(OperationRow.created_at)
        for operation_id in self.spine.rows(query):
            self.spine.wait_done(operation_id, seconds=90)
        self.spine.invariants()
        for name in self.names:
            last = select(OperationRow).where(OperationRow.deployment_name == name)
            self.as_asked(self.spine.rows(last.order_by(OperationRow.id.desc()).limit(1))[0])

    def teardown(self) -> None:
        self.spine.provider.clear_faults()
        self.come_to_rest()

    def as_asked(self, last: OperationRow) -> None:
        """What the last operation of a deployment touched is where that operation says."""
        rows = {row.id: row for row in self.spine.rows(select(Instance).where(Instance.id.in_(last.instance_ids)))}
        story = self.spine.story(last.id)
        if last.status == "cancelled":
            return
        if last.status == "failed":
            assert any(row.status is Status.ERROR for row in rows.values()), story
        elif last.kind == "delete":
            assert not rows, story
        elif last.kind == "modify":
            members = self.spine.instances(last.deployment_id)
            assert all(row.applied_spec == last.spec for row in members if row.id in last.instance_ids), story
        else:
            assert {row.status for row in rows.values()} == {SETTLED[last.kind]}, story

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> int:
        """Whatever the answer is, it is one that a client can act on."""
        answer = self.api.ask(method, path, body, **headers)
        assert answer.status_code in {200, 202, 404, 409, 412}, answer.text
        if answer.status_code >= 400:
            assert answer.json()["detail"], answer.text
        return int(answer.status_code)

    def count(self) -> None:
        self.turn += 1
        type(self).steps += 1

    def _unfinished(self) -> dict[str, set[str]]:
        """The unfinished operations of each deployment."""
        found: dict[str, set[str]] = {}
        for row in self.spine.rows(select(OperationRow).where(OperationRow.finished_at.is_(None))):
            found.setdefault(row.deployment_id, set()).add(row.id)
        return found

    def _unfinished_of(self, instance: Any) -> set[str]:
        return self._unfinished().get(instance["deployment_id"], set())

    def _may_kill(self, part: str) -> bool:
        """A few times over all lives: each costs seconds."""
        left = KILLS[part] - self.kills[part]
        self.kills[part] += left > 0
        return left > 0

    def _some_instance(self, which: int) -> Any:
        shown = self.api.get("/instances?page_size=100")["items"]
        mine = [row for row in shown if any(row["name"].startswith(name) for name in self.names)]
        return mine[which % len(mine)] if mine else None

    def _wanted(self, name: str) -> dict[str, Any]:
        return {"name": name, "blueprint": "web", "provider": "simulated"}


@pytest.fixture
def machine(fragile: Spine) -> Iterator[type[Machine]]:
    place = {"TEMPORAL_ADDRESS": fragile.temporal.address, "TEMPORAL_NAMESPACE": fragile.namespace}
    kept = Kept(fragile.launch_worker)
    try:
        kept.current.wait_until("worker ready")
        with running_api(fragile.folder, fragile.database_url, **place) as api:
            Machine.spine, Machine.api, Machine.worker = fragile, api, kept
            yield Machine
    finally:
        kept.stop()


def test_random_lives_always_come_to_rest_as_asked(machine: type[Machine]) -> None:
    chosen = settings(
        max_examples=LIVES or 14,
        stateful_step_count=STEPS,
        deadline=None,
        derandomize=not LIVES,
        phases=[Phase.generate],  # a shrunk life would meet another state of the world
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    run_state_machine_as_test(machine, settings=chosen)
    assert machine.steps >= 200
    assert machine.kills == KILLS

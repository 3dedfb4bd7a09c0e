"""Creates under fire: worker, API, Temporal and PostgreSQL are killed between recorded provider calls.

Every create must end as asked, with one object, and nothing left in progress. `CRASH_ROUNDS` and `CRASH_SEED`
choose how long and which; `make crash` runs the full proof: 40 creates under 40 + 40 + 20 + 10 kills.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from db.models import Instance, OperationRow, OperationStep
from domain.lifecycle import Status
from domain.operations import OperationStatus
from providers.process.members import all_signed, main_processes
from providers.simulated_faults import FOR_EVER, Fault, FaultKind, Verb
from tests.crash.whole import Whole, running
from tests.support.workers import wait_for

ROUNDS = int(os.environ.get("CRASH_ROUNDS", "1"))
SEED = int(os.environ.get("CRASH_SEED", "0")) or random.SystemRandom().randrange(1, 1_000_000)
pytestmark = [pytest.mark.crash, pytest.mark.timeout(120 + 300 * ROUNDS)]

KILLS = {"worker": 4, "api": 4, "temporal": 2, "postgres": 1}
"""In one round of four creates: ten rounds are the full proof."""
FAULTS = (
    {"fault": "slow", "seconds": 0.7},
    {"fault": "error_after_success", "times": 2},
    {"fault": "unconfirmed", "seconds": 2.0},
    {"fault": "error", "times": 2},
)
_LONGEST_WAIT = 3.0


@pytest.fixture
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with running(tmp_path_factory.mktemp("whole")) as made:
        yield made


def tell(text: str) -> None:
    """Shown with a failure, and by `pytest -s`: the seed repeats the same kills."""
    sys.stdout.write(f"\n{text}\n")


def creates(number: int, dice: random.Random) -> Iterator[dict[str, Any]]:
    """Three on `simulated`, each with troubles of its own, and a real PostgreSQL server."""
    for place in range(3):
        script = {"create": dice.choice(FAULTS)}
        spec = {"blueprint": "web", "provider": "simulated", "params": {"simulate": script}, "members": place + 1}
        yield {"name": f"round{number}-{place}", **spec}
    yield {"name": f"round{number}-3", "blueprint": "postgres", "provider": "process"}


def where(whole: Whole) -> list[str]:
    """How far what is under way has come: `pending`, the running step, or `between steps`."""

    def look(session: Session) -> list[str]:
        query = select(OperationRow.id, OperationRow.status).where(OperationRow.finished_at.is_(None))
        places = []
        for operation_id, status in session.execute(query):
            steps = select(OperationStep.name).where(
                OperationStep.operation_id == operation_id, OperationStep.status == "running"
            )
            now = session.scalars(steps).first()
            places.append("pending" if status is OperationStatus.PENDING else now or "between steps")
        return places

    return list(whole.patiently(look))


def next_call(whole: Whole, before: int) -> None:
    """Wait until the provider has recorded another call."""
    deadline = time.monotonic() + _LONGEST_WAIT
    while whole.calls_so_far() == before and time.monotonic() < deadline:
        time.sleep(0.005)


def restart_something(whole: Whole, dice: random.Random) -> None:
    """With nothing under way, something that exists is restarted: no kill shall hit an idle Berth."""
    running = select(Instance.id).where(Instance.status == Status.RUNNING).order_by(Instance.id)
    ids = whole.patiently(lambda session: list(session.scalars(running)))
    if ids and not where(whole):
        path = f"/instances/{dice.choice(ids)}/actions"
        whole.ask("POST", path, {"action": "restart"}, key=f"restart-{time.time()}")


def shoot(whole: Whole, dice: random.Random, number: int) -> tuple[list[str], Counter[tuple[str, str]]]:
    """The creates of one round, and its kills, each a random moment after another provider call.

    Returns the creates' operations, and (part, place) of each hit.
    """
    victims = [part for part, times in KILLS.items() for _ in range(times)]
    dice.shuffle(victims)
    left = list(creates(number, dice))
    every = len(victims) // len(left)
    begun: list[str] = []
    hits: Counter[tuple[str, str]] = Counter()
    for turn, part in enumerate(victims):
        calls = whole.calls_so_far()
        if turn % every == 0 and left:
            body = left.pop()
            begun.append(str(whole.ask("POST", "/instances", body, key=body["name"])["operation"]["id"]))
        else:
            restart_something(whole, dice)
        next_call(whole, calls)
        time.sleep(dice.uniform(0.0, 0.3))
        places = where(whole) or ["nothing under way"]
        whole.kill(part)
        hits.update((part, place) for place in set(places))
    return begun, hits


def ended(whole: Whole, operation_id: str) -> OperationRow:
    def look() -> bool:
        return bool(whole.patiently(lambda session: session.get_one(OperationRow, operation_id).status.done))

    wait_for(look, 120, lambda: f"it did not end: {whole.story(operation_id)}")
    return whole.operation(operation_id)


def all_ended(whole: Whole) -> None:
    query = select(OperationRow.id).where(OperationRow.finished_at.is_(None))
    for operation_id in whole.patiently(lambda session: list(session.scalars(query))):
        ended(whole, operation_id)


def serves_alone(whole: Whole, row: Instance) -> None:
    """One server process for the instance, and it lets its user in."""
    found = [m for m in all_signed(whole.server_id) if m.identity is not None and m.identity.instance_id == row.id]
    assert len({m.facts.id.pid for m in main_processes(found, found[0].identity)}) == 1  # type: ignore[arg-type]
    revealed = whole.ask("POST", f"/instances/{row.id}/secrets:reveal", {})
    connection = psycopg2.connect(revealed["connection_uri"], connect_timeout=30)
    connection.close()


def test_every_create_ends_as_asked_with_one_object_whatever_is_killed(whole: Whole) -> None:
    tell(f"CRASH_SEED={SEED} CRASH_ROUNDS={ROUNDS}")
    dice = random.Random(SEED)
    whole.provider.set_fault(Fault(Verb.RESTART, FaultKind.SLOW, FOR_EVER, 0.7))
    hits: Counter[tuple[str, str]] = Counter()
    created = 0
    for number in range(ROUNDS):
        begun, more = shoot(whole, dice, number)
        hits += more
        for operation_id in begun:
            operation = ended(whole, operation_id)
            assert operation.status is OperationStatus.SUCCEEDED, f"seed {SEED}: {whole.story(operation_id)}"
            created += len(operation.instance_ids)
        all_ended(whole)
        whole.invariants()
    tell(f"{created} instances; hits: {sorted(hits.items())}")
    rows = whole.rows(select(Instance))
    assert len(rows) == created
    assert {row.status for row in rows} == {Status.RUNNING}
    for row in rows:
        if row.provider == "process":
            serves_alone(whole, row)
    assert hits.total() >= sum(KILLS.values()) * ROUNDS
    for deployment_id in {row.deployment_id for row in rows}:
        gone = whole.ask("DELETE", f"/deployments/{deployment_id}", key=f"gone-{deployment_id}")
        assert ended(whole, gone["operation"]["id"]).status is OperationStatus.SUCCEEDED
    whole.invariants()
    assert list(whole.inventory()) == []
    assert list(all_signed(whole.server_id)) == []

"""A monitor and an operation, every interleaving of their moves on a real PostgreSQL: the operation wins, always.

A look is three moves: read the row, look at the object, write. An operation is six: accept, plan, begin, the call,
settle, finish. Somebody's hand at the provider is one. Every order that keeps each one's own order is played, one
after the other, without any waiting; two transactions that really meet are played at the end.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import permutations

import pytest
from sqlalchemy import select, text

from db.models import Instance
from domain.health import Pulse
from domain.lifecycle import Operation, Status
from domain.observations import decide
from domain.work import Observation, Seen
from services.requests.changes import act
from tests.monitor.orders import Bench, Case, orders
from tests.monitor.saying import say
from tests.monitor.seams import Gaze
from tests.support.spine import ME, Spine
from tests.support.workers import wait_for

pytestmark = [pytest.mark.servers, pytest.mark.timeout(900)]
_AFTER = {"restart": Status.RUNNING, "stop": Status.STOPPED, "start": Status.RUNNING}


@pytest.fixture(scope="module")
def bench(module_spine: Spine) -> Iterator[Bench]:
    with module_spine.database.engine.connect() as connection:
        made = Bench(module_spine, connection)
        yield made
        made.close()


class Umpire:
    """What was read before an operation ended changed nothing of its end; what was read later is the truth."""

    def __init__(self, verb: str) -> None:
        self._after = _AFTER[verb]
        self.won = 0

    def __call__(self, case: Case) -> None:
        if case.steps.refused:
            wrote = case.moves[: case.moves.index(0)]
            assert any(wrote.count(one) == 3 for one in set(wrote)), "only a whole look can have made it illegal"
            return
        status, later = case.bench.status(), case.later()
        assert case.bench.outcome(case.steps) == ("succeeded", None), str(case)
        assert status in self._truths(case, later), f"{case}: {status}"
        self.won += 1

    def _truths(self, case: Case, later: list[Gaze]) -> set[Status]:
        truths = set() if len(later) == 1 else {self._after}
        for gaze in later:
            if gaze.forced is not None:
                truths.add(decide(self._after, None, gaze.forced.seen).status or self._after)
            else:
                look = case.moves.index(1 + case.gazes.index(gaze)) + 1
                hit = case.hand is not None and case.moves.index(1 + len(case.gazes)) > look
                truths |= {self._after, Status(case.bench.state())} if hit else {Status(case.bench.state())}
        return truths


def test_a_restart_wins_in_a_thousand_interleavings(bench: Bench) -> None:
    """With a stop by hand at every place, without one, and with whatever a look could see."""
    umpire = Umpire("restart")
    played = bench.play("restart", list(orders(6, 3, 1)), umpire, hand="stopped")
    for seen in (None, *Seen):
        played += bench.play("restart", list(orders(6, 3)), umpire, seen=[seen])
    say(f"{played} interleavings of a look and a restart: accepted in {umpire.won}, and then it won, always")
    assert played == 840 + 8 * 84
    assert umpire.won >= 1400


@pytest.mark.parametrize("verb", ["stop", "start"])
def test_a_stop_and_a_start_win_whatever_is_seen_meanwhile(bench: Bench, verb: str) -> None:
    for seen in (None, Seen.CRASHED):
        assert bench.play(verb, list(orders(6, 3)), Umpire(verb), seen=[seen]) == 84


def test_two_monitors_at_once_do_no_harm(bench: Bench) -> None:
    some = random.Random(20_26).sample(list(orders(6, 3, 3)), 100)
    assert bench.play("restart", some, Umpire("restart"), seen=[Seen.DOWN, Seen.CRASHED]) == 100


class Careless(Gaze):
    """As every monitor was before: it writes what it saw, whatever has been written since it read."""

    def note(self) -> None:
        if self.sighting is not None and self.found is not None:
            now = self.read_now()
            before = replace(self.sighting.before, version=now)
            self.written = self._lens.note(replace(self.sighting, before=before), Pulse(before.health), self.found)

    def read_now(self) -> int:
        seen = self._lens.read(self._instance_id)
        assert seen is not None
        return seen.before.version


@pytest.mark.parametrize(
    ("written_in", "charge"), [("the middle", "something in progress was overwritten"), ("the end", ": stopped")]
)
def test_the_same_orders_convict_a_monitor_that_does_not_compare(
    bench: Bench, written_in: str, charge: str
) -> None:
    early = [order for order in orders(6, 3) if order[0] == 1]
    last = 0 if written_in == "the middle" else 1
    chosen = [order for order in early if order[-1] == last and order[1] == 0]
    with pytest.raises(AssertionError, match=charge):
        bench.play("restart", chosen, Umpire("restart"), seen=[Seen.DOWN], gaze=Careless)


def test_a_look_that_meets_an_uncommitted_restart_waits_for_it_and_writes_nothing(
    bench: Bench, module_spine: Spine
) -> None:
    """Two real transactions: the look's statement stands behind the row that acceptance is writing."""
    spine = module_spine
    gaze = Gaze(bench.real, bench.id, Observation(Seen.DOWN, "exited"))
    gaze.read()
    gaze.look()
    with ThreadPoolExecutor(1) as beside:
        with spine.database.begin() as tx:
            act(tx, ME, Operation.RESTART, bench.deployment_id, None)
            tx.session.flush()
            writing = beside.submit(gaze.note)
            wait_for(lambda: blocked(spine), 30, "the look did not wait")
        writing.result(60)
    assert gaze.written is not None
    assert not gaze.written.stood
    (row,) = spine.rows(select(Instance).where(Instance.id == bench.id))
    assert row.status is Status.RUNNING


def blocked(spine: Spine) -> bool:
    query = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    with spine.database.engine.connect() as connection:
        return bool(connection.scalar(text(query)))


def test_orders_are_all_there_and_none_twice() -> None:
    found = list(orders(6, 3, 1))
    assert len(found) == len(set(found)) == 840
    assert set(orders(2, 2)) == set(permutations((0, 0, 1, 1)))

"""A monitor and an operation, every interleaving of their moves on a real PostgreSQL: the operation wins, always.

A look is three moves: read the row, look at the object, write. An operation is six: accept, plan, begin, the call,
settle, finish. Somebody's hand at the provider is one. Every order that keeps each one's own order is played, one
after the other, without any waiting.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, permutations

import pytest
from sqlalchemy import select, update

from db.models import Instance, OperationRow
from domain.lifecycle import Status
from domain.operations import OperationStatus
from domain.work import Observation, Seen
from monitor.lens import Lens
from services.suspension import stop_suspended
from tests.monitor.saying import say
from tests.monitor.seams import Gaze, Steps, lease_of, parts_of
from tests.support.spine import Spine

pytestmark = [pytest.mark.servers, pytest.mark.timeout(400)]
Move = Callable[[], None]
Order = tuple[int, ...]
_OWNED = select(Instance.status, Instance.version, Instance.operation_id, Instance.error_message, Instance.drift)
_BEFORE = {"restart": Status.RUNNING, "stop": Status.RUNNING, "start": Status.STOPPED}
_AFTER = {"restart": Status.RUNNING, "stop": Status.STOPPED, "start": Status.RUNNING}


class Bench:
    """One instance that is put back into its first state before every interleaving."""

    def __init__(self, spine: Spine) -> None:
        self.spine = spine
        made = spine.create()
        self.deployment_id = made.deployment_id
        self.id = spine.instance(made.deployment_id).id
        steps = Steps(spine, made.deployment_id, self.id, "create")
        steps.adopt(made)
        for move in (steps.plan, steps.begin, steps.call, steps.settle, steps.finish):
            move()
        self.parts = parts_of(spine)
        self.lens = Lens(self.parts, lease_of(spine), stop_suspended)
        self.store = sqlite3.connect(spine.folder / "simulated.db", isolation_level=None, timeout=10.0)

    def reset(self, status: Status) -> None:
        fresh = {"status": status, "error_message": None, "error_code": None, "error_origin": None, "drift": None}
        with self.spine.database.begin() as tx:
            tx.run(update(OperationRow).values(parked_until=None))
            tx.run(update(Instance).values(**fresh, version=Instance.version + 1))
        self.by_hand("running" if status is Status.RUNNING else "stopped")

    def by_hand(self, state: str) -> None:
        """What somebody does at the provider itself."""
        self.store.execute("update objects set state = ?, settles_to = null, settles_at = null", (state,))

    def state(self) -> str:
        return str(self.store.execute("select state from objects").fetchone()[0])

    def row(self) -> Instance:
        return self.spine.instance(self.deployment_id)

    def written(self) -> tuple[object, ...]:
        """All that an operation has written, and nobody else may touch."""
        with self.spine.database.begin() as tx:
            return tuple(tx.run(_OWNED).one())

    def close(self) -> None:
        self.store.close()
        self.parts.wakes.close()


@pytest.fixture(scope="module")
def bench(module_spine: Spine) -> Iterator[Bench]:
    made = Bench(module_spine)
    yield made
    made.close()


def orders(*sizes: int) -> Iterator[Order]:
    """Every merge of sequences of these lengths: at each place, whose move it is."""
    if len(sizes) == 1:
        yield (0,) * sizes[0]
        return
    total = sum(sizes)
    for places in combinations(range(total), sizes[0]):
        for rest in orders(*sizes[1:]):
            remaining = iter(rest)
            yield tuple(0 if at in places else 1 + next(remaining) for at in range(total))


def play(
    bench: Bench, verb: str, order: Order, hand: str | None = None, forced: Sequence[Seen | None] = (None,)
) -> bool:
    """Make the moves in this order; whether the operation was accepted.

    Actor 0 is the operation, 1 and 2 are monitors, the last one the hand, where there is one.
    """
    bench.reset(_BEFORE[verb])
    steps = Steps(bench.spine, bench.deployment_id, bench.id, verb)
    looks = [None if seen is None else Observation(seen, seen.value) for seen in forced]
    gazes = [Gaze(bench.lens, bench.id, look) for look in looks]
    actors: list[list[Move]] = [steps.moves(), *([gaze.read, gaze.look, gaze.note] for gaze in gazes)]
    if hand is not None:
        actors.append([lambda: bench.by_hand(hand)])
    turns = [iter(moves) for moves in actors]
    for whose in order:
        if whose == 0 or not steps.holds:
            next(turns[whose])()
            continue
        before = bench.written()
        next(turns[whose])()
        assert bench.written() == before, f"{verb} {order}: something in progress was overwritten"
    _check_end(bench, verb, order, steps, hand, forced)
    return not steps.refused


def _check_end(
    bench: Bench, verb: str, order: Order, steps: Steps, hand: str | None, forced: Sequence[Seen | None]
) -> None:
    """What was read before the operation ended changed nothing of its end; what was read later is the truth."""
    if steps.refused:
        wrote = order[: order.index(0)]
        assert any(wrote.count(one) == 3 for one in set(wrote)), "only a whole look can have made it illegal"
        return
    assert steps.accepted is not None
    operation = bench.spine.operation(steps.accepted.operation_id)
    assert operation.status is OperationStatus.SUCCEEDED, f"{verb} {order}: {operation.error}"
    finish = max(at for at, whose in enumerate(order) if whose == 0)
    later = [1 + one for one in range(len(forced)) if order.index(1 + one) > finish]
    status = bench.row().status
    if not later:
        assert status is _AFTER[verb], f"{verb} {order} {forced}: {status}"
    elif forced == (None,) and hand is not None and order.index(2) < finish:
        assert status.value == bench.state(), f"{verb} {order}: a look after the end tells the truth"


@pytest.mark.timeout(1200)
def test_a_restart_wins_in_a_thousand_interleavings(bench: Bench) -> None:
    """With a stop by hand at every place, without one, and with whatever a look could see."""
    played = won = 0
    for order in orders(6, 3, 1):
        won += play(bench, "restart", order, hand="stopped")
        played += 1
    for order in orders(6, 3):
        for seen in (None, Seen.CRASHED):
            won += play(bench, "restart", order, forced=[seen])
            played += 1
    say(f"{played} interleavings of a look and a restart: accepted in {won}, and then it won, always")
    assert played >= 1000
    assert won >= 900


@pytest.mark.parametrize("verb", ["stop", "start"])
def test_a_stop_and_a_start_win_whatever_is_seen_meanwhile(bench: Bench, verb: str) -> None:
    for order in orders(6, 3):
        play(bench, verb, order)


def test_two_monitors_at_once_do_no_harm(bench: Bench) -> None:
    every = list(orders(6, 3, 3))
    for order in random.Random(20_26).sample(every, 60):
        play(bench, "restart", order, forced=[Seen.DOWN, Seen.CRASHED])


def test_orders_are_all_there_and_none_twice() -> None:
    found = list(orders(6, 3, 1))
    assert len(found) == len(set(found)) == 840
    assert set(orders(2, 2)) == set(permutations((0, 0, 1, 1)))

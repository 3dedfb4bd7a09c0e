"""Every order in which the moves of an operation, of monitors and of somebody's hand can fall.

Orders with a common beginning share it: a move is made once, behind a savepoint, and undone when every order that
goes on from there has been played. So a thousand orders cost some two thousand moves instead of ten thousand.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, replace
from itertools import combinations, groupby
from typing import cast

from sqlalchemy import Connection, Engine, select, update

from db.models import Instance, OperationRow
from db.session import Database
from domain.lifecycle import Status
from domain.work import Observation, Seen
from monitor.lens import Lens
from services.requests.suspension import stop_suspended
from tests.monitor.seams import Gaze, Steps, lease_of, parts_of
from tests.support.spine import Spine

Order = tuple[int, ...]
"""At each place, whose move it is: 0 the operation, then the monitors, then the hand."""
_OWNED = select(Instance.status, Instance.version, Instance.operation_id, Instance.error_message, Instance.drift)


def orders(*sizes: int) -> Iterator[Order]:
    """Every merge of sequences of these lengths."""
    if len(sizes) == 1:
        yield (0,) * sizes[0]
        return
    total = sum(sizes)
    for places in combinations(range(total), sizes[0]):
        for rest in orders(*sizes[1:]):
            remaining = iter(rest)
            yield tuple(0 if at in places else 1 + next(remaining) for at in range(total))


@dataclass
class Case:
    """What has been played of one order."""

    bench: Bench
    steps: Steps
    gazes: list[Gaze]
    hand: str | None
    moves: Order = ()

    def branch(self) -> Case:
        """One that goes its own way from here; nobody changes an object in place, so shallow copies do."""
        return replace(self, steps=copy(self.steps), gazes=[copy(gaze) for gaze in self.gazes])

    def move(self, whose: int) -> None:
        """Their next move. While the operation holds the instance, nobody else's changes what it has written."""
        number = self.moves.count(whose)
        self.moves = (*self.moves, whose)
        if whose == 0:
            self.steps.move(number)
            return
        before = self.bench.written() if self.steps.holds else None
        if whose <= len(self.gazes):
            self.gazes[whose - 1].move(number)
        else:
            self.bench.by_hand(str(self.hand))
        assert before is None or self.bench.written() == before, f"{self}: something in progress was overwritten"

    def later(self) -> list[Gaze]:
        """The looks that began after the operation had ended."""
        end = max(at for at, whose in enumerate(self.moves) if whose == 0)
        return [gaze for at, gaze in enumerate(self.gazes, 1) if self.moves.index(at) > end]

    def __str__(self) -> str:
        return f"{self.moves} {[gaze.forced and gaze.forced.seen.value for gaze in self.gazes]}"


class Bench:
    """One running instance on a real PostgreSQL. All that is played is one transaction there, undone in the end.

    What is a transaction in service is a savepoint here: made whole, and seen by whoever moves next.
    """

    def __init__(self, spine: Spine, connection: Connection) -> None:
        made = spine.create()
        self.deployment_id = made.deployment_id
        self.id = spine.instance(made.deployment_id).id
        steps = Steps(spine, made.deployment_id, self.id, "create")
        steps.adopt(made)
        for number in range(1, len(Steps.MOVES)):
            steps.move(number)
        lease, parts = lease_of(spine), parts_of(spine)
        parts.wakes.close()
        self.real = Lens(parts, lease, stop_suspended)
        """Looks that are committed."""
        self._connection = connection
        self.spine = copy(spine)
        self.spine.database = Database(cast(Engine, connection))  # a session takes either
        self.lens = Lens(replace(parts, database=self.spine.database), lease, stop_suspended)
        self._store = sqlite3.connect(spine.folder / "simulated.db", isolation_level=None, timeout=10.0)

    def play(
        self,
        verb: str,
        chosen: Sequence[Order],
        check: Callable[[Case], None],
        *,
        hand: str | None = None,
        seen: Sequence[Seen | None] = (None,),
        gaze: type[Gaze] = Gaze,
    ) -> int:
        """Play these orders from a settled instance, and check each at its end; how many there were."""
        looks = [None if one is None else Observation(one, one.value) for one in seen]
        gazes = [gaze(self.lens, self.id, look) for look in looks]
        case = Case(self, Steps(self.spine, self.deployment_id, self.id, verb), gazes, hand)
        with self._connection.begin() as whole:
            with self._undone():
                self._settle(Status.STOPPED if verb == "start" else Status.RUNNING)
                played = self._walk(case, sorted(chosen), check)
            whole.rollback()
        return played

    def _walk(self, case: Case, chosen: Sequence[Order], check: Callable[[Case], None]) -> int:
        depth = len(case.moves)
        if depth == len(chosen[0]):
            check(case)
            return len(chosen)
        played = 0
        for whose, group in groupby(chosen, key=lambda order: order[depth]):
            with self._undone():
                one = case.branch()
                one.move(whose)
                played += self._walk(one, list(group), check)
        return played

    @contextmanager
    def _undone(self) -> Iterator[None]:
        """Whatever is written within, in the records or at the provider, has never happened afterwards."""
        objects = self._objects()
        savepoint = self._connection.begin_nested()
        try:
            yield
        finally:
            savepoint.rollback()
            if self._objects() != objects:
                self._store.execute("delete from objects")
                marks = ", ".join("?" for _ in objects[0])
                self._store.executemany(f"insert into objects values ({marks})", objects)

    def _objects(self) -> list[tuple[object, ...]]:
        return self._store.execute("select * from objects").fetchall()

    def _settle(self, status: Status) -> None:
        self._connection.execute(update(Instance).values(status=status, version=Instance.version + 1))
        self.by_hand(status.value)

    def by_hand(self, state: str) -> None:
        """What somebody does at the provider itself."""
        self._store.execute("update objects set state = ?, settles_to = null, settles_at = null", (state,))

    def written(self) -> tuple[object, ...]:
        """All that an operation has written, and nobody else may touch."""
        return tuple(self._connection.execute(_OWNED).one())

    def status(self) -> Status:
        found: Status = self._connection.execute(select(Instance.status)).scalar_one()
        return found

    def state(self) -> str:
        """At the provider."""
        return str(self._store.execute("select state from objects").fetchone()[0])

    def outcome(self, steps: Steps) -> tuple[str, object]:
        """Of the operation: its status, and its error."""
        assert steps.accepted is not None
        which = OperationRow.id == steps.accepted.operation_id
        row = self._connection.execute(select(OperationRow.status, OperationRow.error).where(which)).one()
        return row.status.value, row.error

    def close(self) -> None:
        self._store.close()

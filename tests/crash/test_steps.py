"""Every step of every workflow: failed once, run twice, its worker killed before it, in each of its transactions,
and after it. The operation ends as it was asked, the inventory is the records, and nothing is left in progress.
"""

from __future__ import annotations

import json
import queue
import traceback
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from activities.aftermath import AftermathActivities
from activities.confirming import ConfirmActivities
from activities.databases import DatabaseActivities
from activities.instances import InstanceActivities
from activities.records import RecordActivities
from tests.crash.scenarios import SCENARIOS, TRANSACTIONS
from tests.support.postgres import PostgresServer
from tests.support.spine import Spine
from tests.support.temporal import TemporalServer
from tests.support.workers import Kept

pytestmark = [pytest.mark.crash, pytest.mark.timeout(900)]
_SIDE_BY_SIDE = 4


def activities() -> set[str]:
    """Their names, from the activities themselves."""
    holders = (
        RecordActivities,
        InstanceActivities,
        ConfirmActivities,
        AftermathActivities,
        DatabaseActivities,
    )
    found = [getattr(holder, name) for holder in holders for name in dir(holder)]
    return {f.__name__ for f in found if hasattr(f, "__temporal_activity_definition")}


def ways(name: str) -> list[str]:
    kills = [f"kill in {number}" for number in range(1, TRANSACTIONS.get(name, 1) + 1)]
    return ["fail before", "fail after", "twice", "kill before", *kills, "kill after"]


CASES = [(name, how) for name in sorted(SCENARIOS) for how in ways(name)]


def test_every_activity_has_a_scenario() -> None:
    assert set(SCENARIOS) == activities()


class Bench:
    """Some Berths side by side, because most of the time is spent waiting for time-outs."""

    def __init__(self, spines: list[Spine]) -> None:
        self._free: queue.SimpleQueue[Spine] = queue.SimpleQueue()
        for spine in spines:
            self._free.put(spine)
        self._pool = ThreadPoolExecutor(len(spines))
        self._results: dict[tuple[str, str], Future[str | None]] = {}

    def begin(self, name: str, how: str) -> None:
        self._results[(name, how)] = self._pool.submit(self._in_turn, name, how)

    def result(self, name: str, how: str) -> str | None:
        return self._results[(name, how)].result(600)

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def _in_turn(self, name: str, how: str) -> str | None:
        spine = self._free.get()
        try:
            carry_out(spine, name, how)
        except BaseException:  # noqa: BLE001 - handed to the test it belongs to
            return traceback.format_exc()
        finally:
            self._free.put(spine)
        return None


def carry_out(spine: Spine, name: str, how: str) -> None:
    for old in spine.folder.glob("fault.*"):
        old.unlink()
    scenario = SCENARIOS[name](spine)
    next(scenario)
    draft = spine.folder / "draft.json"
    draft.write_text(json.dumps({"activity": name, "how": how}))
    draft.rename(spine.folder / "fault.json")
    for _ in scenario:
        pytest.fail("a scenario yields once")
    assert (spine.folder / "fault.fired").exists(), "the fault was never met"
    spine.provider.clear_faults()
    spine.invariants()


@pytest.fixture(scope="module")
def bench(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    postgres_server: PostgresServer,
    temporal_server: TemporalServer,
) -> Iterator[Bench]:
    """Begins every case that this session has selected."""
    chosen = [
        i.callspec.params for i in request.session.items if hasattr(i, "callspec") and i.path == request.path
    ]
    spines, kept = [], []
    for _ in range(min(_SIDE_BY_SIDE, len(chosen))):
        folder: Path = tmp_path_factory.mktemp("spine")
        database = postgres_server.new_database()
        spines.append(Spine(folder, database, temporal_server, temporal_server.new_namespace()))
    made = Bench(spines)
    try:
        kept = [Kept(partial(spine.launch_worker, module="tests.support.faulty_worker")) for spine in spines]
        for worker in kept:
            worker.current.wait_until("worker ready")
        for params in chosen:
            made.begin(params["name"], params["how"])
        yield made
    finally:
        made.close()
        for worker in kept:
            worker.stop()
        for spine in spines:
            spine.close()


@pytest.mark.parametrize(("name", "how"), CASES)
def test_an_operation_ends_as_asked_although_a_step_fails_repeats_or_dies(
    bench: Bench, name: str, how: str
) -> None:
    trouble = bench.result(name, how)
    if trouble is not None:
        pytest.fail(trouble, pytrace=False)

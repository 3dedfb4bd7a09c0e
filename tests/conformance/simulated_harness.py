"""The simulated provider's place: one file. Faults are the provider's own, the truth is read with SQL."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest

from domain.errors import ProviderErrorKind
from domain.work import Secrets, Seen, Work
from providers.base import Provider
from providers.simulated import SimulatedProvider
from providers.simulated_faults import FOR_EVER, Fault, FaultKind
from providers.simulated_faults import Verb as FaultyVerb
from tests.conformance.base import CANARY, BadWork, Can, Foreign, Harness, RawState, Verb
from tests.support.works import a_work, an_id, signed, verify

_NOTHING_REAL = "a row of a file has no "
_FAULTS = {
    ProviderErrorKind.TRANSIENT: FaultKind.ERROR,
    ProviderErrorKind.THROTTLED: FaultKind.THROTTLED,
    ProviderErrorKind.NO_CAPACITY: FaultKind.NO_CAPACITY,
}


def open_simulated(path: Path, server_id: str) -> Provider:
    return SimulatedProvider(path, server_id, verify=verify)


class SimulatedHarness(Harness):
    name = "simulated"
    marks = (pytest.mark.unit,)
    lacks: ClassVar[Mapping[Can, str]] = {
        Can.KEEP_DATA: _NOTHING_REAL + "data",
        Can.SHOW_RESTART: _NOTHING_REAL + "process that could be another one",
        Can.WRITE_LOGS: _NOTHING_REAL + "output; its log is the list of the verbs it met",
        Can.CUT_HANGS: "its hangs last on purpose until the operation is cancelled",
        Can.BE_UNREACHABLE: "its file is always there",
        Can.HOLD_TWINS: "the instance id is the row's key",
        Can.REFUSE_QUOTA: "it knows no quota",
        Can.REFUSE_AUTH: "it needs no credentials",
    }

    def __init__(self, path: Path) -> None:
        self._path = path

    def opener(self, server_id: str) -> Callable[[], Provider]:
        return partial(open_simulated, self._path, server_id)

    def work(self, **changes: Any) -> Work:
        return a_work(**{"secrets": Secrets(password=CANARY), **changes})

    def changed(self, work: Work) -> Work:
        return replace(work, params={**work.params, "greeting": "changed"})

    def objects(self, work: Work) -> Sequence[str]:
        return [row["instance_id"] for row in self._rows(work)]

    def remains(self, work: Work) -> Sequence[str]:
        return self.objects(work)

    def fingerprint(self, work: Work) -> object:
        return self._rows(work)

    def shows(self, work: Work) -> bool:
        (row,) = self._rows(work)
        return bool(json.loads(row["params"]) == dict(work.params))

    def exposed(self, work: Work) -> str:
        return repr(self._rows(work))

    def leads_to(self, work: Work, host: str, port: int) -> bool:
        return host == f"{work.name}.invalid" and port > 0

    def vanish(self, work: Work) -> None:
        self._sql("delete from objects where instance_id = ?", work.instance_id)

    def plant(self, work: Work, kind: Foreign) -> None:
        other = signed(replace(work.identity, instance_id=an_id("ins")))
        signature = "" if kind is Foreign.UNSIGNED else other.signature
        found = work.identity
        self._sql(
            "insert into objects values (?, ?, ?, ?, ?, ?, ?, 'running', null, null, '{}')",
            *(found.instance_id, found.server_id, found.project, found.deployment_id),
            *(found.generation, signature, work.name),
        )

    @contextmanager
    def lose_answer(self, verb: Verb, work: Work) -> Iterator[None]:
        with self._fault(verb, work, FaultKind.ERROR_AFTER_SUCCESS, 1):
            yield

    @contextmanager
    def refuse(self, verb: Verb, work: Work, kind: ProviderErrorKind, times: int = 1) -> Iterator[None]:
        with self._fault(verb, work, _FAULTS[kind], times):
            yield

    @contextmanager
    def hang(self, verb: Verb, work: Work) -> Iterator[None]:
        with self._fault(verb, work, FaultKind.HANG, FOR_EVER):
            yield

    def settle_late(self, work: Work, during: str, to: str) -> None:
        """As an accepted change that has not settled shows itself."""
        self._sql(
            "update objects set state = ?, settles_to = ?, settles_at = 1e12 where instance_id = ?",
            *(during, to, work.instance_id),
        )

    def stop_it(self, work: Work) -> None:
        self._sql("update objects set state = 'stopped' where instance_id = ?", work.instance_id)

    @contextmanager
    def _fault(self, verb: Verb, work: Work, kind: FaultKind, times: int) -> Iterator[None]:
        provider = SimulatedProvider(self._path, work.identity.server_id)
        seconds = None if kind is FaultKind.HANG and verb != "observe" else 0.1
        provider.set_fault(Fault(FaultyVerb(verb), kind, times, seconds, work.instance_id))
        try:
            yield
        finally:
            provider.clear_faults()
            provider.close()

    def _rows(self, work: Work) -> list[dict[str, Any]]:
        return self._sql("select * from objects where instance_id = ?", work.instance_id)

    def _sql(self, statement: str, *values: object) -> list[dict[str, Any]]:
        db = sqlite3.connect(self._path, timeout=10.0)
        db.row_factory = sqlite3.Row
        try:
            with db:
                return [dict(row) for row in db.execute(statement, values)]
        finally:
            db.close()

    raw_states: ClassVar[Sequence[RawState]] = (
        RawState("starting", Seen.TRANSIENT, lambda h, w: h.settle_late(w, "starting", "running"), "starting"),
        RawState("stopping", Seen.TRANSIENT, lambda h, w: h.settle_late(w, "stopping", "stopped"), "stopping"),
        RawState("stopped", Seen.DOWN, stop_it, "stopped"),
    )
    bad_works: ClassVar[Sequence[BadWork]] = (
        BadWork(
            "told-to-refuse",
            ProviderErrorKind.INVALID,
            lambda h: h.work(params={"simulate": {"create": {"fault": "invalid", "times": -1}}}),
            "simulated invalid",
        ),
    )


HARNESS = SimulatedHarness


@pytest.fixture
def simulated_harness(tmp_path: Path) -> SimulatedHarness:
    harness = SimulatedHarness(tmp_path / "simulated.db")
    harness.provider().inventory()
    return harness

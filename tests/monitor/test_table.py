"""The table of observations over its whole domain: what is in progress or business is never overwritten."""

from __future__ import annotations

from itertools import product

import pytest

from domain.lifecycle import IN_PROGRESS, Status
from domain.observations import Verdict, agrees, decide, drift_after
from domain.operations import ErrorOrigin
from domain.work import Seen
from scripts.observation_matrix import State, cell, matrix, states
from tests.monitor.saying import say

pytestmark = pytest.mark.unit
_BUSINESS = {Status.SUSPENDED, Status.MAINTENANCE}
_UNPROVEN = {Seen.TRANSIENT, Seen.NO_EVIDENCE}

_DESIGN = {
    "running": "= | = | → stopped | → error | → error | = D | =",
    "stopped": "→ running | = | = | = | → error | = D | =",
    "error (monitor's)": "→ running | = | → stopped | = | = | = D | =",
    "error (operation's)": "= D | = | = D | = | = | = D | =",
    "suspended": "= D, alert, stop again | = D | = | = | = D | = D | =",
    "maintenance": "= D | = | = D | = D | = D | = D | =",
    "terminated": "report | report | report | report | = | report | =",
    "no record": "report | report | report | report | = | report | =",
}
"""The contract, row by row: up, transient, down, crashed, absent, foreign, no evidence."""


def verdict(state: State, seen: Seen) -> Verdict:
    status, origin, busy = state
    return decide(status, origin, seen, busy=busy)


def test_the_whole_matrix_is_printed_and_is_the_contract() -> None:
    lines = matrix(whole=True)
    widths = [max(len(row[at]) for row in lines) for at in range(len(lines[0]))]
    say("\n".join("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in lines))
    rows = {row[0]: " | ".join(row[1:]) for row in lines[1:]}
    assert rows == {name: _DESIGN.get(name, " | ".join("=" * len(Seen))) for name in rows}
    assert _DESIGN.keys() <= rows.keys()


@pytest.mark.parametrize("seen", Seen)
def test_nothing_in_progress_or_under_an_operation_is_ever_touched(seen: Seen) -> None:
    held = [state for state in states() if state[2] or state[0] in IN_PROGRESS]
    assert len(held) == len(Status) + len(IN_PROGRESS)
    assert {verdict(state, seen) for state in held} == {Verdict()}


@pytest.mark.parametrize("seen", Seen)
def test_business_statuses_stay_whatever_is_seen(seen: Seen) -> None:
    for state in states():
        if state[0] in _BUSINESS:
            assert verdict(state, seen).status is None


def test_a_monitor_lifts_only_its_own_errors_and_sets_no_status_but_three() -> None:
    for state, seen in product(states(), Seen):
        found = verdict(state, seen)
        assert found.status in {None, Status.RUNNING, Status.STOPPED, Status.ERROR}
        if state[0] is Status.ERROR and found.status is not None:
            assert state[1] is ErrorOrigin.MONITOR


@pytest.mark.parametrize("seen", sorted(_UNPROVEN))
def test_what_is_between_states_or_unseen_changes_no_status(seen: Seen) -> None:
    assert all(verdict(state, seen).status is None for state in states())


def test_an_error_without_an_origin_counts_as_an_operations() -> None:
    for seen in Seen:
        expected = decide(Status.ERROR, ErrorOrigin.OPERATION, seen)
        assert decide(Status.ERROR, None, seen) == expected


def test_a_drift_is_said_once_until_something_else_is_seen() -> None:
    for state, seen in product(states(), Seen):
        found = verdict(state, seen)
        told = drift_after(found, seen, None)
        assert (told is not None) == found.drift
        if found.status is None:
            assert agrees(found, seen, told), "the second time there is nothing to write"
    kept = decide(Status.SUSPENDED, None, Seen.UP)
    assert drift_after(kept, Seen.UP, None) == "up"
    assert drift_after(decide(Status.SUSPENDED, None, Seen.NO_EVIDENCE), Seen.NO_EVIDENCE, "up") == "up"
    assert drift_after(decide(Status.SUSPENDED, None, Seen.DOWN), Seen.DOWN, "up") is None


def test_every_cell_of_the_docs_is_asked_of_the_table() -> None:
    short = {row[0]: row[1:] for row in matrix(whole=False)[1:]}
    for state in states():
        name = "error (monitor's)" if state == (Status.ERROR, ErrorOrigin.MONITOR, False) else None
        if name is not None:
            assert short[name] == tuple(cell(state, seen) for seen in Seen)
    assert set(short) == {*_DESIGN, "in progress, or an operation unfinished"}

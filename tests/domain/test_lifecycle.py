"""What must hold of the table of moves, whatever rows it gets."""

from __future__ import annotations

import pytest

from domain.diagram import edges
from domain.errors import OperationNotAllowed
from domain.lifecycle import (
    FINAL,
    IN_PROGRESS,
    MOVES,
    SETTLED,
    Ending,
    Operation,
    Status,
    allowed_operations,
    button_operations,
    move_for,
)
from domain.operations import AVAILABLE, OPERATION_DETAILS
from scripts.generated import ROOT
from scripts.lifecycle_docs import errors, lifecycle

pytestmark = pytest.mark.unit
PAIRS = [(operation, status) for operation in Operation for status in Status]


@pytest.mark.parametrize(("operation", "status"), PAIRS)
def test_a_pair_stands_in_one_row_or_is_refused_with_what_is_allowed(operation: Operation, status: Status) -> None:
    rows = [m for m in MOVES if m.operation is operation and status in m.legal_from]

    assert len(rows) <= 1
    if rows:
        assert move_for(operation, status) is rows[0]
        return
    with pytest.raises(OperationNotAllowed) as refusal:
        move_for(operation, status)
    assert refusal.value.status == status
    assert refusal.value.allowed == tuple(o.value for o in allowed_operations(status))
    assert operation.value not in refusal.value.allowed


def test_every_operation_has_a_row_and_details() -> None:
    assert {m.operation for m in MOVES} == set(Operation) == set(OPERATION_DETAILS)
    assert set(Operation) >= AVAILABLE


def test_every_status_is_settled_or_in_progress_and_can_be_reached() -> None:
    assert set(Status) == IN_PROGRESS | SETTLED
    assert not IN_PROGRESS & SETTLED
    assert {target for _, target, _ in edges()} == set(Status)


def test_what_is_in_progress_belongs_to_an_operation() -> None:
    assert {m.during for m in MOVES if m.during} == IN_PROGRESS


def test_ends_are_settled() -> None:
    for move in MOVES:
        for end in (move.done, move.failed, move.cancelled):
            assert isinstance(end, Ending) or end in SETTLED


def test_everything_can_be_deleted_but_what_is_gone_or_going() -> None:
    for status in set(Status) - {Status.DELETING, *FINAL}:
        assert Operation.DELETE in allowed_operations(status)


def test_nothing_is_legal_on_what_is_terminated() -> None:
    assert allowed_operations(Status.TERMINATED) == ()


def test_in_progress_only_a_delete_is_legal() -> None:
    for status in IN_PROGRESS:
        assert set(allowed_operations(status)) <= {Operation.DELETE}


def test_a_button_is_shown_only_where_the_operation_is_legal() -> None:
    for status in Status:
        assert set(button_operations(status)) <= set(allowed_operations(status))


@pytest.mark.parametrize("name", ["lifecycle", "errors"])
def test_the_committed_documents_are_what_the_tables_say(name: str) -> None:
    assert (ROOT / "docs" / f"{name}.md").read_text() == {"lifecycle": lifecycle, "errors": errors}[name]()

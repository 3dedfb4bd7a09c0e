"""Who is touched by a change: pure decisions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.changes import (
    Member,
    deployment_status,
    differences,
    free_ordinals,
    member_name,
    modify_verb,
    scale,
    split_legal,
    touch,
)
from domain.errors import OperationNotAllowed
from domain.lifecycle import IN_PROGRESS, Operation, Role, Status

pytestmark = pytest.mark.unit
SPEC: dict[str, Any] = {"params": {}, "resources": {}}


def member(ordinal: int, status: Status = Status.RUNNING, role: Role = Role.STANDALONE, **more: Any) -> Member:
    return Member(f"ins_{ordinal}", member_name("demo", ordinal), ordinal, role, status, SPEC, **more)


def test_members_are_named_after_their_deployment() -> None:
    assert [member_name("demo", n) for n in (1, 2, 10)] == ["demo", "demo-2", "demo-10"]


def test_scale_in_removes_the_highest_number() -> None:
    scaling = scale([member(1), member(2), member(3)], 1)

    assert [m.ordinal for m in scaling.keep] == [1]
    assert [m.ordinal for m in scaling.remove] == [3, 2]


def test_scale_in_never_removes_a_primary() -> None:
    scaling = scale([member(1, role=Role.REPLICA), member(2, role=Role.PRIMARY)], 1)

    assert [m.ordinal for m in scaling.keep] == [2]


def test_what_a_delete_has_begun_on_goes_first_and_is_replaced() -> None:
    scaling = scale([member(1, delete_begun=True), member(2)], 2)

    assert [m.ordinal for m in scaling.keep] == [2]
    assert [m.ordinal for m in scaling.remove] == [1]
    assert scaling.missing == 1


def test_new_members_take_the_lowest_free_numbers() -> None:
    assert free_ordinals([member(1), member(3)], 3) == [2, 4, 5]


def test_a_member_that_never_came_up_is_created_again_by_a_modify() -> None:
    missing = Member("ins_1", "demo", 1, Role.STANDALONE, Status.ERROR, None)

    assert modify_verb(missing, SPEC) is Operation.CREATE
    assert modify_verb(member(1), SPEC) is None
    assert modify_verb(member(1), {**SPEC, "params": {"a": 1}}) is Operation.MODIFY


def test_a_touch_fixes_the_statuses_of_its_move() -> None:
    found = touch(member(1, Status.STOPPED), Operation.MODIFY)

    assert (found.before, found.during, found.done, found.failed) == ("stopped", "modifying", "stopped", "error")


def test_half_deleted_data_is_not_touched_but_by_a_delete() -> None:
    half = member(1, Status.ERROR, delete_begun=True)

    with pytest.raises(OperationNotAllowed, match="half deleted"):
        touch(half, Operation.START)
    assert touch(half, Operation.DELETE).during is Status.DELETING


def test_those_that_cannot_are_skipped_with_the_reason() -> None:
    able, skipped = split_legal([member(1), member(2, Status.STOPPED)], Operation.STOP)

    assert [m.ordinal for m in able] == [1]
    assert [(m.ordinal, e.status) for m, e in skipped] == [(2, "stopped")]


@pytest.mark.parametrize(
    ("statuses", "worst"),
    [
        ([], None),
        ([Status.RUNNING], Status.RUNNING),
        ([Status.RUNNING, Status.STOPPED], Status.STOPPED),
        ([Status.STOPPED, Status.SUSPENDED], Status.SUSPENDED),
        ([Status.SUSPENDED, Status.MAINTENANCE], Status.MAINTENANCE),
        ([Status.MAINTENANCE, Status.STARTING], Status.STARTING),
        ([Status.STARTING, Status.ERROR], Status.ERROR),
    ],
)
def test_a_deployment_is_as_its_worst_member(statuses: list[Status], worst: Status | None) -> None:
    assert deployment_status(statuses) == worst


def test_differences_name_every_leaf() -> None:
    found = differences({"a": 1, "b": {"c": 2}}, {"b": {"c": 3, "d": 4}})

    assert found == [("/a", 1, None), ("/b/c", 2, 3), ("/b/d", None, 4)]


@given(
    st.lists(st.sampled_from(sorted(set(Status) - {Status.TERMINATED})), max_size=8),
    st.integers(min_value=1, max_value=8),
)
def test_scaling_splits_the_members_and_counts_what_is_missing(statuses: list[Status], wanted: int) -> None:
    members = [member(n, status) for n, status in enumerate(statuses, 1)]

    scaling = scale(members, wanted)

    assert sorted(m.id for m in (*scaling.keep, *scaling.remove)) == sorted(m.id for m in members)
    assert len(scaling.keep) + scaling.missing == wanted
    assert deployment_status(statuses) in {*statuses, None} | IN_PROGRESS

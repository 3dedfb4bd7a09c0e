"""Health, purely: three failures, two successes, and an age beyond which nothing is believed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.glimpses import Compared, Glimpse, Known, compare
from domain.health import FAILURES, STALE_AFTER, Evidence, Pulse, evidence_of, shown
from domain.lifecycle import IN_PROGRESS, Health, Status
from domain.work import Seen

pytestmark = pytest.mark.unit
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def beats(pulse: Pulse, *evidence: Evidence) -> list[Health]:
    found = []
    for one in evidence:
        pulse = pulse.after(one)
        found.append(pulse.health)
    return found


GOOD, BAD = Evidence(Health.HEALTHY), Evidence(Health.UNREACHABLE, "no answer")


def test_three_failures_in_a_row_make_it_unreachable_and_two_successes_healthy_again() -> None:
    assert beats(Pulse(Health.HEALTHY), BAD, BAD, GOOD, BAD, BAD, BAD) == [Health.HEALTHY] * 5 + [
        Health.UNREACHABLE
    ]
    assert beats(Pulse(Health.UNREACHABLE), GOOD, BAD, GOOD, GOOD) == [Health.UNREACHABLE] * 3 + [Health.HEALTHY]


def test_what_nobody_knows_becomes_healthy_with_the_first_success() -> None:
    assert beats(Pulse(Health.UNKNOWN), GOOD) == [Health.HEALTHY]
    assert beats(Pulse(Health.UNKNOWN), *[BAD] * FAILURES)[-1] is Health.UNREACHABLE


def test_degraded_and_unreachable_are_both_failures_and_the_last_one_names_it() -> None:
    paused = Evidence(Health.DEGRADED, "paused")
    assert beats(Pulse(Health.HEALTHY), BAD, paused, paused)[-1] is Health.DEGRADED


def test_an_end_that_was_seen_needs_no_second_look() -> None:
    for seen in (Seen.DOWN, Seen.CRASHED, Seen.ABSENT, Seen.FOREIGN):
        found = evidence_of(Status.RUNNING, seen, None)
        assert found is not None
        assert Pulse(Health.HEALTHY).after(found).health is Health.UNREACHABLE


def test_no_evidence_says_nothing_and_what_is_stopped_has_no_health() -> None:
    assert evidence_of(Status.RUNNING, Seen.NO_EVIDENCE, None) is None
    for status in IN_PROGRESS:
        assert evidence_of(status, Seen.UP, None) is None
    stopped = evidence_of(Status.STOPPED, Seen.DOWN, None)
    assert stopped is not None
    assert Pulse(Health.UNREACHABLE).after(stopped).health is Health.UNKNOWN


def test_what_is_in_error_and_not_there_is_not_called_unreachable() -> None:
    """A create that failed and was cleaned up left nothing to be reached; its status says what happened."""
    nothing = evidence_of(Status.ERROR, Seen.ABSENT, None)
    assert nothing is not None
    assert Pulse(Health.UNKNOWN).after(nothing).health is Health.UNKNOWN
    assert Pulse(Health.HEALTHY).after(nothing).health is Health.UNKNOWN
    crashed = evidence_of(Status.ERROR, Seen.CRASHED, None)
    assert crashed is not None
    assert Pulse(Health.HEALTHY).after(crashed).health is Health.UNREACHABLE


def test_a_health_that_is_older_than_two_intervals_is_not_believed() -> None:
    running = Status.RUNNING
    assert shown(Health.HEALTHY, NOW, running, NOW + STALE_AFTER) is Health.HEALTHY
    assert shown(Health.HEALTHY, NOW, running, NOW + STALE_AFTER + timedelta(seconds=1)) is Health.UNKNOWN
    assert shown(Health.HEALTHY, None, running, NOW) is Health.UNKNOWN
    assert shown(Health.UNREACHABLE, NOW, Status.STARTING, NOW) is Health.UNKNOWN


def known(number: int, status: Status = Status.RUNNING, *, drift: str | None = None, busy: bool = False) -> Known:
    return Known(f"ins_{number}", status, None, busy, 1, Health.HEALTHY, drift, 1, f"o{number}")


def listed(number: int, seen: Seen = Seen.UP, generation: int = 1) -> Glimpse:
    return Glimpse(f"ins_{number}", seen, seen.value, f"o{number}", generation)


def compared(rows: list[Known], listing: list[Glimpse], absent: frozenset[str] = frozenset()) -> Compared:
    return compare({row.id: row for row in rows}, listing, absent)


def test_a_listing_that_shows_what_is_known_asks_for_nothing() -> None:
    found = compared([known(1), known(2)], [listed(1), listed(2)])
    assert (found.look, found.missing, found.steady) == ([], [], 2)


@pytest.mark.parametrize("glimpse", [listed(1, Seen.DOWN), listed(1, Seen.TRANSIENT), listed(1, generation=2)])
def test_a_listing_that_shows_something_else_asks_for_a_look(glimpse: Glimpse) -> None:
    assert compared([known(1)], [glimpse]).look == ["ins_1"]


def test_two_objects_of_one_instance_ask_for_a_look_and_strangers_are_strays() -> None:
    found = compared([known(1)], [listed(1), listed(1), listed(9)])
    assert found.look == ["ins_1"]
    assert [one.instance_id for one in found.strays] == ["ins_9"]


def test_what_is_busy_is_left_alone_whatever_the_listing_shows() -> None:
    found = compared([known(1, busy=True), known(2, Status.CREATING, busy=True)], [])
    assert (found.look, found.missing) == ([], [])


@pytest.mark.parametrize(
    ("there", "gone", "outage"),
    [
        (0, 2, False),
        (0, 3, True),
        (12, 3, False),
        (11, 3, True),
        (20, 5, False),
        (19, 5, True),
        (9_000, 1_000, False),
    ],
)
def test_more_than_a_fifth_and_at_least_three_at_once_is_an_outage(there: int, gone: int, outage: bool) -> None:
    rows = [known(number) for number in range(there + gone)]
    found = compared(rows, [listed(number) for number in range(there)])
    assert (len(found.missing), found.outage) == (gone, outage)


def test_what_a_look_has_missed_already_and_what_was_told_is_not_lost_again() -> None:
    rows = [known(1), known(2), known(3), known(4, Status.MAINTENANCE, drift="absent")]
    found = compared(rows, [], frozenset({"ins_1"}))
    assert found.look == ["ins_1", "ins_2", "ins_3"]
    assert found.missing == ["ins_2", "ins_3"]


def test_a_health_that_nobody_knows_is_told_by_a_listing_where_a_look_would_tell_no_more() -> None:
    rows = [replace(known(number), health=Health.UNKNOWN) for number in range(7)]
    rows[2].drift, rows[3].status, rows[4].busy = "foreign", Status.MAINTENANCE, True
    listing = [listed(number) for number in range(7)]
    listing[1] = listing[1]._replace(generation=2)
    listing[5] = listing[5]._replace(whole=False)
    listing[6] = listed(6, Seen.TRANSIENT)
    found = compared(rows, listing)
    assert {state: [row.id for row in first] for state, first in found.first.items()} == {"up": ["ins_0"]}
    assert found.look == ["ins_1", "ins_2", "ins_3", "ins_5", "ins_6"]

"""What is looked at first, and what is seen to hang. Pure memory, no provider."""

from __future__ import annotations

import pytest

from monitor.agenda import Agenda

pytestmark = pytest.mark.unit


def test_what_a_provider_tells_of_goes_before_what_has_waited_longer() -> None:
    agenda = Agenda()
    for instance_id in ("probe-1", "probe-2", "probe-3"):
        agenda.ring(instance_id, -20.0)  # overdue: those before them answer slowly
    agenda.told("crashed")

    assert agenda.take(1) == ["crashed"]
    agenda.done("crashed")
    assert agenda.take(3) == ["probe-1", "probe-2", "probe-3"]


def test_what_is_told_of_during_its_look_is_looked_at_once_more() -> None:
    agenda = Agenda()
    agenda.ring("one")
    assert agenda.take(1) == ["one"]
    agenda.told("one")
    assert agenda.take(2) == [], "never two looks at one instance at once"
    agenda.done("one")
    assert agenda.take(2) == ["one"]


def test_a_look_that_does_not_end_is_known_by_its_age() -> None:
    agenda = Agenda()
    agenda.ring("slow")
    agenda.take(1)
    assert agenda.under_way() == {"slow"}
    assert agenda.under_way(longer_than=60.0) == frozenset()
    agenda.done("slow")
    assert agenda.under_way() == frozenset()

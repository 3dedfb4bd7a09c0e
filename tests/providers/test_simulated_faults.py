"""What people may ask the simulated provider to do wrong."""

from __future__ import annotations

import pytest

from domain.errors import InvalidInput
from providers.simulated_faults import Fault, FaultKind, Verb, fault_from, split_simulate, validate_simulate

pytestmark = pytest.mark.unit
SLOW_STOP = {"simulate": {"stop": {"fault": "slow", "seconds": 1}}}


@pytest.mark.parametrize(
    ("script", "pointer"),
    [
        ("slow", "/params/simulate"),
        ({"explode": {"fault": "error"}}, "/params/simulate/explode"),
        ({"create": "error"}, "/params/simulate/create"),
        ({"create": {}}, "/params/simulate/create/fault"),
        ({"create": {"fault": "boom"}}, "/params/simulate/create/fault"),
        ({"create": {"fault": "error", "times": 0}}, "/params/simulate/create/times"),
        ({"create": {"fault": "error", "times": True}}, "/params/simulate/create/times"),
        ({"create": {"fault": "slow", "seconds": -1}}, "/params/simulate/create/seconds"),
        ({"create": {"fault": "slow", "often": 1}}, "/params/simulate/create/often"),
    ],
)
def test_a_bad_script_is_refused_with_a_pointer(script: object, pointer: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        validate_simulate({"simulate": script})
    assert [error.pointer for error in refused.value.errors] == [pointer]


def test_the_script_is_split_from_the_blueprints_own_parameters() -> None:
    params = {"greeting": "hi", **SLOW_STOP}
    assert split_simulate(params) == ({"greeting": "hi"}, SLOW_STOP)
    assert split_simulate({"greeting": "hi"}) == ({"greeting": "hi"}, {})


def test_a_request_body_becomes_a_fault() -> None:
    body = {"verb": "start", "fault": "slow", "seconds": 2, "instance": "shop"}
    assert fault_from(body) == Fault(Verb.START, FaultKind.SLOW, 1, 2.0, "shop")
    with pytest.raises(InvalidInput) as refused:
        fault_from({"verb": "fly", "fault": "error", "instance": ""})
    assert {error.pointer for error in refused.value.errors} == {"/verb", "/instance"}

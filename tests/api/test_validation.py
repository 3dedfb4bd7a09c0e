"""Whatever a body holds, it is accepted or refused with pointers; nothing else ever comes out."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.errors import InvalidInput
from domain.specs import Spec
from services.forms.shapes import merged
from services.forms.validation import Rules, as_document, new_deployment, patched
from tests.support.api import Api

LOCAL = Rules(local_mode=True)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["web", "postgres"])
)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)
FIELDS = (
    "name",
    "blueprint",
    "provider",
    "params",
    "resources",
    "members",
    "labels",
    "restart_policy",
    "timeouts",
)
BODIES = JSON | st.fixed_dictionaries(
    {"blueprint": st.sampled_from(["web", "postgres"]) | JSON, "provider": st.sampled_from(["simulated"]) | JSON},
    optional=dict.fromkeys((*FIELDS[3:], "name", "database", "plan_id"), JSON),
)


def spec_or_refusal(check: Callable[[], Spec]) -> Spec | InvalidInput:
    """What `check` gives or raises; anything else that it raises fails the test."""
    try:
        return check()
    except InvalidInput as refusal:
        return refusal


def can_be_stored_or_has_pointers(found: Spec | InvalidInput) -> None:
    if isinstance(found, Spec):
        json.dumps(as_document(found), allow_nan=False)
        return
    assert found.errors
    assert all(e.pointer == "" or e.pointer.startswith("/") for e in found.errors)


@pytest.mark.unit
@given(BODIES)
def test_a_create_is_a_spec_or_a_refusal(body: Any) -> None:
    found = spec_or_refusal(lambda: new_deployment(body, LOCAL).spec)

    can_be_stored_or_has_pointers(found)


@pytest.mark.unit
@given(JSON)
def test_a_patch_is_a_spec_or_a_refusal(patch: Any) -> None:
    found = spec_or_refusal(lambda: patched(Spec(params={"greeting": "x"}), patch, "web", "simulated", LOCAL))

    can_be_stored_or_has_pointers(found)


@pytest.mark.unit
@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch_does_what_rfc_7396_shows(target: Any, patch: Any, result: Any) -> None:
    assert merged(target, patch) == result


@pytest.mark.servers
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(BODIES)
def test_no_body_breaks_the_api(api: Api, body: Any) -> None:
    raw = json.dumps(body)
    answer = api.client.post("/api/v1/instances", content=raw, headers={"Content-Type": "application/json"})

    assert answer.status_code in {202, 409, 422}, answer.text

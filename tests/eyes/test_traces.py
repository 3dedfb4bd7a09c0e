"""One trace from the click to the provider's call, through every process, without a collector or a secret."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select

from db.models import SpanRow
from system.tracing import ATTRIBUTES
from tests.support.whole import Whole
from tests.support.workers import wait_for

pytestmark = pytest.mark.servers


def trace_of(whole: Whole, operation_id: str, name: str) -> dict[str, Any]:
    """The trace, once the span called `name` has been written."""

    def there() -> bool:
        return name in {s["name"] for s in whole.api.get(f"/operations/{operation_id}/trace")["spans"]}

    wait_for(there, 15, lambda: json.dumps(whole.api.get(f"/operations/{operation_id}/trace"), indent=1))
    found: dict[str, Any] = whole.api.get(f"/operations/{operation_id}/trace")
    return found


def chain(trace: dict[str, Any], name: str) -> list[str]:
    """From the root down to the span called `name`."""
    by_id = {span["span_id"]: span for span in trace["spans"]}
    here = next(span for span in trace["spans"] if span["name"] == name)
    names = [here["name"]]
    while here["parent_id"] in by_id:
        here = by_id[here["parent_id"]]
        names.insert(0, here["name"])
    return names


def test_one_trace_leads_from_the_click_to_the_call_of_the_provider(whole: Whole) -> None:
    made = whole.create(name="traced", blueprint="web", provider="simulated")
    whole.done(made)
    trace = trace_of(whole, made["operation"]["id"], "CompleteWorkflow:CreateWorkflow")
    assert chain(trace, "simulated create") == [
        "POST /api/v1/instances",
        "dispatch",
        "StartWorkflow:CreateWorkflow",
        "StartActivity:create_instance",
        "RunActivity:create_instance",
        "simulated create",
    ]
    names = {span["name"] for span in trace["spans"]}
    assert {"RunWorkflow:CreateWorkflow", "RunActivity:plan_operation", "RunActivity:finish_operation"} <= names
    assert {span["service"] for span in trace["spans"]} == {"api", "worker"}
    offsets = [span["offset_ms"] for span in trace["spans"]]
    assert offsets == sorted(offsets)
    assert all(span["ok"] for span in trace["spans"])


def test_a_trace_that_the_caller_began_is_joined_and_its_id_is_returned(whole: Whole) -> None:
    mine = "4bf92f3577b34da6a3ce929d0e0e4736"
    answer = whole.api.ask(
        "POST",
        "/instances",
        {"name": "joined", "blueprint": "web", "provider": "simulated"},
        traceparent=f"00-{mine}-00f067aa0ba902b7-00",
    )
    assert answer.headers["X-Request-ID"] == mine
    operation = answer.json()["operation"]["id"]
    whole.done(operation)
    assert trace_of(whole, operation, "simulated create")["trace_id"] == mine
    assert whole.api.get(f"/operations/{operation}")["trace_id"] == mine


def test_a_failed_call_is_marked_with_its_kind_and_nothing_that_anybody_said(whole: Whole) -> None:
    hidden = "hunter2-is-my-password"
    body = {
        "name": "broken",
        "blueprint": "web",
        "provider": "simulated",
        "params": {"greeting": hidden, "simulate": {"create": {"fault": "invalid"}}},
    }
    made = whole.create(**body)
    whole.done(made, wanted="failed")
    trace = trace_of(whole, made["operation"]["id"], "simulated create")
    call = next(span for span in trace["spans"] if span["name"] == "simulated create")
    assert not call["ok"]
    assert call["attributes"]["error.type"] == "ProviderError"
    assert hidden not in json.dumps(trace)
    assert {key for span in trace["spans"] for key in span["attributes"]} <= ATTRIBUTES


def test_reads_and_refused_requests_leave_no_span(whole: Whole) -> None:
    refused = whole.api.ask("POST", "/instances", {"name": "NOT VALID"})
    assert refused.status_code == 422
    whole.api.get("/instances")
    with whole.api.database.read() as session:
        query = select(SpanRow).where(SpanRow.trace_id == refused.headers["X-Request-ID"])
        assert session.scalars(query).all() == []
        assert [name for name in session.scalars(select(SpanRow.name)) if name.startswith("GET")] == []


def test_another_projects_operation_has_no_trace_here(whole: Whole) -> None:
    answer = whole.api.ask("GET", "/operations/op_00000000000000000000000000/trace")
    assert answer.status_code == 404

"""`/admin/stats`: figures by provider, step and hour, queue, sockets and loops; nothing that was there is gone."""

from __future__ import annotations

import json

import pytest
from websockets.sync.client import connect

from domain.lifecycle import Status
from domain.operations import OperationStatus
from tests.support.api import Api
from tests.support.workers import wait_for

pytestmark = pytest.mark.servers


def test_what_was_there_before_is_still_there(api: Api) -> None:
    form = api.get("/admin/stats")
    known = {"totals", "total", "by_status", "needs_you", "provisioning", "billing", "by_provider", "by_blueprint"}
    assert known | {"operations", "durations", "failures"} <= set(form)


def test_launches_are_told_by_provider_with_their_percentiles(api: Api) -> None:
    for seconds in (1.0, 2.0, 3.0):
        api.an_instance(Status.RUNNING, launch_duration_seconds=seconds)
    one = next(p for p in api.get("/admin/stats")["providers"] if p["provider"] == "simulated")
    assert one["launch_seconds"]["count"] >= 3
    assert one["launch_seconds"]["p50"] == pytest.approx(2.0)
    assert one["launch_seconds"]["p99"] == pytest.approx(2.98)
    assert one["termination_seconds"] == {"count": 0, "p50": None, "p95": None, "p99": None}


def test_failures_are_told_by_step_and_provider_and_the_queue_by_what_waits(api: Api) -> None:
    made = api.create()
    before = api.get("/admin/stats")["queue"]["pending"]
    assert before >= 1
    api.end(made["operation"]["id"], OperationStatus.FAILED)
    form = api.get("/admin/stats")
    assert form["queue"]["pending"] == before - 1
    assert {"step": "create", "provider": "simulated", "count": 1} in form["failures_by_step"]


def test_every_hour_of_the_last_day_has_a_row(api: Api) -> None:
    api.create()
    hours = api.get("/admin/stats")["hourly"]
    assert len(hours) == 24
    assert [h["hour"] for h in hours] == sorted(h["hour"] for h in hours)
    assert set(hours[-1]) == {"hour", "launches", "terminations", "failures", "transitions"}


def test_open_sockets_are_counted_and_no_longer_counted_when_they_have_gone(api: Api) -> None:
    headers = {"Authorization": api.client.headers["Authorization"]}
    with connect(api.url.replace("http", "ws") + "/ws", additional_headers=headers) as socket:
        socket.send(json.dumps({"type": "subscribe"}))
        socket.recv(5)
        assert api.get("/admin/stats")["sockets"]["open"] == 1
        assert "websocket_connections_active 1.0" in api.client.get("/metrics").text
    wait_for(lambda: api.get("/admin/stats")["sockets"]["open"] == 0, 30, "the socket is still counted")

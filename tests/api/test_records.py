"""What operations and instances look like now, over the feed: read once for all, and nobody has to poll."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import insert, update

from api.schemas import Instance, OperationForm
from db.models import Instance as InstanceRow
from db.models import OperationStep
from db.session import CHANNEL_RECORDS
from domain.lifecycle import Status
from domain.operations import StepStatus
from tests.api.test_feed import BEARER, frame, socket, subscribe
from tests.support.api import Api

pytestmark = pytest.mark.servers
SECONDS = 60.0


def records_on(opened: Any) -> Iterator[dict[str, Any]]:
    """Operations and instances as they are told, for a while."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        form = frame(opened)
        if form.get("type") == "records":
            yield from form["items"]


def say(api: Api, operation_id: str, message: str) -> None:
    """What an activity does when it says how far it is."""
    with api.database.begin() as tx:
        tx.run(update(OperationStep).where(OperationStep.operation_id == operation_id).values(message=message))
        tx.wake(CHANNEL_RECORDS, operation_id)


def with_step(api: Api) -> tuple[str, str]:
    """(operation id, instance id) of a create whose step runs."""
    made = api.create()
    operation_id, instance_id = made["operation"]["id"], made["instance"]["id"]
    step = {"name": "create", "title": "Create it", "instance_id": instance_id, "message": None}
    with api.database.begin() as tx:
        tx.run(
            insert(OperationStep).values(
                operation_id=operation_id, position=0, status=StepStatus.RUNNING, attempts=[], **step
            )
        )
    return operation_id, instance_id


def test_a_socket_that_asks_is_told_of_progress_that_the_log_does_not_have(api: Api) -> None:
    operation_id, _ = with_step(api)
    before = api.get("/events?limit=1")["next"]
    with socket(api) as opened:
        subscribe(opened, records=True)
        say(api, operation_id, "pulling the image")
        told = next(
            item["operation"]
            for item in records_on(opened)
            if item["type"] == "operation"
            and item["operation"]["steps"][0:1]
            and item["operation"]["id"] == operation_id
            and item["operation"]["steps"][0]["message"]
        )
    OperationForm.model_validate(told)
    assert told["steps"][0]["message"] == "pulling the image"
    assert api.get("/events?limit=1")["next"] == before, "nothing was logged for it"


def test_who_comes_is_told_what_is_under_way_and_then_every_change_of_an_instance(api: Api) -> None:
    operation_id, instance_id = with_step(api)
    with socket(api) as opened:
        subscribe(opened, records=True)
        assert any(item.get("operation", {}).get("id") == operation_id for item in records_on(opened))
        api.ask("POST", f"/operations/{operation_id}/cancel")
        told = next(i["instance"] for i in records_on(opened) if i.get("instance", {}).get("id") == instance_id)
    Instance.model_validate(told)
    assert told["status"] == "error"
    assert told["current_operation"] is None
    shown = api.get(f"/instances/{instance_id}")
    same = set(shown) - {"provider_state", "provider_state_at"}
    assert {key: told[key] for key in same} == {key: shown[key] for key in same}


def test_the_end_of_an_operation_is_told_of_its_instances_too(api: Api) -> None:
    """What they may be asked for turns with it, and the event of the end names no instance."""
    operation_id, instance_id = with_step(api)
    with api.database.begin() as tx:
        tx.run(update(InstanceRow).where(InstanceRow.id == instance_id).values(status=Status.RUNNING))
    with socket(api) as opened:
        subscribe(opened, records=True)
        assert any(item.get("operation", {}).get("id") == operation_id for item in records_on(opened))
        api.end(operation_id)
        say(api, operation_id, "over")  # wakes the readers, as the event of an end does
        told = next(i["instance"] for i in records_on(opened) if i.get("instance", {}).get("id") == instance_id)
    assert told["current_operation"] is None
    assert {one["action"] for one in told["allowed_actions"] if one["enabled"]} >= {"stop", "delete"}


def test_who_did_not_ask_is_not_told(api: Api) -> None:
    with socket(api) as opened:
        frame(opened)
        made = api.create()
        event = frame(opened)
        assert event["operation_id"] == made["operation"]["id"]


def test_records_of_another_project_or_another_instance_are_not_told(api: Api) -> None:
    operation_id, instance_id = with_step(api)
    other_id, _ = with_step(api)
    with socket(api) as opened:
        subscribe(opened, records=True, instance_id=instance_id)
        say(api, other_id, "somebody else's")
        say(api, operation_id, "mine")
        for item in records_on(opened):
            assert item["operation"]["id"] == operation_id
            if item["operation"]["steps"][0]["message"] == "mine":
                break
        else:
            pytest.fail("never told")


def test_server_sent_records_have_no_id_so_that_a_reader_resumes_behind_an_event(api: Api) -> None:
    operation_id, _ = with_step(api)
    seen: list[tuple[str, str | None]] = []
    with api.client.stream("GET", "/api/v1/events/stream?records=true", headers=BEARER) as answer:
        kind = identity = None
        for line in answer.iter_lines():
            name, _, value = line.partition(": ")
            kind = value if name == "event" else kind
            identity = value if name == "id" else identity
            if name == "data" and kind == "operation":
                seen.append((json.loads(value)["operation"]["id"], identity))
                if seen[-1][0] == operation_id:
                    break
    assert seen[-1] == (operation_id, None)

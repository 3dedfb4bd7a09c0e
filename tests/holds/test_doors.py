"""Each kind of hold × each action × each resting status, through HTTP; parameters, protection, force."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, select, update

from db.models import Hold, Instance, OperationRow
from domain.holds import HoldCause
from domain.lifecycle import Operation, Status
from tests.support.api import Api, running_api

pytestmark = pytest.mark.servers
STARTING = [
    Operation.START,
    Operation.RESTART,
    Operation.RESTORE,
    Operation.PROMOTE,
    Operation.RETRY,
]
RESTING = [Status.STOPPED, Status.RUNNING, Status.SUSPENDED, Status.MAINTENANCE, Status.ERROR]
LIFTED_BY = {HoldCause.BILLING: "a payment succeeds", HoldCause.ADMIN: "with unsuspend"}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, database_url: str) -> Iterator[Api]:
    """The API without Temporal: what it accepts stays pending."""
    with running_api(tmp_path_factory.mktemp("api"), database_url) as running:
        yield running


def held(api: Api, status: Status, *causes: HoldCause) -> str:
    name = api.an_instance(status)
    with api.database.begin() as tx:
        deployment = select(Instance.deployment_id).where(Instance.name == name).scalar_subquery()
        for cause in causes:
            by = "billing" if cause is HoldCause.BILLING else "ana"
            tx.session.execute(insert(Hold).values(deployment_id=deployment, cause=cause, actor=by, since=tx.now))
    return name


@pytest.mark.parametrize("cause", list(HoldCause))
@pytest.mark.parametrize("status", RESTING)
def test_while_a_hold_stands_nothing_starts_whatever_the_status(
    api: Api, cause: HoldCause, status: Status
) -> None:
    name = held(api, status, cause)

    for operation in (Operation.START, Operation.RESTART, Operation.RETRY):
        refused = api.act(name, operation)
        assert (refused.status_code, refused.json()["code"]) == (409, "on-hold"), refused.text
        assert LIFTED_BY[cause] in refused.json()["detail"]
    for operation in STARTING:
        assert api.act(name, operation).status_code == 409
    rows = {row["action"]: row for row in api.get(f"/instances/{name}")["allowed_actions"]}
    assert not any(rows[operation]["enabled"] for operation in STARTING)
    assert rows["delete"]["enabled"]


@pytest.mark.parametrize("status", [Status.SUSPENDED, Status.ERROR])
@pytest.mark.parametrize(
    ("causes", "answer"),
    [
        ((HoldCause.ADMIN,), 202),
        ((HoldCause.BILLING,), 409),
        ((HoldCause.BILLING, HoldCause.ADMIN), 202),
    ],
)
def test_an_administrator_lifts_an_administrators_hold_only(
    api: Api, status: Status, causes: tuple[HoldCause, ...], answer: int
) -> None:
    name = held(api, status, *causes)

    lifted = api.act(name, "unsuspend")

    assert lifted.status_code == answer, lifted.text
    left = [hold["cause"] for hold in api.get(f"/instances/{name}")["holds"]]
    assert left == (["billing"] if len(causes) == 2 else [c.value for c in causes])


@pytest.mark.parametrize(
    ("causes", "answer"),
    [
        ((HoldCause.BILLING,), 202),
        ((HoldCause.ADMIN,), 409),
        ((HoldCause.BILLING, HoldCause.ADMIN), 409),
    ],
)
def test_an_administrators_hold_is_placed_beside_billings_once(
    api: Api, causes: tuple[HoldCause, ...], answer: int
) -> None:
    name = held(api, Status.SUSPENDED, *causes)
    rows = {row["action"]: row for row in api.get(f"/instances/{name}")["allowed_actions"]}
    assert (rows["suspend"]["enabled"], rows["suspend"]["button"]) == (answer == 202, False)

    placed = api.act(name, "suspend")

    assert placed.status_code == answer, placed.text
    left = {hold["cause"] for hold in api.get(f"/instances/{name}")["holds"]}
    assert left == {*causes} | ({"admin"} if answer == 202 else set())


def test_the_record_shows_who_holds_it_why_and_until_when(api: Api) -> None:
    name = api.an_instance(Status.RUNNING)

    made = api.act(name, "suspend", params={"delete_after_days": 14, "note": "asked by mail"})

    assert made.status_code == 202, made.text
    shown = made.json()["instance"]
    hold = shown["hold"]
    assert (hold["cause"], hold["note"]) == ("admin", "asked by mail")
    assert shown["holds"] == [hold]
    assert shown["suspended_from"] == "running"
    life = datetime.fromisoformat(hold["deletes_at"]) - datetime.fromisoformat(hold["since"])
    assert abs(life - timedelta(days=14)) < timedelta(seconds=1)


def test_a_deployment_is_suspended_as_a_whole(api: Api) -> None:
    name = api.an_instance(Status.RUNNING)

    made = api.ask("POST", f"/deployments/{name}/actions", {"action": "suspend"})

    assert made.status_code == 202, made.text
    assert made.json()["operation"]["kind"] == "suspend"


@pytest.mark.parametrize(
    ("action", "params", "pointer"),
    [
        ("suspend", {"delete_after_days": 0}, "/params/delete_after_days"),
        ("suspend", {"until": "x"}, "/params/until"),
        ("maintenance_on", {"until": "2026-01-01T00:00:00"}, "/params/until"),
        ("maintenance_on", {"until": "2020-01-01T00:00:00Z"}, "/params/until"),
        ("maintenance_on", {"note": "a\nb"}, "/params/note"),
        ("stop", {"force": "yes"}, "/params/force"),
        ("start", {"force": True}, "/params/force"),
    ],
)
def test_wrong_parameters_are_named(api: Api, action: str, params: dict[str, object], pointer: str) -> None:
    name = api.an_instance(Status.RUNNING)

    refused = api.act(name, action, params=params)

    assert refused.status_code == 422, refused.text
    assert refused.json()["errors"][0]["pointer"] == pointer
    assert api.get(f"/instances/{name}")["status"] == "running"


def test_maintenance_says_until_when_by_whom_and_why(api: Api) -> None:
    name = api.an_instance(Status.RUNNING)
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()

    shown = api.act(name, "maintenance_on", params={"until": until, "note": "new disk"}).json()["instance"]

    assert shown["status"] == "maintenance"
    assert (shown["maintenance"]["note"], shown["maintenance"]["begun"]) == ("new disk", True)
    assert datetime.fromisoformat(shown["maintenance"]["until"]) == datetime.fromisoformat(until)
    assert api.act(name, "maintenance_off").json()["instance"]["maintenance"] is None


def test_planned_maintenance_is_shown_and_taken_back(api: Api) -> None:
    name = api.an_instance(Status.STOPPED)
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()

    planned = api.act(name, "maintenance_on", params={"from": later}).json()["instance"]

    assert (planned["status"], planned["maintenance"]["begun"]) == ("stopped", False)
    ended = api.act(name, "maintenance_off")
    assert ended.status_code == 202, ended.text
    assert (ended.json()["instance"]["status"], ended.json()["instance"]["maintenance"]) == ("stopped", None)


def test_what_is_protected_cannot_be_deleted_alone_in_a_batch_or_by_the_older_form(api: Api) -> None:
    name = api.an_instance(Status.RUNNING)
    patched = api.ask("PATCH", f"/instances/{name}", {"deletion_protection": True}, If_Match="*")
    assert patched.status_code == 202, patched.text

    batch = api.ask("POST", "/instances:batch", {"action": "delete", "ids": [name]}).json()["items"][0]
    answers = [
        api.ask("DELETE", f"/instances/{name}"),
        api.ask("DELETE", f"/instances/{name}?force=true"),
        api.ask("DELETE", f"/deployments/{name}"),
        api.act(name, "terminate"),
        api.ask("POST", f"/instances/{name}/terminate"),
    ]

    assert [(a.status_code, a.json()["code"]) for a in answers] == [(409, "deletion-protected")] * 5
    assert (batch["status"], batch["problem"]["code"]) == (409, "deletion-protected")
    assert api.get(f"/instances/{name}")["deletion_protection"]
    api.ask("PATCH", f"/instances/{name}", {"deletion_protection": False}, If_Match="*")
    assert api.ask("DELETE", f"/instances/{name}").status_code == 202


def test_force_buttons_appear_in_a_stuck_operation_and_do_what_they_say(api: Api) -> None:
    name = api.an_instance(Status.RESTARTING)
    shown = {row["action"] for row in api.get(f"/instances/{name}")["allowed_actions"]}
    assert not {"force_stop", "force_delete"} & shown
    assert api.act(name, "force_stop").status_code == 409
    past = datetime.now(UTC) - timedelta(seconds=1)
    with api.database.begin() as tx:
        stuck = update(OperationRow).where(OperationRow.deployment_name == name)
        tx.session.execute(stuck.values(deadline_at=past, slow_at=past))

    rows = {row["action"]: row for row in api.get(f"/instances/{name}")["allowed_actions"]}
    assert rows["force_stop"]["button"]
    assert rows["force_delete"]["enabled"]
    made = api.act(name, "stop", params={"force": True})

    assert made.status_code == 202, made.text
    assert made.json()["operation"]["kind"] == "stop"

"""Evidence from outside: stored once, verified with the provider, the first one wins and is recorded as such."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from db.session import CHANNEL_OPERATIONS
from domain.errors import InvalidInput, NotFound, OperationNotAllowed
from domain.lifecycle import Status
from domain.operations import OperationStatus, Source
from domain.specs import Accepted, Caller
from services.operations.confirmations import record_confirmation
from tests.support.postgres import PostgresServer
from tests.support.spine import NEVER, Spine
from tests.support.spines import working_spine
from tests.support.temporal import TemporalServer

pytestmark = pytest.mark.servers
AGENT = Caller("agent-7", source=Source.AGENT)


@pytest.fixture(scope="module")
def seldom_looking(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer, temporal_server: TemporalServer
) -> Iterator[Spine]:
    """A Berth whose polls look once, and then only when they are told to: their next turn is far away."""
    seldom = {"BERTH_SIMULATED_POLL_SECONDS": "280"}
    with working_spine(tmp_path_factory, postgres_server, temporal_server, **seldom) as made:
        yield made


@pytest.fixture
def seldom(seldom_looking: Spine) -> Iterator[Spine]:
    yield seldom_looking
    seldom_looking.provider.clear_faults()
    seldom_looking.invariants()


def accepted_create(spine: Spine, **faults: dict[str, Any]) -> Accepted:
    """A create that the provider has accepted and shows only once the test lets it."""
    made = spine.create(simulate={"create": {"fault": "unconfirmed", "seconds": NEVER}} | faults)
    spine.wait_operation(made, lambda row: "LAUNCH_ACCEPTED" in spine.event_types(row.id))
    return made


def claim(spine: Spine, made: Accepted, caller: Caller, kind: str = "launched", generation: int = 1) -> bool:
    row = spine.instance(made.deployment_id)
    return spine.write(lambda tx: record_confirmation(tx, caller, made.operation_id, row.id, kind, generation))


def signal(spine: Spine, made: Accepted, **claim: object) -> None:
    operation = spine.operation(made.operation_id)
    given = {"operation_id": operation.id, "instance_id": operation.instance_ids[0], "kind": "launched"} | claim
    words = ["--workflow-id", operation.workflow_id, "--name", "confirm", "--input", json.dumps(given)]
    spine.temporal.cli(spine.namespace, "workflow", "signal", *words)


def evidence(spine: Spine, made: Accepted) -> tuple[str, str | None]:
    (event,) = [e for e in spine.events(made.operation_id) if e.event_type == "LAUNCH_CONFIRMED"]
    return event.source, event.confirmation_method


def shown_create(spine: Spine) -> Accepted:
    """A create that the provider shows already, after the poll's only look of its own, which got no answer."""
    made = accepted_create(spine, observe={"fault": "unconfirmed"})
    spine.wait_call(made.deployment_id, "observe")
    spine.settles(made.deployment_id)
    assert spine.instance(made.deployment_id).status is Status.CREATING
    return made


def look_again(spine: Spine, made: Accepted) -> None:
    """Wake the poll, and wait until it has begun another look: the one before is over then."""
    before = spine.calls(spine.instance(made.deployment_id).id)["observe"]
    spine.write(lambda tx: tx.wake(CHANNEL_OPERATIONS, made.operation_id))
    spine.wait_call(made.deployment_id, "observe", before + 1, seconds=30)


def test_a_word_that_the_provider_does_not_bear_out_changes_nothing_and_earns_nothing(seldom: Spine) -> None:
    made = accepted_create(seldom)
    seldom.wait_call(made.deployment_id, "observe")
    assert claim(seldom, made, AGENT) is True
    seldom.wait_call(made.deployment_id, "observe", 2, seconds=30)
    look_again(seldom, made)
    assert seldom.instance(made.deployment_id).status is Status.CREATING
    seldom.settles(made.deployment_id)
    seldom.write(lambda tx: tx.wake(CHANNEL_OPERATIONS, made.operation_id))
    seldom.succeeded(made)
    assert evidence(seldom, made) == ("backend", "provider_poll")


def test_a_word_that_could_not_be_checked_is_checked_by_the_next_look(seldom: Spine) -> None:
    spine, made = seldom, shown_create(seldom)
    spine.fault("observe", "error", instance=spine.instance(made.deployment_id).id)
    before = spine.calls(spine.instance(made.deployment_id).id)["observe"]
    claim(spine, made, AGENT)
    spine.wait_call(made.deployment_id, "observe", before + 1)
    assert spine.instance(made.deployment_id).status is Status.CREATING
    spine.write(lambda tx: tx.wake(CHANNEL_OPERATIONS, made.operation_id))
    spine.succeeded(made)
    assert evidence(spine, made) == ("agent", "external")


def test_a_word_that_the_provider_bears_out_is_the_evidence(seldom: Spine) -> None:
    spine, made = seldom, shown_create(seldom)
    assert claim(spine, made, AGENT) is True
    spine.succeeded(made)
    assert evidence(spine, made) == ("agent", "external")
    assert spine.event_types(made.operation_id).count("LAUNCH_CONFIRMED") == 1


def test_a_repeated_claim_is_stored_once(spine: Spine) -> None:
    made = accepted_create(spine)
    assert claim(spine, made, AGENT) is True
    assert claim(spine, made, AGENT) is False
    assert claim(spine, made, Caller("other", source=Source.EXTERNAL)) is False
    signal(spine, made, generation=1)
    spine.settles(made.deployment_id)
    spine.succeeded(made)


def test_a_confirm_signal_is_evidence_too(seldom: Spine) -> None:
    spine, made = seldom, shown_create(seldom)
    signal(spine, made, generation=1)
    spine.succeeded(made)
    assert evidence(spine, made) == ("external", "external")


@pytest.mark.parametrize(
    "wrong",
    [
        {"operation_id": "op_of_somebody_else", "generation": 1},
        {"instance_id": "ins_of_somebody_else", "generation": 1},
        {"generation": 2},
        {"generation": "many"},
        {"generation": None},
        {"kind": "terminated", "generation": 1},
        {"kind": 7, "generation": 1},
    ],
)
def test_a_confirm_signal_about_something_else_or_out_of_form_is_ignored(
    spine: Spine, wrong: dict[str, object]
) -> None:
    made = accepted_create(spine)
    signal(spine, made, **wrong)
    looks = spine.calls(spine.instance(made.deployment_id).id).get("observe", 0)
    spine.wait_call(made.deployment_id, "observe", looks + 1)
    spine.settles(made.deployment_id)
    spine.succeeded(made)
    assert evidence(spine, made) == ("backend", "provider_poll")


def test_a_signal_that_is_no_object_at_all_is_ignored(spine: Spine) -> None:
    made = accepted_create(spine)
    workflow_id = spine.operation(made.operation_id).workflow_id
    for name in ("confirm", "retry", "abort", "unheard-of"):
        words = ["--workflow-id", workflow_id, "--name", name, "--input", "[1, 2]"]
        spine.temporal.cli(spine.namespace, "workflow", "signal", *words)
    spine.settles(made.deployment_id)
    spine.succeeded(made)


def test_a_confirmation_must_name_operation_instance_kind_and_generation(spine: Spine) -> None:
    made = accepted_create(spine)
    with pytest.raises(InvalidInput, match="generation: the object is at generation 1"):
        claim(spine, made, AGENT, generation=2)
    with pytest.raises(InvalidInput, match="kind: is not one of launched, stopped, terminated, promoted"):
        claim(spine, made, AGENT, kind="born")
    with pytest.raises(InvalidInput, match="kind: create is confirmed by launched"):
        claim(spine, made, AGENT, kind="terminated")
    with pytest.raises(NotFound):
        spine.write(lambda tx: record_confirmation(tx, AGENT, made.operation_id, "ins_other", "launched", 1))
    spine.settles(made.deployment_id)
    spine.succeeded(made)
    with pytest.raises(OperationNotAllowed, match="is succeeded"):
        claim(spine, made, AGENT)


def test_a_termination_is_confirmed_with_its_source_and_goes_to_history(seldom: Spine) -> None:
    spine = seldom
    made = spine.create_done()
    row = spine.instance(made.deployment_id)
    spine.fault("delete", "unconfirmed", seconds=NEVER, instance=row.id)
    spine.fault("observe", "unconfirmed", instance=row.id)
    gone = spine.delete(made.deployment_id)
    spine.wait_call(made.deployment_id, "observe")
    spine.settles(made.deployment_id)
    assert "TERMINATE_ACCEPTED" in spine.event_types(gone.operation_id)
    spine.write(lambda tx: record_confirmation(tx, AGENT, gone.operation_id, row.id, "terminated", 1))
    spine.succeeded(gone)
    (life,) = spine.runs(made.deployment_id)
    assert life.confirmation_method == "external"
    assert life.termination_confirmed_at is not None


def test_a_claim_is_looked_at_at_once_and_not_at_the_polls_next_turn(seldom: Spine) -> None:
    spine, made = seldom, shown_create(seldom)
    with pytest.raises(AssertionError, match="did not get there"):
        spine.wait_done(made, seconds=1.5)
    claim(spine, made, AGENT)
    spine.succeeded(made)
    assert evidence(spine, made) == ("agent", "external")


def test_a_cancel_is_heard_at_once_and_not_at_the_polls_next_turn(seldom: Spine) -> None:
    made = accepted_create(seldom)
    seldom.wait_call(made.deployment_id, "observe")
    seldom.cancel(made.operation_id)
    seldom.cancelled(made)


def test_a_claim_is_heard_again_after_the_listening_connection_was_lost(seldom: Spine) -> None:
    made = shown_create(seldom)
    seldom.end_connection("berth-worker-wakes")
    claim(seldom, made, AGENT)
    seldom.succeeded(made)


def test_a_claim_decides_alone_only_where_the_provider_could_never_be_asked(spine: Spine) -> None:
    made = spine.create(
        simulate={"create": {"fault": "unconfirmed", "seconds": 60}, "observe": {"fault": "error", "times": -1}},
        timeouts={"launch_seconds": 6},
    )
    spine.wait_operation(made, lambda row: row.status is OperationStatus.RUNNING)
    claim(spine, made, AGENT)
    spine.succeeded(made)
    (event,) = [e for e in spine.events(made.operation_id) if e.event_type == "LAUNCH_CONFIRMED"]
    assert event.data["verified"] is False
    assert (event.source, event.confirmation_method) == ("agent", "external")
    spine.provider.clear_faults()
    spine.succeeded(spine.delete(made.deployment_id))


def test_a_termination_is_never_taken_on_anybodys_word(spine: Spine) -> None:
    made = spine.create_done(timeouts={"termination_seconds": 6})
    row = spine.instance(made.deployment_id)
    spine.fault("delete", "unconfirmed", seconds=60, instance=row.id)
    spine.fault("observe", "error", times=-1, instance=row.id)
    gone = spine.delete(made.deployment_id)
    spine.wait_operation(gone, lambda row: row.status is OperationStatus.RUNNING)
    spine.write(lambda tx: record_confirmation(tx, AGENT, gone.operation_id, row.id, "terminated", 1))
    failed = spine.failed(gone)
    assert failed.error is not None
    assert "was not gone within 6 s" in failed.error["message"]
    spine.provider.clear_faults()
    spine.fault("delete", "gone", instance=row.id)
    spine.succeeded(spine.retry(failed.id))

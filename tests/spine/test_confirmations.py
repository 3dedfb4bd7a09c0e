"""Evidence from outside: stored once, verified with the provider, the first one wins and is recorded as such."""

from __future__ import annotations

import json

import pytest

from domain.errors import InvalidInput, NotFound, OperationNotAllowed
from domain.lifecycle import Status
from domain.operations import Source
from domain.specs import Accepted, Caller
from services.confirmations import record_confirmation
from tests.support.spine import Spine

pytestmark = pytest.mark.servers
AGENT = Caller("agent-7", source=Source.AGENT)


def accepted_create(spine: Spine, seconds: float = 1.5) -> Accepted:
    """A create that the provider has accepted and will show only later."""
    made = spine.create(simulate={"create": {"fault": "unconfirmed", "seconds": seconds}})
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


def test_an_agents_word_alone_changes_nothing_until_the_provider_shows_it(spine: Spine) -> None:
    made = accepted_create(spine)
    assert claim(spine, made, AGENT) is True
    assert spine.instance(made.deployment_id).status is Status.CREATING
    spine.succeeded(made)
    assert evidence(spine, made) == ("agent", "external")


def test_the_first_confirmation_wins_and_later_ones_are_no_ops(spine: Spine) -> None:
    made = accepted_create(spine)
    assert claim(spine, made, AGENT) is True
    assert claim(spine, made, AGENT) is False
    assert claim(spine, made, Caller("other", source=Source.EXTERNAL)) is False
    signal(spine, made, generation=1)
    spine.succeeded(made)
    assert evidence(spine, made) == ("agent", "external")
    assert spine.event_types(made.operation_id).count("LAUNCH_CONFIRMED") == 1


def test_a_confirm_signal_is_evidence_too(spine: Spine) -> None:
    made = accepted_create(spine)
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
    made = accepted_create(spine, seconds=0.8)
    signal(spine, made, **wrong)
    spine.succeeded(made)
    assert evidence(spine, made) == ("backend", "provider_poll")


def test_a_signal_that_is_no_object_at_all_is_ignored(spine: Spine) -> None:
    made = accepted_create(spine, seconds=0.8)
    workflow_id = spine.operation(made.operation_id).workflow_id
    for name in ("confirm", "retry", "abort", "unheard-of"):
        words = ["--workflow-id", workflow_id, "--name", name, "--input", "[1, 2]"]
        spine.temporal.cli(spine.namespace, "workflow", "signal", *words)
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
    spine.succeeded(made)
    with pytest.raises(OperationNotAllowed, match="is succeeded"):
        claim(spine, made, AGENT)


def test_a_termination_is_confirmed_with_its_source_and_goes_to_history(spine: Spine) -> None:
    made = spine.create_done()
    row = spine.instance(made.deployment_id)
    spine.fault("delete", "unconfirmed", seconds=1.0, instance=row.id)
    gone = spine.delete(made.deployment_id)
    spine.wait_operation(gone, lambda op: "TERMINATE_ACCEPTED" in spine.event_types(op.id))
    spine.write(lambda tx: record_confirmation(tx, AGENT, gone.operation_id, row.id, "terminated", 1))
    spine.succeeded(gone)
    (life,) = spine.runs(made.deployment_id)
    assert life.confirmation_method == "external"
    assert life.termination_confirmed_at is not None

"""Every saved history replays on today's workflow code. Needs no server."""

from __future__ import annotations

from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from tests.replay.scenarios import SCENARIOS
from workflows.registry import WORKFLOWS

HISTORIES = sorted((Path(__file__).parent / "histories").glob("*.json"))


def replayer() -> Replayer:
    """As the worker runs them."""
    runner = SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_all_modules())
    return Replayer(
        workflows=list(WORKFLOWS.values()), data_converter=pydantic_data_converter, workflow_runner=runner
    )


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_a_saved_history_replays(path: Path) -> None:
    history = WorkflowHistory.from_json(path.stem, path.read_text())
    result = await replayer().replay_workflow(history, raise_on_replay_failure=False)
    assert result.replay_failure is None, result.replay_failure


def test_every_scenario_and_every_type_has_a_history() -> None:
    assert {path.stem.split(".")[0] for path in HISTORIES} == set(SCENARIOS)
    text = "".join(path.read_text() for path in HISTORIES)
    assert all(f'"name": "{workflow.__name__}"' in text for workflow in WORKFLOWS.values())


async def test_a_history_of_another_graph_is_found_out() -> None:
    """The check can fail: the same events under another activity's name do not replay."""
    path = next(path for path in HISTORIES if path.stem == "every_operation_succeeds.2")
    changed = path.read_text().replace('"name": "stop_instance"', '"name": "start_instance"')
    history = WorkflowHistory.from_json("changed", changed)
    result = await replayer().replay_workflow(history, raise_on_replay_failure=False)
    assert result.replay_failure is not None

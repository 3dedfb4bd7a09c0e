"""Temporal workers, one pair per queue: the verbs of a place, and the polls that wait for its confirmations.

Queues come and go while the process lives: a provider is configured later, or another process takes the host over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import structlog
from temporalio.client import Client
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.aftermath import AftermathActivities
from activities.asks import AskActivities
from activities.confirming import ConfirmActivities
from activities.databases import DatabaseActivities
from activities.instances import InstanceActivities
from activities.orphans import OrphanActivities
from activities.parts import Parts
from activities.records import RecordActivities
from activities.watching import Watching
from services.operations.planning import PlanRules
from workflows.registry import TASK_QUEUE, WORKFLOWS
from workflows.steps import POLLS

log = structlog.get_logger("worker")
COMMANDS_AT_ONCE = 40
"""Per queue, each with a thread of its own."""
_POLLS_AT_ONCE = 500
_POLL_POLLERS = 2
_DRAIN = timedelta(seconds=20)
_COMMAND_BEAT = timedelta(seconds=1)
"""The answer to a heartbeat is how an activity hears of a cancel: by default it waits four seconds for it."""
_POLL_BEAT = timedelta(seconds=4)


def workflow_worker(client: Client, parts: Parts, rules: PlanRules) -> Worker:
    """The workflows, and the activities that need no place: those that write records, and foreign databases."""
    return Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=list(WORKFLOWS.values()),
        activities=activities_of(RecordActivities(parts.database, rules))
        + activities_of(DatabaseActivities(parts)),
        activity_executor=parts.pool,
        max_heartbeat_throttle_interval=_COMMAND_BEAT,
        default_heartbeat_throttle_interval=_COMMAND_BEAT,
        workflow_runner=SandboxedWorkflowRunner(
            restrictions=SandboxRestrictions.default.with_passthrough_all_modules()
        ),
        interceptors=[Watching()],
        workflow_failure_exception_types=[Exception],
        max_concurrent_workflow_tasks=20,
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=3),
        graceful_shutdown_timeout=_DRAIN,
        build_id="berth",
    )


def command_worker(client: Client, queue: str, parts: Parts) -> Worker:
    """What acts, and what answers people's questions, at one place."""
    holders = (
        InstanceActivities(parts),
        AftermathActivities(parts),
        DatabaseActivities(parts),
        AskActivities(parts),
        OrphanActivities(parts),
    )
    return Worker(
        client,
        task_queue=queue,
        activities=[activity for holder in holders for activity in activities_of(holder)],
        interceptors=[Watching()],
        max_concurrent_activities=COMMANDS_AT_ONCE,
        max_heartbeat_throttle_interval=_COMMAND_BEAT,
        default_heartbeat_throttle_interval=_COMMAND_BEAT,
        graceful_shutdown_timeout=_DRAIN,
        build_id="berth",
    )


def poll_worker(client: Client, queue: str, parts: Parts) -> Worker:
    """The polls of that place. They only wait: a stopping worker hands them over at once."""
    return Worker(
        client,
        task_queue=f"{queue}{POLLS}",
        activities=activities_of(ConfirmActivities(parts)),
        interceptors=[Watching()],
        max_concurrent_activities=_POLLS_AT_ONCE,
        max_concurrent_activity_task_polls=_POLL_POLLERS,
        max_heartbeat_throttle_interval=_POLL_BEAT,
        default_heartbeat_throttle_interval=_POLL_BEAT,
        build_id="berth",
    )


def activities_of(holder: object) -> list[Callable[..., Any]]:
    """Every activity that `holder` defines: a new one is served without being listed again."""
    found = (getattr(holder, name) for name in dir(holder) if not name.startswith("_"))
    return [method for method in found if hasattr(method, "__temporal_activity_definition")]


class Serving:
    """The queues that this process serves now."""

    def __init__(self, client: Client, parts: Parts) -> None:
        self._client = client
        self._parts = parts
        self._running: dict[str, list[tuple[Worker, asyncio.Task[None]]]] = {}
        self.broken = asyncio.Event()
        """Set when a worker has ended by itself: the process is to be started anew."""

    def start_workflows(self, rules: PlanRules) -> None:
        """The queue of workflows and records."""
        self._run(TASK_QUEUE, [workflow_worker(self._client, self._parts, rules)])

    def start(self, queue: str) -> None:
        """Serve a place's queue and its polls; nothing changes when it is served already."""
        if queue not in self._running:
            client, parts = self._client, self._parts
            self._run(queue, [command_worker(client, queue, parts), poll_worker(client, queue, parts)])
            log.info("queue served", queue=queue)

    async def stop(self, queue: str) -> None:
        """Take nothing more from a queue, and let what runs come to its end or be handed over."""
        running = self._running.pop(queue, [])
        await asyncio.gather(*(worker.shutdown() for worker, _ in running))
        await asyncio.gather(*(task for _, task in running), return_exceptions=True)

    async def stop_all(self) -> None:
        """Drain everything at once."""
        await asyncio.gather(*(self.stop(queue) for queue in list(self._running)))

    def _run(self, queue: str, workers: list[Worker]) -> None:
        tasks = [asyncio.create_task(worker.run()) for worker in workers]
        for task in tasks:
            task.add_done_callback(lambda task: self._ended(queue, task))
        self._running[queue] = list(zip(workers, tasks, strict=True))

    def _ended(self, queue: str, task: asyncio.Task[None]) -> None:
        if queue not in self._running:
            return
        error = None if task.cancelled() else task.exception()
        log.error("a queue is no longer served", queue=queue, error=type(error).__name__)
        self.broken.set()

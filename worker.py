"""The worker: the composition root of everything that acts. Runs workflows, activities and the keeper.

settings → database, keys, Temporal client, providers, blueprints → activities → one `Worker` per task queue.
SIGTERM drains: running activities get a grace, then their attempts are handed to the next worker.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog
from temporalio.client import Client
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions
from ulid import ULID

from activities.asks import AskActivities
from activities.instances import InstanceActivities
from activities.parts import Parts
from activities.records import RecordActivities
from blueprints.registry import BLUEPRINTS
from db.session import open_database
from db.vault import Vault
from domain.work import Identity
from keeper.attributes import ensure_search_attributes
from keeper.facts import KeeperLimits
from keeper.keeper import Keeper
from keeper.namespace import NamespaceCheck
from keeper.restarts import Restarter
from observability import configure_logging
from providers.base import Provider
from providers.entry import Setup, Unconfigured
from providers.registry import PROVIDERS
from services.hosts import register_host, see_host, server_id
from services.planning import task_queue
from settings import Settings
from system.processes import boot_id
from workflows.connection import connect
from workflows.registry import TASK_QUEUE, WORKFLOWS

log = structlog.get_logger("worker")
_THREADS = 64
_ACTIVITIES_AT_ONCE = 40
_DRAIN = timedelta(seconds=20)
_HEARTBEAT_EVERY = timedelta(seconds=1)
"""The answer to a heartbeat is how an activity hears of a cancel: by default it waits four seconds for it."""
_HOST_SEEN_EVERY = 5.0
_PORT_BLOCK = 50


@dataclass(frozen=True)
class Composition:
    """A worker's settings, the host that it stands for, and what its activities are made of."""

    settings: Settings
    host_id: str
    parts: Parts


def compose(settings: Settings) -> Composition:
    """Build the parts, prove the keys, and register this host."""
    database = open_database(settings.database_url, pool_size=20)
    vault = Vault.open(settings.data_dir / "keys")
    host_id = _host_id(settings.data_dir)
    with database.begin() as tx:
        vault.check(tx)
        server = server_id(tx)
        register_host(tx, host_id, f"{socket.gethostname()}-{host_id[-6:]}", ["process"], boot_id())
    parts = Parts(
        database,
        vault,
        server,
        _providers(settings, vault, server, host_id),
        BLUEPRINTS,
        own_ports(settings.port_first, settings.port_last, server),
        ThreadPoolExecutor(_THREADS, thread_name_prefix="activity"),
    )
    return Composition(settings, host_id, parts)


def own_ports(first: int, last: int, server: str) -> list[int]:
    """The range, beginning at a place of this server's own.

    Two Berths of one machine know nothing of each other's stopped instances; so they draw from different places.
    """
    ports = list(range(first, last + 1))
    start = zlib.crc32(server.encode()) % max(1, len(ports) // _PORT_BLOCK) * _PORT_BLOCK
    return ports[start:] + ports[:start]


def _providers(settings: Settings, vault: Vault, server: str, host_id: str) -> dict[str, Provider]:
    """Those that this worker serves; `simulated` in local mode only."""

    def verify(found: Identity) -> bool:
        facts = (found.server_id, found.project, found.deployment_id, found.instance_id, str(found.generation))
        return vault.verify(found.signature, *facts)

    root = settings.instance_root or settings.data_dir / "instances"
    providers: dict[str, Provider] = {}
    for name, entry in PROVIDERS.items():
        if entry.local_only and not settings.local_mode:
            continue
        setup = Setup(settings.provider_options(name), settings.data_dir, root, server, host_id, verify)
        try:
            providers[name] = entry.open(setup)
        except Unconfigured as reason:
            log.info("provider not configured", provider=name, reason=str(reason))
    return providers


def _host_id(data_dir: Path) -> str:
    """This host's id, made once and kept in the data directory; two workers that start at once agree on it."""
    path = data_dir / "host_id"
    if not path.exists():
        draft = data_dir / f"host_id.{os.getpid()}"
        draft.write_text(f"host_{str(ULID()).lower()}\n")
        with suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path.read_text().strip()


def workers(client: Client, composed: Composition) -> list[Worker]:
    """One for the workflows, one per provider queue: what runs on a queue needs that place's credentials."""
    parts = composed.parts
    records = RecordActivities(parts.database, composed.settings.park_seconds)
    acting = activities_of(InstanceActivities(parts)) + activities_of(AskActivities(parts))
    queues = [task_queue("process", composed.host_id)]
    queues += [task_queue(name, None) for name in parts.providers if name != "process"]
    workflows = Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=list(WORKFLOWS.values()),
        activities=activities_of(records),
        activity_executor=parts.pool,
        workflow_runner=SandboxedWorkflowRunner(
            restrictions=SandboxRestrictions.default.with_passthrough_all_modules()
        ),
        workflow_failure_exception_types=[Exception],
        max_concurrent_workflow_tasks=20,
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=3),
        graceful_shutdown_timeout=_DRAIN,
        build_id="berth",
    )
    return [workflows, *(_provider_worker(client, queue, acting) for queue in queues)]


def _provider_worker(client: Client, queue: str, acting: list[Callable[..., Any]]) -> Worker:
    return Worker(
        client,
        task_queue=queue,
        activities=acting,
        max_concurrent_activities=_ACTIVITIES_AT_ONCE,
        max_heartbeat_throttle_interval=_HEARTBEAT_EVERY,
        default_heartbeat_throttle_interval=_HEARTBEAT_EVERY,
        graceful_shutdown_timeout=_DRAIN,
        build_id="berth",
    )


def activities_of(holder: object) -> list[Callable[..., Any]]:
    """Every activity that `holder` defines: a new one is served without being listed again."""
    found = (getattr(holder, name) for name in dir(holder) if not name.startswith("_"))
    return [method for method in found if hasattr(method, "__temporal_activity_definition")]


def keeper(client: Client, composed: Composition, stopping: asyncio.Event) -> Keeper:
    """The loop that brings every unfinished operation forward."""
    settings, database = composed.settings, composed.parts.database
    limits = KeeperLimits(
        settings.keeper_interval_seconds,
        settings.gone_look_seconds,
        settings.run_hold_seconds,
        settings.cancel_grace_seconds,
    )
    check = NamespaceCheck(database, client, accept_new=settings.temporal_fresh)
    return Keeper(
        database, client, limits, check, stopping, Restarter(database, composed.parts.vault, client).look
    )


async def _stay_seen(composed: Composition, stopping: asyncio.Event) -> None:
    """Tell the records every few seconds that this host's worker lives."""
    while not stopping.is_set():
        try:
            await asyncio.to_thread(_see, composed)
            await asyncio.wait_for(stopping.wait(), _HOST_SEEN_EVERY)
        except TimeoutError:
            continue
        except Exception as error:  # noqa: BLE001 - the database may be away; the next round tells
            log.warning("host not seen", error=type(error).__name__)
            await asyncio.sleep(_HOST_SEEN_EVERY)


def _see(composed: Composition) -> None:
    with composed.parts.database.begin() as tx:
        see_host(tx, composed.host_id)


async def run(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT, then drain."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    composed = await asyncio.to_thread(compose, settings)
    client = await connect(settings.temporal_address, settings.temporal_namespace)
    await ensure_search_attributes(client)
    async with AsyncExitStack() as stack:
        for worker in workers(client, composed):
            await stack.enter_async_context(worker)
        loops = [
            asyncio.create_task(keeper(client, composed, stopping).run()),
            asyncio.create_task(_stay_seen(composed, stopping)),
        ]
        log.info("worker ready", host=composed.host_id, providers=sorted(composed.parts.providers))
        asked = asyncio.create_task(stopping.wait())
        # A loop that ends by itself has met a bug: a worker without its keeper is restarted, not kept.
        await asyncio.wait([asked, *loops], return_when=asyncio.FIRST_COMPLETED)
        stopping.set()
        log.info("worker drains")
        await asyncio.gather(*loops)
    composed.parts.pool.shutdown(wait=False, cancel_futures=True)
    composed.parts.database.engine.dispose()


def main() -> None:
    """Entry of `berth-worker` and of `python -m worker`."""
    settings = Settings()
    configure_logging(settings.log_level)
    asyncio.run(run(settings))


if __name__ == "__main__":
    main()

"""The worker: the composition root of everything that acts. Runs workflows, activities and the keeper; or, as an
agent (`berth-worker --provider ec2`, `berth-worker --host`), only the activities of the places that it stands at.

SIGTERM drains: running activities get a grace, then their attempts are handed to the next worker.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from datetime import timedelta
from typing import NoReturn

import structlog
from opentelemetry import trace
from temporalio.client import Client

from agent.composition import Composition, compose
from agent.eyes import interceptors, runtime, serve_metrics
from agent.life import AgentRefused, Life, locks_of
from agent.wants import Wants, parse
from db.keys import WrongKey
from db.session import Database
from keeper.attributes import ensure_search_attributes
from keeper.chores import Chores
from keeper.facts import KeeperLimits
from keeper.keeper import Keeper
from keeper.looking import Looker
from keeper.namespace import NamespaceCheck
from keeper.notifying import Notifier
from keeper.upkeep import Look, Upkeep
from monitor.monitor import Monitor
from observability import configure_logging, tracing
from services.billing.duties import BillingRules
from services.requests.suspension import stop_suspended
from services.upkeep.retention import Keeping
from services.watching.orphans import Spot
from settings import Settings
from transport import TransportError, transport
from workflows.connection import connect

log = structlog.get_logger("worker")


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
    public_url = settings.public_url.rstrip("/")
    looker = Looker(client, composed.parts.vault)
    duties = chores(settings, database, upkeep(settings, database, looker.look))
    return Keeper(database, client, limits, check, stopping, duties, public_url)


def monitor(composed: Composition) -> Monitor:
    """What sees whether things are as the records say, wherever this worker can look."""

    def spots() -> list[Spot]:
        host = composed.reporter.host_id
        return [Spot(entry.name, host if entry.on_host else None) for entry in composed.places.served]

    return Monitor(composed.parts, composed.reporter.name, spots, stop_suspended)


def upkeep(settings: Settings, database: Database, look: Look) -> Upkeep:
    """What the keeper does of itself about holds, deadlines and maintenance."""
    days = settings.billing_delete_after_days
    seconds = timedelta(days=days).total_seconds() if days else None
    return Upkeep(database, BillingRules(seconds), look)


def chores(settings: Settings, database: Database, upkeep: Upkeep) -> Chores:
    """What the keeper does beside operations. Raises `ValueError` for a secret that cannot sign."""
    secret = settings.notify_secret.get_secret_value()
    notifier = Notifier.of(database, settings.notify_url, secret, settings.notify_attempts)
    keeping = Keeping(
        idempotency=timedelta(hours=settings.keep_idempotency_hours),
        deliveries=timedelta(days=settings.keep_deliveries_days),
        events=timedelta(days=settings.keep_events_days),
        history=timedelta(days=settings.keep_history_days),
        traces=timedelta(days=settings.keep_traces_days),
        batch=settings.purge_batch,
    )
    interval, purging = settings.keeper_interval_seconds, settings.purge_seconds
    return Chores(database, notifier, keeping, interval, purging, upkeep)


async def run(settings: Settings, wants: Wants) -> None:
    """Work until SIGTERM or SIGINT, then drain. Raises `AgentRefused` for an agent that is not the only one."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    composed = await asyncio.to_thread(compose, settings, wants)
    traces = tracing(settings, composed.parts.database, "worker")
    trace.set_tracer_provider(traces)
    serve_metrics(settings.worker_metrics)
    way = transport(settings)
    client = await connect(
        settings.temporal_address,
        settings.temporal_namespace,
        interceptors=interceptors(),
        runtime=runtime(settings.temporal_metrics),
        tls=way.tls,
        api_key=way.api_key,
    )
    life = Life(composed, client, locks_of(composed), stopping)
    loops = await life.begin()
    if not wants.is_agent:
        await ensure_search_attributes(client)
        life.serving.start_workflows(composed.rules)
        loops.append(asyncio.create_task(keeper(client, composed, stopping).run()))
    watching = monitor(composed)
    if settings.monitor:
        watching.start()
    log.info(
        "worker ready",
        host=composed.reporter.host_id,
        name=composed.reporter.name,
        providers=sorted(composed.places),
        not_available=composed.places.reasons,
    )
    await _until_stopped(life, loops, stopping, watching)
    await asyncio.to_thread(traces.shutdown)
    composed.parts.database.engine.dispose()


async def _until_stopped(
    life: Life, loops: Sequence[asyncio.Task[None]], stopping: asyncio.Event, watching: Monitor
) -> None:
    """A part that ends by itself has met a bug: a worker without it is restarted, not kept."""
    asked, broken = asyncio.create_task(stopping.wait()), asyncio.create_task(life.serving.broken.wait())
    await asyncio.wait([asked, broken, *loops], return_when=asyncio.FIRST_COMPLETED)
    stopping.set()
    log.info("worker drains")
    broken.cancel()
    await asyncio.to_thread(watching.stop)
    await life.end()
    await asyncio.gather(*loops)
    if life.serving.broken.is_set():
        raise RuntimeError("a queue was no longer served")


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry of `berth-worker` and of `python -m worker`."""
    wants = parse(sys.argv[1:] if arguments is None else arguments)
    settings = Settings()
    configure_logging(settings.log_level, settings.log_form)
    try:
        asyncio.run(run(settings, wants))
    except (AgentRefused, WrongKey, TransportError) as refused:
        sys.exit(f"berth-worker: {refused.message}")
    except Exception:  # noqa: BLE001 - told, and then the process ends without waiting for anybody
        traceback.print_exc()
        _leave(1)
    _leave(0)


def _leave(code: int) -> NoReturn:
    """End now: a provider's call that hangs in a thread must not keep a drained worker from ending."""
    logging.shutdown()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()

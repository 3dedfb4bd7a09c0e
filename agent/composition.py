"""A worker's parts, built from its settings: records, keys, providers, blueprints, pools."""

from __future__ import annotations

import os
import socket
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog
from ulid import ULID

from activities.parts import Parts
from activities.places import Place, Places
from activities.shared_server import SharedServer
from activities.wakes import Wakes
from agent.serving import COMMANDS_AT_ONCE
from agent.wants import Wants
from blueprints.registry import BLUEPRINTS
from db.direct import direct
from db.session import open_database
from db.vault import Vault
from domain.work import Identity
from providers.entry import ProviderEntry, Setup
from services.operations.planning import PlanRules
from services.places.database_checks import announce_shared_server
from services.places.hosts import server_id
from services.places.reported import PlaceFacts, Reporter, Verdict, note_places
from settings import Settings

log = structlog.get_logger("worker")
_POLL_THREADS = 48
_PORT_BLOCK = 50
_DATABASE_POOL = 20


@dataclass(frozen=True)
class Composition:
    """A worker's settings, who it is, and what its activities are made of."""

    settings: Settings
    wants: Wants
    reporter: Reporter
    parts: Parts
    places: Places

    @property
    def rules(self) -> PlanRules:
        """What this installation says about every plan."""
        names = [entry.name for entry in Wants().entries(local_mode=self.settings.local_mode)]
        timeouts = {name: self.settings.provider_timeouts(name) for name in names}
        return PlanRules(self.settings.park_seconds, timeouts)


def compose(settings: Settings, wants: Wants) -> Composition:
    """Build the parts and prove the keys. Opens no provider yet."""
    shared, fault = _shared_server(settings)
    database = open_database(settings.database_url, pool_size=_DATABASE_POOL)
    vault = Vault.open(settings.data_dir / "keys")
    with database.begin() as tx:
        vault.check(tx)
        server = server_id(tx)
        if not wants.is_agent:
            announce_shared_server(tx, shared.address if shared else None, fault)
    reporter = _reporter(settings, wants)
    entries = wants.entries(local_mode=settings.local_mode)

    def verify(found: Identity) -> bool:
        facts = (found.server_id, found.project, found.deployment_id, found.instance_id, str(found.generation))
        return vault.verify(found.signature, *facts)

    def place(entry: ProviderEntry) -> Place:
        root = settings.instance_root or settings.data_dir / "instances"
        options = settings.provider_options(entry.name)
        setup = Setup(options, settings.data_dir, root, server, reporter.host_id, verify)
        return Place(entry, setup, settings.accepted_identity(entry.name))

    def record(facts: Sequence[PlaceFacts]) -> dict[str, Verdict]:
        with database.begin() as tx:
            return note_places(tx, reporter, facts)

    places = Places([place(entry) for entry in entries], record)
    parts = Parts(
        database,
        vault,
        server,
        places,
        BLUEPRINTS,
        own_ports(settings.port_first, settings.port_last, server),
        ThreadPoolExecutor(COMMANDS_AT_ONCE * (len(entries) + 1), thread_name_prefix="activity"),
        ThreadPoolExecutor(_POLL_THREADS, thread_name_prefix="activity-poll"),
        Wakes(direct(database.engine, "berth-worker-wakes")),
        shared=shared,
        by_agent=wants.is_agent,
    )
    return Composition(settings, wants, reporter, parts, places)


def _shared_server(settings: Settings) -> tuple[SharedServer | None, str | None]:
    """The server for shared databases, or why there is none; without it everything else still works."""
    try:
        return SharedServer.of(settings.shared_database_url.get_secret_value()), None
    except ValueError as error:
        fault = f"BERTH_SHARED_DATABASE_URL {error}"
        log.warning("shared databases are not configured", reason=fault)
        return None, fault


def _reporter(settings: Settings, wants: Wants) -> Reporter:
    """The host of this data directory, and a name that people recognise."""
    host_id = _host_id(settings.data_dir)
    machine = f"{socket.gethostname()}-{host_id[-6:]}"
    usual = machine if wants.serves_host else "-".join([machine, *sorted(wants.providers)])
    return Reporter(host_id, wants.name or settings.agent_name or usual)


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


def own_ports(first: int, last: int, server: str) -> list[int]:
    """The range, beginning at a place of this server's own.

    Two Berths of one machine know nothing of each other's stopped instances; so they draw from different places.
    """
    ports = list(range(first, last + 1))
    start = zlib.crc32(server.encode()) % max(1, len(ports) // _PORT_BLOCK) * _PORT_BLOCK
    return ports[start:] + ports[:start]

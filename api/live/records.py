"""What records look like now, told to the streams that ask for it, so that nobody has to read them again.

The log says what happened; steps and health move without an entry in it. For all clients of a process a record
that changed is read once and put into words once; who is slow gets its latest state, not every one before it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import structlog
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import Row
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from api.live.hosts_watch import HostsWatch
from db.queries import instances, operations
from db.queries.events import EventFilter
from db.session import Database
from domain.access import AccessRole
from services.views.actions import restricted
from services.views.common import JsonObject
from services.views.instances import InstanceForms

log = structlog.get_logger("api")
REMEMBERED = 2_000
MOST_AT_ONCE = 200
_GATHER_SECONDS = 0.04
_TRY_AGAIN_SECONDS = 1.0


@dataclass(frozen=True)
class Shown:
    """The latest form of one record, as JSON. `operation_id`: None for an instance. `project`: None for a host."""

    serial: int
    kind: str
    project: str | None
    deployment_id: str | None
    operation_id: str | None
    instance_ids: frozenset[str]
    text: str

    def for_role(self, role: AccessRole) -> str:
        """The text, in which what `role` may not ask for is disabled."""
        plain = role is AccessRole.ADMIN or self.kind != "instance"
        return self.text if plain else _restricted(self.text, role)

    def fits(self, wanted: EventFilter) -> bool:
        return (
            self.project in {None, wanted.project}
            and wanted.deployment_id in {None, self.deployment_id}
            and wanted.operation_id in {None, self.operation_id}
            and (wanted.instance_id is None or wanted.instance_id in self.instance_ids)
        )


class Records:
    """Belongs to the event loop."""

    def __init__(self, database: Database, forms: InstanceForms) -> None:
        self._database = database
        self._forms = forms
        self._shown: dict[str, Shown] = {}
        """By id, the latest change last."""
        self._wanted: dict[str, None] = {}
        self._all_open = False
        self._listeners: set[asyncio.Event] = set()
        self._work = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.serial = 0

    def start(self) -> None:
        """Begin to follow."""
        hosts = HostsWatch(self._database, self._host_turned)
        self._tasks = [
            asyncio.create_task(self._follow(), name="records"),
            asyncio.create_task(hosts.follow(), name="hosts"),
        ]

    async def close(self) -> None:
        """Stop following."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @contextmanager
    def listen(self, news: asyncio.Event) -> Iterator[None]:
        """`news` is set whenever a record was read; what is under way is read for whoever comes."""
        self._listeners.add(news)
        self._all_open = True
        self._work.set()
        try:
            yield
        finally:
            self._listeners.discard(news)

    def changed(self, ids: Iterable[str | None] | None) -> None:
        """What these ids (of operations and instances) name shows something new; None: anything may."""
        if not self._listeners:
            return
        if ids is None:
            self._wanted |= dict.fromkeys(self._shown)
            self._all_open = True
        else:
            self._wanted |= dict.fromkeys(key for key in ids if key)
        self._work.set()

    def since(self, serial: int, wanted: EventFilter) -> list[Shown]:
        """What was read after `serial`, the latest state of each, in the order of reading."""
        found = []
        for shown in reversed(self._shown.values()):
            if shown.serial <= serial:
                break
            if shown.fits(wanted):
                found.append(shown)
        return found[::-1]

    async def _follow(self) -> None:
        while True:
            await self._work.wait()
            await asyncio.sleep(_GATHER_SECONDS)
            all_open, self._all_open = self._all_open, False
            ids = list(self._wanted)[:MOST_AT_ONCE]
            self._wanted = {key: None for key in self._wanted if key not in set(ids)}
            if not self._wanted:
                self._work.clear()
            try:
                read = await run_in_threadpool(self._read, ids, all_open)
            except (SQLAlchemyError, OSError) as error:
                log.warning("records cannot be read", kind=type(error).__name__)
                self.changed(ids)
                self._all_open = self._all_open or all_open
                await asyncio.sleep(_TRY_AGAIN_SECONDS)
                continue
            except Exception as error:  # noqa: BLE001 - one record that cannot be told must not silence all others
                log.error("records cannot be told", kind=type(error).__name__, records=len(ids))
                continue
            self._remember(read)

    def _host_turned(self, form: JsonObject) -> None:
        """Nobody's in particular: its instances are of many projects; who shows some reads them again."""
        text = _json({"type": "host", "host": form})
        self._remember([(form["id"], Shown(0, "host", None, None, None, frozenset(), text))])

    def _remember(self, read: Sequence[tuple[str, Shown]]) -> None:
        for key, shown in read:
            self.serial += 1
            self._shown.pop(key, None)
            self._shown[key] = Shown(**{**shown.__dict__, "serial": self.serial})
        for key in list(self._shown)[: max(0, len(self._shown) - REMEMBERED)]:
            del self._shown[key]
        if read:
            for news in self._listeners:
                news.set()

    def _read(self, ids: Collection[str], all_open: bool) -> list[tuple[str, Shown]]:
        now = datetime.now(UTC)
        with self._database.read() as session:
            rows = operations.by_ids(session, {key for key in ids if key.startswith("op_")})
            if all_open:
                rows |= operations.unfinished(session, MOST_AT_ONCE)
            # Whose operation has ended may be asked for other things, and no event of its own says so.
            freed = {key for row in rows.values() if row.status.done for key in row.instance_ids}
            return [
                *self._instances(session, freed.union(ids), now),
                *self._operations(session, list(rows.values()), now),
            ]

    def _operations(self, session: Session, rows: Sequence[Row[Any]], now: datetime) -> list[tuple[str, Shown]]:
        forms = self._forms.operations.many(session, rows, now)
        return [(form["id"], _shown("operation", form, form["id"], form["instance_ids"])) for form in forms]

    def _instances(self, session: Session, ids: Collection[str], now: datetime) -> list[tuple[str, Shown]]:
        rows = instances.by_ids(session, {key for key in ids if key.startswith("ins_")})
        forms = self._forms.many(session, rows, now)
        return [(form["id"], _shown("instance", form, None, [form["id"]])) for form in forms]


@lru_cache(maxsize=2048)
def _restricted(text: str, role: AccessRole) -> str:
    """Made once for all clients of a role."""
    form = json.loads(text)
    form["instance"]["allowed_actions"] = restricted(form["instance"]["allowed_actions"], role)
    return _json(form)


def _json(form: JsonObject) -> str:
    return json.dumps(form, ensure_ascii=False, separators=(",", ":"))


def _shown(kind: str, form: JsonObject, operation_id: str | None, instance_ids: Collection[str]) -> Shown:
    text = _json({"type": kind, kind: form})
    touched = frozenset(instance_ids)
    return Shown(0, kind, form["project"], form["deployment_id"], operation_id, touched, text)

"""Everything on this host that looks like an instance of ours: homes, half-removed homes, and stray processes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from domain.errors import ProviderError
from domain.glimpses import Glimpse
from domain.work import Identity
from providers.process.members import RUN, Crowd, all_signed
from providers.process.places import CREATING, DELETING, RECORD, Place
from providers.process.record import Ending, Record, read_record
from providers.process.watch import Watch


@dataclass(frozen=True)
class Holding:
    """One thing that the host holds. `identity` None: nothing says whose it is."""

    instance_id: str
    state: str
    identity: Identity | None
    uid: int | None = None
    port: int | None = None
    pid: int | None = None
    ending: Ending = field(default_factory=Ending)


def holdings(root: Path, server_id: str, watch: Watch) -> list[Holding]:
    """One per instance id, homes before what is left of them, and those before mere processes."""
    found: dict[str, Holding] = {}
    for holding in (*_homes(root, watch), *_rubbish(root), *_strays(server_id)):
        found.setdefault(holding.instance_id, holding)
    return [found[instance_id] for instance_id in sorted(found)]


def glimpses(root: Path, server_id: str, watch: Watch) -> Iterator[Glimpse]:
    """Every home of this server, each with one look at its own process."""
    crowd = Crowd()
    for path in _folders(root):
        try:
            place = Place(root, path.name)
            record = read_record(place.record_file) if place.exists() else None
            if record is None or record.identity.server_id != server_id:
                continue
            found = watch.look(place, record.identity, crowd).observation
        except ProviderError:
            continue
        yield Glimpse(path.name, found.seen, found.provider_state, None, record.identity.generation)


def _homes(root: Path, watch: Watch) -> Iterator[Holding]:
    crowd = Crowd()
    for path in _folders(root):
        try:
            place = Place(root, path.name)
            record = read_record(place.record_file) if place.exists() else None
            if record is None:
                yield Holding(path.name, "incomplete", None)
                continue
            sight = watch.look(place, record.identity, crowd)
        except ProviderError:  # no instance id, or no directory of ours: not our thing
            continue
        pid = None if sight.main is None else sight.main.id.pid
        yield replace(_holding(record, sight.observation.provider_state), pid=pid)


def _rubbish(root: Path) -> Iterator[Holding]:
    for prefix, state in ((CREATING, "creating"), (DELETING, "deleting")):
        for path in root.glob(f"{prefix}*"):
            instance_id = path.name.removeprefix(prefix)
            record = read_record(path / RECORD)
            yield Holding(instance_id, state, None) if record is None else _holding(record, state)


def _strays(server_id: str) -> Iterator[Holding]:
    for member in all_signed(server_id):
        identity = member.identity
        if identity is not None and member.step == RUN:
            yield Holding(identity.instance_id, "stray", identity, member.facts.uid, None, member.facts.id.pid)


def _holding(record: Record, state: str) -> Holding:
    return Holding(
        record.identity.instance_id, state, record.identity, record.uid, record.port, ending=record.ending
    )


def _folders(root: Path) -> list[Path]:
    if not root.is_dir():
        return []
    return [path for path in root.iterdir() if not path.name.startswith(".") and path.is_dir()]

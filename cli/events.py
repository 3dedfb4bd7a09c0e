"""How events are shown: their columns, and names in place of ids. Used by `events` and `history`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cli.lists import Column
from cli.session import Session

Event = Mapping[str, Any]

EVENTS = (
    Column("TIME", lambda e: str(e.get("time") or "")[:19].replace("T", " ")),
    Column("EVENT", lambda e: e.get("event_type") or e.get("type")),
    Column("INSTANCE", lambda e: e.get("instance_name") or e.get("instance_id")),
    Column("CHANGE", lambda e: f"{e.get('from') or '-'} → {e['to']}" if e.get("to") != e.get("from") else ""),
    Column("SOURCE", "source"),
    Column("ACTOR", "actor"),
    Column("REASON", "reason", wide=True),
    Column("CONFIRMED BY", "confirmation_method", wide=True),
    Column("OPERATION", "operation_id", wide=True),
)


def named(session: Session, events: Iterable[Event]) -> Iterator[Event]:
    """The events with `instance_name`: some carry it, the living are asked for once, the rest keep their ids."""
    names: dict[str, str] = {}
    asked = False
    for event in events:
        key = str(event.get("instance_id") or "")
        told = (event.get("data") or {}).get("name")
        if told and key:
            names[key] = str(told)
        elif key and key not in names and not asked:
            names |= {i["id"]: i["name"] for i in session.client.everything("/instances")["items"]}
            asked = True
        yield {**event, "instance_name": told or names.get(key)}

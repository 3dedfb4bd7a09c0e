"""One event as the feed (`api.live.feed`) remembers it, made once for all clients, and several in one frame."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from db.queries.events import EventFilter
from services.views.common import JsonObject
from services.views.events import event_form, retold_form

FRAME_LENGTH = 200_000


@dataclass(frozen=True)
class Entry:
    """One event: its number, what filters ask for, and its form as JSON, made once for all clients.

    `retold`: S2's form of it, for sockets, where it has one.
    """

    seq: int
    project: str
    instance_id: str | None
    deployment_id: str | None
    operation_id: str | None
    event_type: str
    cursor: str
    text: str
    retold: str | None = None

    @property
    def texts(self) -> tuple[str, ...]:
        """What a socket is sent for it."""
        return (self.text,) if self.retold is None else (self.text, self.retold)

    def fits(self, wanted: EventFilter) -> bool:
        return self.project == wanted.project and all(
            asked is None or asked == mine
            for asked, mine in (
                (wanted.instance_id, self.instance_id),
                (wanted.deployment_id, self.deployment_id),
                (wanted.operation_id, self.operation_id),
                (wanted.event_type, self.event_type),
            )
        )


def entry_of(row: Any, epoch: str) -> Entry:
    """Of one row of the log."""
    form = event_form(row, epoch)
    retold = retold_form(row, epoch)
    return Entry(
        row.seq,
        row.project,
        row.instance_id,
        row.deployment_id,
        row.operation_id,
        row.event_type,
        form["cursor"],
        _json(form),
        None if retold is None else _json(retold),
    )


def frames_of(kind: str, texts: Sequence[str]) -> tuple[str, ...]:
    """Several objects in one frame of a socket, or in a few: clients refuse frames of more than a megabyte."""
    frames: list[list[str]] = []
    length = FRAME_LENGTH
    for text in texts:
        if length + len(text) > FRAME_LENGTH:
            frames.append([])
            length = 0
        frames[-1].append(text)
        length += len(text)
    return tuple(f'{{"type":"{kind}","items":[{",".join(items)}]}}' for items in frames)


def _json(form: JsonObject) -> str:
    return json.dumps(form, ensure_ascii=False, separators=(",", ":"))

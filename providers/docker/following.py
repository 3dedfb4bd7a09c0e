"""Being told by the daemon what happens to containers, and listing them all in one call."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from domain.glimpses import Glimpse
from domain.work import Seen
from providers.base import Bell
from providers.docker.container import PAUSED, RUNNING
from providers.docker.engine import Engine, Events
from providers.docker.labels import INSTANCE, SERVER, identity_of

_WINDOW_SECONDS = 5
"""How long one request listens: no longer than that is waited for a daemon that fell silent."""
_KINDS = ("start", "die", "pause", "unpause", "destroy", "rename", "oom", "update")
_SEEN = {RUNNING: Seen.UP, "exited": Seen.DOWN, "created": Seen.DOWN, "dead": Seen.CRASHED}
_BETWEEN = frozenset({PAUSED, "restarting", "removing"})


def follow(engine: Engine, server_id: str, bell: Bell) -> None:
    """One request after the other, each beginning where the last one ended: nothing falls between them."""
    events = Events([f"{SERVER}={server_id}"], _KINDS)
    now = engine.ask(lambda api: api.info())["SystemTime"]  # the daemon's clock need not be ours
    since, begun = int(datetime.fromisoformat(now).timestamp()), False

    def told(event: Mapping[str, Any] | None) -> None:
        nonlocal begun
        if event is not None:
            bell.ring(event["Actor"]["Attributes"].get(INSTANCE))
        elif not begun:
            begun = True
            bell.ring(None)

    while not bell.wait(0):
        start = since
        engine.ask(lambda api: events.read(api, start, _WINDOW_SECONDS, told))  # noqa: B023 - it runs at once
        since += _WINDOW_SECONDS


def glimpses(engine: Engine, server_id: str) -> list[Glimpse]:
    """By their labels alone; of two containers of a replacement in progress both."""
    filters = {"label": [f"{SERVER}={server_id}"]}
    listed: list[Mapping[str, Any]] = engine.ask(lambda api: api.containers(all=True, filters=filters))
    found = []
    for one in listed:
        labels, state = one.get("Labels") or {}, str(one["State"])
        identity = identity_of(labels)
        seen = Seen.TRANSIENT if state in _BETWEEN else _SEEN.get(state, Seen.TRANSIENT)
        generation = None if identity is None else identity.generation
        found.append(Glimpse(labels.get(INSTANCE, ""), seen, state, one["Id"], generation))
    return found

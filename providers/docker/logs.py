"""The last lines of a container, a bounded part of them however much it writes."""

from __future__ import annotations

import time

from providers.docker.engine import Engine

_MOST_BYTES = 256 << 10
_MOST_LINES = 10_000
_LONGEST_LINE = 4096
_SECONDS = 5.0


def tail(engine: Engine, container_id: str, lines: int) -> list[str]:
    """Oldest first, both streams as they came."""
    wanted = min(max(lines, 0), _MOST_LINES)
    if wanted == 0:
        return []
    news = engine.ask(lambda api: api.logs(container_id, stream=True, follow=False, tail=wanted))
    kept, cut, deadline = b"", False, time.monotonic() + _SECONDS
    while (piece := engine.ask(lambda _: next(news, None))) is not None and time.monotonic() < deadline:
        kept += piece
        if len(kept) > 2 * _MOST_BYTES:
            kept, cut = kept[-_MOST_BYTES:], True
    if len(kept) > _MOST_BYTES:
        kept, cut = kept[-_MOST_BYTES:], True
    text = (kept.partition(b"\n")[2] if cut else kept).decode(errors="replace")
    return [line[:_LONGEST_LINE] for line in text.splitlines()][-wanted:]

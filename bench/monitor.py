"""`make bench-monitor`: what watching costs, and how soon it notices.

Ten thousand simulated instances, which are listed, and some dozens of real processes, whose end the kernel tells.
Writes docs/performance/monitor.json, a plot, and a section of docs/performance.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.crowd import cpu_seconds, memory_mb
from bench.monitor_place import (
    Place,
    Unhindered,
    clear,
    hit_processes,
    hit_simulated,
    hold_simulated,
    make_keys,
    observing,
    own_records,
)
from bench.monitor_report import write_report

DOCS = Path(__file__).parent.parent / "docs"
_LATEST = 180.0


def say(message: str) -> None:
    """Progress, for people."""
    print(message, file=sys.stderr, flush=True)


def watch(place: Place, seconds: float, hit: Any) -> dict[str, Any]:
    """Bare, at rest, and while things happen: the process's CPU and memory, and when each thing was noticed."""
    with observing(place) as child:
        bare = memory_mb(child.pid)
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
        began = time.monotonic()
        _wait(place.was_compared, 120, "they were not compared")
        warm = time.monotonic() - began
        used, began = cpu_seconds(child.pid), time.monotonic()
        time.sleep(seconds)
        rest = (cpu_seconds(child.pid) - used) / (time.monotonic() - began)
        used, began = cpu_seconds(child.pid), time.monotonic()
        happened: dict[str, float] = hit()
        _wait(lambda: happened.keys() <= place.observed().keys(), _LATEST, "not everything was noticed")
        busy = (cpu_seconds(child.pid) - used) / (time.monotonic() - began)
        seen = place.observed()
        peak = memory_mb(child.pid)
    noticed = sorted(seen[instance_id] - at for instance_id, at in happened.items())
    return {
        "instances": len(place.rows()),
        "compared_after_seconds": round(warm, 1),
        "cores_at_rest": round(rest, 4),
        "cores_while_hit": round(busy, 4),
        "memory_bare_mb": round(bare, 1),
        "memory_beyond_mb": round(peak - bare, 1),
        "noticed_seconds": [round(one, 4) for one in noticed],
    }


def simulated(folder: Path, url: str, count: int, hits: int, seconds: float) -> dict[str, Any]:
    place = Place(folder, url, "simulated")
    place.fill(count)
    store = hold_simulated(place)
    try:
        return watch(place, seconds, lambda: hit_simulated(place, store, hits, seconds))
    finally:
        store.close()
        clear(place)


def real_processes(folder: Path, url: str, count: int, seconds: float) -> dict[str, Any]:
    from monitor.lens import Lens  # noqa: PLC0415 - its reading makes the works of the processes
    from services.watching.observers import release, take  # noqa: PLC0415

    place = Place(folder, url, "process")
    place.fill(count, port=27_000)
    parts = place.parts()
    with place.database.begin() as tx:
        lease = take(tx, place.spot, "bench")
    assert lease is not None
    lens = Lens(parts, lease, lambda tx, instance_id: None)
    works = [sighting.work for row in place.rows() if (sighting := lens.read(row.id)) is not None]
    try:
        for work in works:
            parts.providers["process"].create(work, Unhindered())
        with place.database.begin() as tx:
            release(tx, lease)
        return watch(place, seconds, lambda: hit_processes(place, seconds))
    finally:
        for work in works:
            parts.providers["process"].delete(work, Unhindered())
        parts.wakes.close()
        clear(place)


def _wait(reached: Any, seconds: float, otherwise: str) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > deadline:
            raise TimeoutError(otherwise)
        time.sleep(0.5)


def main() -> None:
    """Entry of `python -m bench.monitor`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instances", type=int, default=10_000)
    parser.add_argument("--hits", type=int, default=200)
    parser.add_argument("--processes", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--docs", type=Path, default=DOCS)
    given = parser.parse_args()
    load = os.getloadavg()[0]
    runs: dict[str, Any] = {}
    works: dict[str, Callable[[Path, str], dict[str, Any]]] = {
        "simulated": lambda at, url: simulated(at, url, given.instances, given.hits, given.seconds),
        "process": lambda at, url: real_processes(at, url, given.processes, given.seconds),
    }
    for name, work in works.items():
        with tempfile.TemporaryDirectory(prefix="berth-bench-") as folder, own_records(Path(folder)) as url:
            Path(folder).chmod(0o711)
            make_keys(Path(folder))
            say(f"{name}: measuring")
            runs[name] = work(Path(folder), url)
            say(f"{name}: { {key: value for key, value in runs[name].items() if key != 'noticed_seconds'} }")
    machine = f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
    when = datetime.now(UTC).isoformat(timespec="seconds")
    write_report({"when": when, "machine": machine, "load_before": round(load, 1), "runs": runs}, given.docs)


if __name__ == "__main__":
    main()

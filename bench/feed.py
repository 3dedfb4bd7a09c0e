"""`make bench-feed`: the live feed under many sockets: commit to client, and what a killed API process costs.

One Berth, a writer of events at a steady rate, and clients in processes of their own that check all they see.
First one API process with more and more sockets, then two of them, one of which is killed in the middle: its
clients go on at the other by their cursor. Writes docs/performance/feed.json, a plot, and a section of
docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import socket
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.crowd import Heard, Load, api_process, cpu_seconds, crowd, memory_mb, writing
from bench.feed_report import write_report
from db.session import Database, open_database
from scripts.berth import Up, berth_up
from settings import psycopg2_url

SOCKETS = (1, 100, 1000)
DOCS = Path(__file__).parent.parent / "docs"


def say(text: str) -> None:
    """Progress, for people."""
    print(text, file=sys.stderr, flush=True)


def alone(up: Up, database: Database, load: Load, folder: Path) -> dict[str, Any]:
    """All clients on one API process."""
    with crowd([up.url], up.token, load, folder) as clients:
        used, began = cpu_seconds(up.pids["api"]), time.monotonic()
        with writing(database, load):
            pass
        used = (cpu_seconds(up.pids["api"]) - used) / (time.monotonic() - began)
        memory = memory_mb(up.pids["api"])
        return {**figures(load, clients.heard()), "api_cores": round(used, 2), "api_memory_mb": round(memory)}


def killed(up: Up, database: Database, load: Load, folder: Path) -> dict[str, Any]:
    """Half of the clients lose their API process in the middle."""
    environment = up.exports() | {"BERTH_DATA_DIR": str(up.data_dir)}
    with socket.create_server(("127.0.0.1", 0)) as probe:
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    with (
        api_process(url, environment) as second,
        crowd([url, up.url], up.token, load, folder) as clients,
        writing(database, load),
    ):
        time.sleep(load.seconds / 2)
        second.send_signal(signal.SIGKILL)
        found = clients.heard()
    return figures(load, found)


def figures(load: Load, heard: Heard) -> dict[str, Any]:
    """Milliseconds from commit to client, and whether each client saw each event once and in order."""
    quantiles = {f"p{name}_ms": heard.late_ms(share) for name, share in (("50", 0.5), ("95", 0.95), ("99", 0.99))}
    times = [heard.late_ms(step / 100) for step in range(101)] if heard.late else []
    told = {"sockets": load.sockets, "events": load.events, "deliveries": len(heard.late)}
    return {**told, **quantiles, "max_ms": heard.late_ms(1), **heard.counts, "percentiles_ms": times}


def main() -> None:
    """More and more sockets on one API process, then two API processes of which one is killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sockets", type=int, default=SOCKETS[-1], help="the largest crowd")
    parser.add_argument("--rate", type=float, default=100.0, help="events per second")
    parser.add_argument("--seconds", type=float, default=20.0, help="of writing, each time")
    parser.add_argument("--print-only", action="store_true", help="write nothing to docs")
    given = parser.parse_args()
    runs: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="berth-bench-") as scratch, berth_up(Path(scratch) / "data") as up:
        database = open_database(psycopg2_url(up.exports()["DATABASE_URL"]))
        crowds = sorted({min(size, given.sockets) for size in (*SOCKETS, given.sockets)})
        for name, sockets, run in [
            *((f"{n} sockets", n, alone) for n in crowds),
            ("killed", given.sockets, killed),
        ]:
            found = run(up, database, Load(sockets, given.rate, given.seconds, f"run{len(runs)}"), Path(scratch))
            runs[name] = found
            say(f"{name}: " + json.dumps({k: v for k, v in found.items() if k != "percentiles_ms"}))
        database.engine.dispose()
    machine = f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
    result = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine,
        "load_before": round(os.getloadavg()[2], 1),
        "per_second": given.rate,
        "runs": runs,
    }
    if not given.print_only:
        write_report(result, DOCS)
        say(f"written to {DOCS / 'performance.md'}")


if __name__ == "__main__":
    main()

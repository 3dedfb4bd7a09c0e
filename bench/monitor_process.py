"""A worker's process, with its imports and parts, and the monitor in it: what `bench.monitor` measures."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from pathlib import Path

import worker  # noqa: F401 - a worker holds all that this imports
from bench.monitor_place import Place
from monitor.monitor import Monitor
from observability import configure_logging
from services.requests.suspension import stop_suspended


def main() -> None:
    folder, provider = sys.argv[1:]
    configure_logging("WARNING")
    place = Place(Path(folder), os.environ["DATABASE_URL"], provider)
    parts = place.parts()
    with place.database.begin():
        pass
    monitor = Monitor(parts, "bench", lambda: [place.spot], stop_suspended)
    gc.collect()
    print('{"event": "bare"}', flush=True)
    sys.stdin.readline()
    monitor.start()
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    ended.wait()
    monitor.stop()
    os._exit(0)


if __name__ == "__main__":
    main()

"""Entry of `make kubernetes`: build it once, start it, say how to use it, and end it with Ctrl-C.

`--build-only` ends after the build.
"""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from pathlib import Path

from scripts.controlplane.build import ControlPlaneError, obtain
from scripts.controlplane.cluster import ControlPlane
from scripts.controlplane.objects import add_node, add_storage, open_api
from settings import Settings

_FIRST_NODE = ("node-1", "2", "4Gi")


def main() -> int:
    try:
        programs = obtain(Settings().cache_dir, lambda text: print(text, file=sys.stderr))  # noqa: T201
        if "--build-only" in sys.argv[1:]:
            print(programs)  # noqa: T201
            return 0
        with tempfile.TemporaryDirectory(prefix="berth-kubernetes-") as folder:
            return _serve(ControlPlane(programs, Path(folder)))
    except ControlPlaneError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 1


def _serve(plane: ControlPlane) -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    started = time.monotonic()
    try:
        plane.start()
        api = open_api(plane.kubeconfig)
        add_storage(api)
        add_node(api, *_FIRST_NODE)
        name, cpu, memory = _FIRST_NODE
        print(f"ready after {time.monotonic() - started:.1f} s: one node {name}, {cpu} CPUs, {memory} memory")  # noqa: T201
        print(f"export KUBECONFIG={plane.kubeconfig}", flush=True)  # noqa: T201
        print("then `make run` or `berth up` in that shell; Ctrl-C here ends it", flush=True)  # noqa: T201
        while (name_of_dead := plane.dead()) is None:
            time.sleep(1.0)
        raise ControlPlaneError(f"{name_of_dead} ended")
    except KeyboardInterrupt:
        return 0
    finally:
        plane.stop()


if __name__ == "__main__":
    sys.exit(main())

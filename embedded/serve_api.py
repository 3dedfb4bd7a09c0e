"""Run the API on the socket that the supervisor listens on, so that requests wait while the API is restarted.

A gated child of `berth up`; without the supervisor, run `uvicorn --factory api.app:create_app`.
"""

from __future__ import annotations

import importlib
import os
import socket
import sys

import uvicorn

from embedded.serving import OPTIONS, SOCKET_ENV

APP = "api.app:create_app"
_DRAIN_SECONDS = 5

# While the gate is closed: uvicorn would import it only behind. By its name, for `embedded` stands below `api`.
importlib.import_module(APP.partition(":")[0])


def main() -> None:
    listening = socket.socket(fileno=int(os.environ[SOCKET_ENV]))
    config = uvicorn.Config(
        APP,
        factory=True,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
        **OPTIONS,
    )
    server = uvicorn.Server(config)
    server.run(sockets=[listening])
    if not server.started:
        sys.exit(3)

"""Run the API on the socket that the supervisor listens on, so that requests wait while the API is restarted.

A gated child of `berth up`; without the supervisor, run `uvicorn --factory api.app:create_app`.
"""

from __future__ import annotations

import os
import socket
import sys

import uvicorn

SOCKET_ENV = "BERTH_API_SOCKET"
APP = "api.app:create_app"
_DRAIN_SECONDS = 5


def main() -> None:
    listening = socket.socket(fileno=int(os.environ[SOCKET_ENV]))
    config = uvicorn.Config(
        APP,
        factory=True,
        log_config=None,
        access_log=False,
        server_header=False,
        ws_per_message_deflate=False,  # for small frames it costs more than it saves
        timeout_graceful_shutdown=_DRAIN_SECONDS,
    )
    server = uvicorn.Server(config)
    server.run(sockets=[listening])
    if not server.started:
        sys.exit(3)

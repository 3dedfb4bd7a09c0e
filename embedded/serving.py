"""How uvicorn serves the API, wherever it is started: `python -m api`, a child of `berth up`, the tests."""

from __future__ import annotations

from typing import Any

SOCKET_ENV = "BERTH_API_SOCKET"
"""The descriptor of the socket that the supervisor listens on."""

OPTIONS: dict[str, Any] = {
    "log_config": None,
    "access_log": False,
    "server_header": False,
    # uvicorn would believe whatever any peer on the loopback forwards; the application believes named proxies.
    "proxy_headers": False,
    # Longer than clients and balancers keep an idle connection (5 and 60 s are usual): were it closed here while a
    # request is on its way, its sender could not tell whether it had arrived.
    "timeout_keep_alive": 75,
    "ws_max_size": 16 * 1024,  # clients say little, and before anybody knows who they are
    "ws_per_message_deflate": False,  # for small frames it costs more than it saves
}

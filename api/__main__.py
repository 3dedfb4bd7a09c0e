"""`python -m api`: the API on the address that the settings name."""

from __future__ import annotations

import signal
import sys

import uvicorn

from api.app import create_app
from embedded.serving import OPTIONS
from observability import configure_logging
from settings import Settings


def main() -> None:
    """Serve until SIGTERM."""
    settings = Settings()
    configure_logging(settings.log_level, settings.log_form)
    # uvicorn raises the signal again once it has shut down; an orderly end is not a death by signal.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    uvicorn.run(
        create_app(settings),
        host=settings.api_host,
        port=settings.api_port,
        timeout_graceful_shutdown=5,
        **OPTIONS,
    )


if __name__ == "__main__":
    main()

"""Being told by a provider: a thread that follows its stream and begins anew when it breaks.

The beginning and the end of a stream both ask for a full comparison: what happened in between is in no stream.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

import structlog

from domain.errors import ProviderError
from providers.base import Provider

log = structlog.get_logger("monitor")
_PAUSES = (0.5, 15.0)


class Stream:
    """Also the bell that the provider rings."""

    def __init__(
        self,
        scope: str,
        provider: Callable[[], Provider],
        ring: Callable[[str | None], None],
        ended: threading.Event,
    ) -> None:
        self._scope = scope
        self._provider = provider
        self._ring = ring
        self._ended = ended
        self.tells = False
        """Whether the provider tells of changes at the moment."""

    def start(self) -> None:
        threading.Thread(target=self._run, name=f"stream-{self._scope}", daemon=True).start()

    def ring(self, instance_id: str | None = None) -> None:
        if not self.tells:
            log.info("told of changes", scope=self._scope)
        self.tells = True
        self._ring(instance_id)

    def wait(self, seconds: float) -> bool:
        return self._ended.wait(seconds) if seconds > 0 else self._ended.is_set()

    def _run(self) -> None:
        pause, longest = _PAUSES
        while not self._ended.is_set():
            why = self._follow()
            if why is None and not self.tells:
                return  # nothing tells of changes there
            if self.tells:
                pause = _PAUSES[0]
            self.tells = False
            if self._ended.is_set():
                return
            log.warning("not told of changes any more", scope=self._scope, reason=why)
            self._ring(None)
            self._ended.wait(pause * random.uniform(0.5, 1))  # noqa: S311 - spreads load, keeps no secret
            pause = min(longest, pause * 2)

    def _follow(self) -> str | None:
        try:
            self._provider().watch(self)
        except ProviderError as error:
            return error.message
        except Exception as error:  # noqa: BLE001 - a provider's bug costs the stream, not the watching
            log.error("stream failed", scope=self._scope, error=type(error).__name__)
            return type(error).__name__
        return None

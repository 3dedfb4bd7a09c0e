"""Wakes a verb that waits when something of its instance changes. A hint only: the verb then looks for itself.

One watch per kind and namespace serves all who wait there. It begins where a list ends, goes on from the last
version seen after a broken connection, begins anew when the server no longer has that version (410), and ends some
seconds after the last waiter.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from domain.errors import ProviderError
from domain.work import Call
from providers.kubernetes.api import Api, Stream
from providers.kubernetes.errors import ApiError
from providers.kubernetes.naming import INSTANCE, SERVER, Place
from providers.kubernetes.resources import DEPLOYMENT, POD, Json, Resource

_KINDS = (DEPLOYMENT, POD)
_WATCH_SECONDS = 10
_LINGER_SECONDS = 10.0
_PAUSES = (0.1, 5.0)
_SLICE = 0.1
_GONE = 410


@dataclass
class Ticket:
    """One waiter."""

    instance_id: str
    _changed: threading.Event = field(default_factory=threading.Event)

    def wake(self) -> None:
        self._changed.set()

    def wait(self, call: Call, seconds: float) -> bool:
        """Until a change or the end of the time; says which. Wakes early with `CallCancelled`."""
        deadline = time.monotonic() + seconds
        while not self._changed.wait(min(_SLICE, max(0.0, deadline - time.monotonic()))):
            call.sleep(0.0)
            if time.monotonic() >= deadline:
                return False
        self._changed.clear()
        return True


class Hints:
    """All watches of one provider, and all who wait."""

    def __init__(self, api: Api, server_id: str) -> None:
        self._api = api
        self._server_id = server_id
        self._lock = threading.Lock()
        self._tickets: dict[str, list[Ticket]] = {}
        self._feeds: dict[tuple[str, str], _Feed] = {}

    @contextmanager
    def of(self, place: Place) -> Iterator[Ticket]:
        ticket = Ticket(place.instance_id)
        with self._lock:
            self._tickets.setdefault(place.namespace, []).append(ticket)
            for resource in _KINDS:
                self._start(resource, place.namespace)
        try:
            yield ticket
        finally:
            with self._lock:
                self._tickets[place.namespace].remove(ticket)

    def watches(self) -> int:
        """How many are open now."""
        with self._lock:
            return len(self._feeds)

    def close(self) -> None:
        with self._lock:
            feeds = list(self._feeds.values())
        for feed in feeds:
            feed.stop()
        for feed in feeds:
            feed.join(5.0)

    def _start(self, resource: Resource, namespace: str) -> None:
        key = (resource.plural, namespace)
        if key in self._feeds:
            return
        feed = _Feed(self._api, resource, namespace, self._server_id, self._wake, self._may_end)
        self._feeds[key] = feed
        feed.start()

    def _wake(self, namespace: str, instance_id: str | None) -> None:
        with self._lock:
            for ticket in self._tickets.get(namespace, []):
                if instance_id is None or ticket.instance_id == instance_id:
                    ticket.wake()

    def _may_end(self, feed: _Feed) -> bool:
        """Whether nobody waits there any more; if so it is forgotten, and a later waiter starts another."""
        with self._lock:
            if self._tickets.get(feed.namespace) and not feed.stopping:
                return False
            self._feeds.pop((feed.resource.plural, feed.namespace), None)
            return True


class _Feed(threading.Thread):
    """One watch, in a thread of its own."""

    def __init__(
        self,
        api: Api,
        resource: Resource,
        namespace: str,
        server_id: str,
        wake: Callable[[str, str | None], None],
        may_end: Callable[[_Feed], bool],
    ) -> None:
        super().__init__(name=f"watch-{resource.plural}-{namespace}", daemon=True)
        self.resource = resource
        self.namespace = namespace
        self._api = api
        self._selector = f"{SERVER}={server_id}"
        self._wake = wake
        self._may_end = may_end
        self._version: str | None = None
        self._stopped = threading.Event()
        self._stream: Stream | None = None
        self._busy_at = time.monotonic()

    @property
    def stopping(self) -> bool:
        return self._stopped.is_set()

    def stop(self) -> None:
        self._stopped.set()
        stream = self._stream
        if stream is not None:
            stream.end()

    def run(self) -> None:
        pause, longest = _PAUSES
        while not self._is_over():
            try:
                self._follow()
            except ProviderError as error:
                if isinstance(error, ApiError) and error.status == _GONE:
                    self._version = None
                    continue
                self._stopped.wait(pause)
                pause = min(longest, pause * 2)
            else:
                pause = _PAUSES[0]

    def _is_over(self) -> bool:
        idle = time.monotonic() - self._busy_at > _LINGER_SECONDS
        return (idle or self.stopping) and self._may_end(self)

    def _follow(self) -> None:
        """One watch, to its end. `_version` moves with every event."""
        if self._version is None:
            self._version = self._api.version(self.resource, self.namespace, self._selector)
            self._wake(self.namespace, None)  # whatever happened before now is in nobody's stream
        query = {
            "labelSelector": self._selector,
            "resourceVersion": self._version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(_WATCH_SECONDS),
        }
        with self._api.watch(self.resource, self.namespace, query) as stream:
            self._stream = stream
            try:
                for event in stream:
                    if self.stopping or not self._take(event):
                        return
            finally:
                self._stream = None

    def _take(self, event: Json) -> bool:
        """Pass one event on; False when the watch must begin anew."""
        if event["type"] == "ERROR":
            if event["object"].get("code") == _GONE:
                self._version = None
            return False
        metadata = event["object"]["metadata"]
        self._version = metadata["resourceVersion"]
        if event["type"] != "BOOKMARK":
            self._busy_at = time.monotonic()
            self._wake(self.namespace, (metadata.get("labels") or {}).get(INSTANCE))
        return True

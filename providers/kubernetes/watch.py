"""Wakes a verb that waits when something of its instance changes. A hint only: the verb then looks for itself.

One watch per kind and namespace serves all who wait there. It begins where a list ends, goes on from the last
version seen after a broken connection, begins anew when the server no longer has that version (410), and ends with
the last waiter.
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
from providers.kubernetes.resources import DEPLOYMENT, POD, Resource

_KINDS = (DEPLOYMENT, POD)
_WATCH_SECONDS = 30
_PAUSES = (0.1, 5.0)
_SLICE = 0.1
_GATHER = 0.05  # changes come in handfuls: one look for all of them
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
        call.sleep(_GATHER)
        self._changed.clear()
        return True


class Hints:
    """All watches of one provider, and all who wait."""

    def __init__(self, api: Api, server_id: str) -> None:
        self._api = api
        self._server_id = server_id
        self._lock = threading.Lock()
        self._tickets: dict[str, list[Ticket]] = {}
        self._feeds: dict[tuple[str, str], Feed] = {}

    @contextmanager
    def of(self, place: Place) -> Iterator[Ticket]:
        """Be woken by what happens to this instance."""
        ticket = Ticket(place.instance_id)
        with self._lock:
            self._tickets.setdefault(place.namespace, []).append(ticket)
            for resource in _KINDS:
                self._start(resource, place.namespace)
        try:
            yield ticket
        finally:
            self._leave(place.namespace, ticket)

    def watches(self) -> int:
        """How many are open now."""
        with self._lock:
            return len(self._feeds)

    def close(self) -> None:
        """End all watches and wait for their threads."""
        with self._lock:
            feeds, self._feeds = list(self._feeds.values()), {}
        for feed in feeds:
            feed.stop()
        for feed in feeds:
            feed.join(5.0)

    def _start(self, resource: Resource, namespace: str) -> None:
        key = (resource.plural, namespace)
        if key not in self._feeds:
            self._feeds[key] = feed = Feed(self._api, resource, namespace, self._server_id, self._wake)
            feed.start()

    def _leave(self, namespace: str, ticket: Ticket) -> None:
        """The last one out ends the watches."""
        with self._lock:
            self._tickets[namespace].remove(ticket)
            if self._tickets[namespace]:
                return
            del self._tickets[namespace]
            ended = [self._feeds.pop((resource.plural, namespace), None) for resource in _KINDS]
        for feed in ended:
            if feed is not None:
                feed.stop()

    def _wake(self, namespace: str, instance_id: str | None) -> None:
        with self._lock:
            for ticket in self._tickets.get(namespace, []):
                if instance_id is None or ticket.instance_id == instance_id:
                    ticket.wake()


class Feed(threading.Thread):
    """One watch, in a thread of its own. `trouble`: why it hears nothing at the moment."""

    def __init__(
        self,
        api: Api,
        resource: Resource,
        namespace: str,
        server_id: str,
        wake: Callable[[str, str | None], None],
    ) -> None:
        super().__init__(name=f"watch-{resource.plural}-{namespace}", daemon=True)
        self._api = api
        self._resource = resource
        self._namespace = namespace
        self._selector = f"{SERVER}={server_id}"
        self._wake = wake
        self._version: str | None = None
        self.trouble: ProviderError | None = None
        self._stopped = threading.Event()
        self._stream: Stream | None = None

    def stop(self) -> None:
        self._stopped.set()
        stream = self._stream
        if stream is not None:
            stream.end()

    def run(self) -> None:
        pause, longest = _PAUSES
        while not self._stopped.is_set():
            try:
                self._follow()
            except ProviderError as error:
                if isinstance(error, ApiError) and error.status == _GONE:
                    self._version = None
                else:
                    self.trouble = error
                self._stopped.wait(pause)
                pause = min(longest, pause * 2)
            else:
                pause = _PAUSES[0]

    def _follow(self) -> None:
        """One watch, to its end. `_version` moves with every event."""
        if self._version is None:
            self._version = self._api.version(self._resource, self._namespace, self._selector)
            self._wake(self._namespace, None)  # whatever happened before now is in nobody's stream
        query = {
            "labelSelector": self._selector,
            "resourceVersion": self._version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(_WATCH_SECONDS),
        }
        with self._api.watch(self._resource, self._namespace, query) as stream:
            self._stream, self.trouble = stream, None
            try:
                if not self._stopped.is_set():  # else nobody may have seen the stream to end it
                    self._read(stream)
            finally:
                self._stream = None

    def _read(self, stream: Stream) -> None:
        for event in stream:
            if event["type"] == "ERROR":  # begin anew where the version is too old, else go on from there
                if event["object"].get("code") == _GONE:
                    self._version = None
                return
            metadata = event["object"]["metadata"]
            self._version = metadata["resourceVersion"]
            if event["type"] != "BOOKMARK":
                self._wake(self._namespace, (metadata.get("labels") or {}).get(INSTANCE))

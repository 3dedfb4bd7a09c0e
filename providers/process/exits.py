"""Being told of the end of a process by the kernel: one pidfd per instance, whoever its parent is.

The records on disk say which process is whose; one that was written anew is read again.
"""

from __future__ import annotations

import os
import select
from contextlib import suppress
from pathlib import Path

from domain.errors import ProviderError
from providers.base import Bell
from providers.process.places import Place
from providers.process.record import read_record
from system.processes import ProcessId, find

_SCAN_SECONDS = 0.5
"""How soon a process that was just started is watched."""


class Exits:
    """What one watch holds open. It belongs to one thread."""

    def __init__(self, root: Path, server_id: str) -> None:
        self._root = root
        self._server_id = server_id
        self._written: dict[str, int] = {}
        self._handles: dict[str, int] = {}
        self._names: dict[int, str] = {}

    def follow(self, bell: Bell) -> None:
        """Ring for every instance whose process ends or is another one, until nobody listens."""
        with select.epoll() as ends:
            try:
                self._scan(ends, None)
                bell.ring(None)
                while not bell.wait(0):
                    for handle, _ in ends.poll(_SCAN_SECONDS):
                        name = self._names[handle]
                        self._drop(ends, name)
                        bell.ring(name)
                    self._scan(ends, bell)
            finally:
                for name in list(self._handles):
                    self._drop(ends, name)

    def _scan(self, ends: select.epoll, bell: Bell | None) -> None:
        """Take up what was written since the last scan. `bell` None: the first one, which rings for all."""
        there = _records(self._root)
        for name in self._written.keys() - there.keys():
            del self._written[name]
            self._drop(ends, name)
            if bell is not None:
                bell.ring(name)
        for name, written in there.items():
            if self._written.get(name) != written:
                self._written[name] = written
                self._take(ends, name)
                if bell is not None:
                    bell.ring(name)

    def _take(self, ends: select.epoll, name: str) -> None:
        self._drop(ends, name)
        record = read_record(Place(self._root, name).record_file)
        if record is None or record.process is None or record.identity.server_id != self._server_id:
            return
        handle = _open(record.process)
        if handle is not None:
            self._handles[name], self._names[handle] = handle, name
            ends.register(handle, select.EPOLLIN)

    def _drop(self, ends: select.epoll, name: str) -> None:
        handle = self._handles.pop(name, None)
        if handle is not None:
            del self._names[handle]
            ends.unregister(handle)
            os.close(handle)


def _open(process: ProcessId) -> int | None:
    """A handle of this very process while it lives; its end may be told of already."""
    try:
        handle = os.pidfd_open(process.pid)
    except OSError:
        return None
    if find(process) is None:  # asked after opening: from here on the handle cannot mean another one
        os.close(handle)
        return None
    return handle


def _records(root: Path) -> dict[str, int]:
    """When each instance's record was last written."""
    found: dict[str, int] = {}
    if not root.is_dir():
        return found
    for entry in os.scandir(root):
        if not entry.name.startswith("."):
            with suppress(OSError, ProviderError):  # no record yet or any more, or nothing of ours
                found[entry.name] = Place(root, entry.name).record_file.stat().st_mtime_ns
    return found

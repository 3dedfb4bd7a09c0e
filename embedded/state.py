"""What runs now, as files of the data directory tell it: the lock, the ports, the pids.

Written by the supervisor; read by the next one and by `berth status`, `env` and `down`. A file is a hint: a pid
counts only when its process is the very one that was recorded.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embedded import lives
from embedded.errors import AlreadyUpError
from embedded.installation import Installation, read_record, write_private
from system.processes import ProcessId

_REMAINS_SECONDS = 5.0


@dataclass(frozen=True)
class State:
    """The content of up.json. `ready` is None until Berth was ready once. The CLI reads `url` and `pids` too."""

    supervisor: ProcessId
    url: str
    children: Mapping[str, ProcessId]
    ready: Mapping[str, Any] | None
    own_database: bool
    temporal_address: str
    temporal_namespace: str

    def is_up(self) -> bool:
        return lives.is_alive(self.supervisor)


def save_state(installation: Installation, state: State) -> None:
    record = {
        "supervisor": lives.as_record(state.supervisor),
        "url": state.url,
        "pids": {"supervisor": state.supervisor.pid} | {name: child.pid for name, child in state.children.items()},
        "children": {name: lives.as_record(child) for name, child in state.children.items()},
        "ready": state.ready,
        "own_database": state.own_database,
        "temporal_address": state.temporal_address,
        "temporal_namespace": state.temporal_namespace,
    }
    write_private(installation.state_file, json.dumps(record, indent=1) + "\n")


def load_state(installation: Installation) -> State | None:
    record = read_record(installation.state_file)
    try:
        return State(
            supervisor=lives.from_record(record["supervisor"]),
            url=record["url"],
            children={name: lives.from_record(child) for name, child in record["children"].items()},
            ready=record["ready"],
            own_database=record["own_database"],
            temporal_address=record["temporal_address"],
            temporal_namespace=record["temporal_namespace"],
        )
    except (KeyError, TypeError, ValueError):
        return None


def running_state(installation: Installation) -> State | None:
    """The state of a living `berth up`; None when there is none."""
    state = load_state(installation)
    return state if state is not None and state.is_up() else None


@contextmanager
def locked(data_dir: Path) -> Iterator[None]:
    """Hold the data directory for one supervisor; the kernel lets go of it when that process ends, however."""
    handle = os.open(data_dir / "up.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(handle, 32).decode().strip() or "unknown"
            raise AlreadyUpError(
                f"{data_dir} is in use by another berth process (pid {holder}): "
                "stop it with `berth down`, or choose another --data-dir"
            ) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


def end_remains(installation: Installation) -> None:
    """Wait for the children of a killed supervisor, which die with it but not in no time; their ports are ours."""
    state = load_state(installation)
    if state is None:
        return
    for child in state.children.values():
        if not lives.wait_until_gone(child, _REMAINS_SECONDS):
            lives.end(child, (signal.SIGKILL, _REMAINS_SECONDS))


def note_server(installation: Installation, server_id: str) -> None:
    """Remember the id of the records that this installation worked for: OS users are named after it."""
    known = known_servers(installation)
    if server_id not in known:
        write_private(installation.servers_file, "".join(f"{known_id}\n" for known_id in (*known, server_id)))


def known_servers(installation: Installation) -> tuple[str, ...]:
    try:
        return tuple(installation.servers_file.read_text().split())
    except FileNotFoundError:
        return ()

"""One container as the daemon describes it, and what its state means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from domain.work import Identity, Seen
from providers.docker.labels import identity_of
from providers.docker.shape import Limits

RUNNING, PAUSED, CREATED, DEAD, ABSENT = "running", "paused", "created", "dead", "absent"
_NEVER = "0001-01-01"
_CLEAN_EXITS = frozenset({0, 137, 143})
_STOP_SECONDS = 20.0
_TRANSIENT = {
    PAUSED: "the container is paused",
    "restarting": "the container is restarting",
    "removing": "the container is being removed",
}


@dataclass(frozen=True)
class Container:
    """What the other modules need of `docker inspect`."""

    id: str
    name: str
    state: str
    labels: Mapping[str, str]
    identity: Identity | None
    exit_code: int
    out_of_memory: bool
    error: str
    started_at: str
    environment: frozenset[str] = field(repr=False)
    limits: Limits
    disk_limited: bool
    network_id: str | None
    port: int | None
    """Of the host."""
    stop_signal: str
    stop_seconds: float

    @property
    def lives(self) -> bool:
        """Whether its process exists."""
        return self.state in {RUNNING, PAUSED, "restarting"}

    @property
    def endpoint(self) -> str | None:
        return None if self.port is None or self.state != RUNNING else f"127.0.0.1:{self.port}"

    def meaning(self) -> tuple[Seen, str | None]:
        """What its state says, and why it is so."""
        if self.state == RUNNING:
            return Seen.UP, None
        if self.state in _TRANSIENT:
            return Seen.TRANSIENT, _TRANSIENT[self.state]
        if self.state == DEAD:
            return Seen.CRASHED, f"Docker could not remove the container completely{self._said()}"
        if self.state == CREATED and not self.exit_code:
            return Seen.DOWN, "the container was never started"
        return self._ending()

    def _ending(self) -> tuple[Seen, str | None]:
        if self.out_of_memory:
            return Seen.CRASHED, f"it was killed for want of memory (exit code {self.exit_code})"
        if _before_boot(self.started_at):
            return Seen.DOWN, "the host was rebooted"
        if self.exit_code in _CLEAN_EXITS:
            return Seen.DOWN, f"it ended with exit code {self.exit_code}"
        return Seen.CRASHED, f"it ended with exit code {self.exit_code}{self._said()}"

    def _said(self) -> str:
        return f": {self.error}" if self.error else ""


def container_of(inspected: Mapping[str, Any]) -> Container:
    state, config, host = inspected["State"], inspected["Config"], inspected["HostConfig"]
    labels = config.get("Labels") or {}
    networks = inspected.get("NetworkSettings", {}).get("Networks") or {}
    seconds = config.get("StopTimeout")
    return Container(
        id=inspected["Id"],
        name=inspected["Name"].lstrip("/"),
        state=state["Status"],
        labels=labels,
        identity=identity_of(labels),
        exit_code=state.get("ExitCode") or 0,
        out_of_memory=bool(state.get("OOMKilled")),
        error=state.get("Error") or "",
        started_at=state.get("StartedAt") or _NEVER,
        environment=frozenset(config.get("Env") or ()),
        limits=Limits(host.get("NanoCpus") or 0, host.get("Memory") or 0, host.get("PidsLimit") or 0),
        disk_limited=bool(host.get("StorageOpt")),
        network_id=next((network.get("NetworkID") or None for network in networks.values()), None),
        port=_host_port(host.get("PortBindings")),
        stop_signal=config.get("StopSignal") or "SIGTERM",
        stop_seconds=_STOP_SECONDS if seconds is None else float(seconds),
    )


def in_use(memory: Mapping[str, Any]) -> int:
    """Bytes that cannot be given back: what it uses, without the file cache of either kind of cgroup."""
    details = memory.get("stats") or {}
    cache = details.get("total_inactive_file", details.get("inactive_file", 0))
    return max(0, int(memory.get("usage") or 0) - int(cache))


def _host_port(bindings: Mapping[str, Any] | None) -> int | None:
    for bound in (bindings or {}).values():
        for one in bound or ():
            if one.get("HostPort"):
                return int(one["HostPort"])
    return None


def _before_boot(started_at: str) -> bool:
    """Whether it was started before this host was."""
    if started_at.startswith(_NEVER):
        return False
    uptime = timedelta(seconds=float(Path("/proc/uptime").read_text().split()[0]))
    started = datetime.fromisoformat(started_at[:19]).replace(tzinfo=UTC)
    return started < datetime.now(UTC) - uptime

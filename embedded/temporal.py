"""The Temporal dev server as a child of the supervisor: its options, and when it is ready."""

from __future__ import annotations

import http.client
from dataclasses import dataclass
from pathlib import Path

from embedded.children import Child
from embedded.installation import Installation
from embedded.ports import LOOPBACK

SEARCH_ATTRIBUTES = ("DeploymentId", "OpKind", "OpId", "OpPhase", "Provider", "InstanceName")
# By default every hop between server and worker takes 50 ms once a burst at start is spent: the queue processors
# poll 20 times a second per shard, and the dev server has one shard.
DYNAMIC_CONFIG = {
    "history.transferProcessorMaxPollRPS": "2000",
    "history.timerProcessorMaxPollRPS": "2000",
    "history.visibilityProcessorMaxPollRPS": "2000",
    "system.enableActivityEagerExecution": "true",
    "matching.numTaskqueueReadPartitions": "1",
    "matching.numTaskqueueWritePartitions": "1",
    "frontend.enableCancelWorkerPollsOnShutdown": "true",
    "activity.enableStandalone": "true",
}
_PRAGMAS = ("journal_mode=WAL", "synchronous=NORMAL")


@dataclass(frozen=True)
class TemporalPorts:
    frontend: int
    ui: int
    http: int

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.frontend}"

    @property
    def ui_url(self) -> str:
        return f"http://{LOOPBACK}:{self.ui}"


def child(program: Path, installation: Installation, ports: TemporalPorts, namespace: str) -> Child:
    options = ["--ip", LOOPBACK, "--port", str(ports.frontend), "--ui-port", str(ports.ui)]
    options += ["--http-port", str(ports.http), "--db-filename", str(installation.temporal_db)]
    options += ["--log-format", "json", "--log-level", "error"]
    options += [] if namespace == "default" else ["--namespace", namespace]  # the default one is always made
    options += [word for pragma in _PRAGMAS for word in ("--sqlite-pragma", pragma)]
    options += [word for item in DYNAMIC_CONFIG.items() for word in ("--dynamic-config-value", "=".join(item))]
    options += [word for name in SEARCH_ATTRIBUTES for word in ("--search-attribute", f"{name}=Keyword")]
    return Child(
        name="temporal",
        argv=(str(program), "server", "start-dev", *options),
        env={"HOME": str(installation.data_dir), "PATH": "/usr/bin:/bin", "TZ": "UTC"},
        log=installation.logs / "temporal.log",
    )


def answers(ports: TemporalPorts, namespace: str) -> bool:
    """Whether the frontend serves our namespace; asked over its HTTP door, which needs no gRPC here."""
    connection = http.client.HTTPConnection(LOOPBACK, ports.http, timeout=5.0)
    try:
        connection.request("GET", f"/api/v1/namespaces/{namespace}")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()

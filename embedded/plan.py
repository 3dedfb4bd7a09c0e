"""What `berth up` will run: which servers are ours, on which ports, and the environment of each child.

Called by the supervisor. Environments are built from nothing; what passes through is listed here.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from db.grants import ROLE
from embedded import cluster, temporal
from embedded.children import Child
from embedded.errors import NotUsableError
from embedded.installation import Installation, write_private
from embedded.ports import LOOPBACK, Held, Want, hold
from embedded.serving import SOCKET_ENV
from embedded.temporal import TemporalPorts
from providers.registry import PROVIDERS
from settings import Settings

API_PORT, TEMPORAL_PORT, UI_PORT, HTTP_PORT = 8000, 7233, 8233, 9233
WORKER = "worker"
_USUAL = {"api": API_PORT, "temporal": TEMPORAL_PORT, "temporal_ui": UI_PORT, "temporal_http": HTTP_PORT}
_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
# The standard credential chains of the providers' SDKs, and our own options of providers: for the worker alone.
_OF_PROVIDERS = ("AWS_", "DOCKER_", "KUBE", *(f"BERTH_{name.upper()}_" for name in PROVIDERS))
_WAY_TO_TEMPORAL = ("BERTH_TEMPORAL_TLS", "BERTH_TEMPORAL_API_KEY")
_NETWORK = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
_PASSED = frozenset(("HOME", "USER", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", *_NETWORK))


@dataclass(frozen=True)
class Plan:
    installation: Installation
    settings: Settings
    ports: Mapping[str, Held]
    own_records: bool
    own_temporal: bool

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.ports['api'].port}"

    @property
    def fresh_marker(self) -> Path:
        """Stands from before a new Temporal database is made until a ready Berth has acknowledged it."""
        return self.installation.data_dir / "temporal-is-fresh"

    @property
    def database_url(self) -> str:
        return cluster.database_url(self.installation) if self.own_records else self.settings.database_url

    @property
    def temporal_ports(self) -> TemporalPorts:
        return TemporalPorts(*(self.ports[name].port for name in ("temporal", "temporal_ui", "temporal_http")))

    @property
    def temporal_address(self) -> str:
        return self.temporal_ports.address if self.own_temporal else self.settings.temporal_address

    @property
    def temporal_ui(self) -> str:
        return self.temporal_ports.ui_url if self.own_temporal else self.settings.temporal_ui_url

    def environment(self, fresh_temporal: bool, *, providers_too: bool = False) -> dict[str, str]:
        """Of a child that is Python and ours. `providers_too`: with what leads to the providers."""
        passed = {k: v for k, v in os.environ.items() if _is_passed(k, providers_too=providers_too)}
        if self.own_temporal:  # it speaks in clear, on the loopback
            passed = {k: v for k, v in passed.items() if not k.startswith(_WAY_TO_TEMPORAL)}
        return passed | {
            "PATH": _PATH,
            "LANG": "C.UTF-8",
            "DATABASE_URL": self.database_url,
            "TEMPORAL_ADDRESS": self.temporal_address,
            "TEMPORAL_NAMESPACE": self.settings.temporal_namespace,
            "BERTH_DATA_DIR": str(self.installation.data_dir),
            "BERTH_API_HOST": LOOPBACK,
            "BERTH_PUBLIC_URL": self.settings.public_url or self.url,
            "BERTH_API_PORT": str(self.ports["api"].port),
            "BERTH_TEMPORAL_UI_URL": self.temporal_ui,
            "BERTH_INSTANCE_ROOT": str(self.settings.instance_root or self.installation.instance_root),
            "BERTH_TEMPORAL_FRESH": "1" if fresh_temporal else "0",
        }


def _is_passed(name: str, *, providers_too: bool) -> bool:
    if name.startswith(_OF_PROVIDERS) or name == "BERTH_SHARED_DATABASE_URL":
        return providers_too
    return name in _PASSED or name.startswith("BERTH_")


def make_plan(
    settings: Settings, installation: Installation, port: int | None, remembered: Mapping[str, int]
) -> Plan:
    """Hold the ports. A server that the environment names is used, and none is started for it."""
    own_records = not settings.database_url or _is_ours(settings.database_url, installation)
    address = settings.temporal_address if "temporal_address" in settings.model_fields_set else ""
    own_temporal = address in ("", f"{LOOPBACK}:{remembered.get('temporal', 0)}")
    wants = [Want("api", port or API_PORT, fixed=port is not None, listens=True)]
    if own_temporal:
        wants.append(Want("temporal", TEMPORAL_PORT))
        wants.append(Want("temporal_ui", UI_PORT))
        wants.append(Want("temporal_http", HTTP_PORT))
    ports = {want.name: hold(want, remembered.get(want.name)) for want in wants}
    return Plan(installation, settings, ports, own_records, own_temporal)


def ports_text(plan: Plan) -> str:
    """The ports in use, and which usual ones somebody else has."""
    taken = [str(usual) for name, usual in _USUAL.items() if name in plan.ports and plan.ports[name].port != usual]
    text = " ".join(str(held.port) for held in plan.ports.values())
    return f"{text} (not {' '.join(taken)}: taken, or other ones were used before)" if taken else text


def save_ports(plan: Plan) -> None:
    numbers = {name: held.port for name, held in plan.ports.items()}
    write_private(plan.installation.ports_file, json.dumps(numbers) + "\n")


def temporal_child(plan: Plan, program: Path) -> Child:
    return temporal.child(program, plan.installation, plan.temporal_ports, plan.settings.temporal_namespace)


def python_child(plan: Plan, name: str, target: str, fresh_temporal: bool, drain_seconds: float = 10.0) -> Child:
    """A child that loads `target` (module:function) behind the gate."""
    environment = plan.environment(fresh_temporal, providers_too=name == WORKER)
    sockets: tuple[int, ...] = ()
    if name == "api":
        if plan.own_records:  # what strangers reach cannot change the audit trail
            environment["DATABASE_URL"] = cluster.database_url(plan.installation, ROLE)
        listening = plan.ports["api"].socket.fileno()
        environment[SOCKET_ENV], sockets = str(listening), (listening,)
    return Child(
        name=name,
        argv=(sys.executable, "-m", "embedded.gate", target),
        env=environment,
        log=plan.installation.logs / f"{name}.log",
        drain_seconds=drain_seconds,
        pass_fds=sockets,
        gated=True,
    )


def _is_ours(url: str, installation: Installation) -> bool:
    """`eval "$(berth env)" && berth up` must not take its own server for one of the user's, nor a sister's."""
    place = url.partition("://")[2]
    if place == cluster.database_url(installation).partition("://")[2]:
        return True
    if place.startswith("berth@/berth?host=") and place.endswith("%2Frecords%2Fsocket"):
        raise NotUsableError(
            "DATABASE_URL is the embedded database of another Berth, as its `berth env` gives it: "
            "run `unset DATABASE_URL TEMPORAL_ADDRESS`, or `berth up` with that Berth's --data-dir"
        )
    return False

"""One running control plane: etcd, API server, controller manager, scheduler, kwok, on free loopback ports.

Start it from the main thread: the parts die with the thread that started them, so that nothing outlives a test
that was killed. Everything it writes lies in its folder.
"""

from __future__ import annotations

import itertools
import os
import random
import ssl
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from embedded.children import Child, Running, last_lines
from embedded.ports import is_free
from scripts.controlplane.build import SOURCES, ControlPlaneError, etcd_program
from scripts.controlplane.credentials import Credentials, make_credentials

_READY_SECONDS = 60.0
_PORTS = range(15_000, 19_000)
"""None that the kernel gives to outgoing connections: a part that was killed finds its port again."""
_STAGES = ("node.yaml", "pod.yaml", "logs.yaml")
_ENVIRONMENT = {"GOMAXPROCS": "2", "KUBE_FEATURE_WatchListClient": "false"}
_ORDER = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")


@dataclass
class ControlPlane:
    """`programs` holds what build.py made. `folder` must exist and be empty."""

    programs: Path
    folder: Path
    ports: dict[str, int] = field(default_factory=dict)
    _running: dict[str, Running] = field(default_factory=dict)

    @property
    def server(self) -> str:
        return f"https://127.0.0.1:{self.ports['api']}"

    @property
    def credentials(self) -> Credentials:
        return Credentials(self.folder)

    @property
    def kubeconfig(self) -> Path:
        """For the administrator."""
        return self.credentials.admin_kubeconfig

    @property
    def pod_log(self) -> Path:
        """What the simulated pods are said to have printed."""
        return self.folder / "pod.log"

    def start(self) -> None:
        """All parts, ready to serve. A failure ends what had been started."""
        self.ports = dict(zip(("etcd", "peer", "api", "kubelet"), _free_ports(4), strict=True))
        make_credentials(self.folder, self.server)
        (self.folder / "kwok.yaml").write_text(self._kwok_config())
        self.pod_log.touch()
        try:
            for name in _ORDER[:2]:
                self.run(name)
            self.await_api()
            for name in _ORDER[2:]:
                self.run(name)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End every part, the last started first; nothing is left running."""
        for name in reversed(_ORDER):
            running = self._running.pop(name, None)
            if running is not None and running.exit_code() is None:
                running.end()

    def run(self, name: str) -> None:
        """Start one part, also again after `kill`."""
        self._running[name] = Running(
            Child(
                name,
                self._command(name),
                {"PATH": os.defpath, "HOME": str(self.folder), **_ENVIRONMENT},
                self.folder / f"{name}.log",
                drain_seconds=0.5 if name == "kube-apiserver" else 3.0,  # it waits for open watches otherwise
            )
        )

    def kill(self, name: str) -> None:
        """SIGKILL to one part."""
        self._running[name].kill()
        self._running[name].wait(5.0)

    def await_api(self) -> None:
        """Until the API server says that it is ready."""
        deadline = time.monotonic() + _READY_SECONDS
        token = yaml.safe_load(self.kubeconfig.read_text())["users"][0]["user"]["token"]
        request = urllib.request.Request(f"{self.server}/readyz", headers={"Authorization": f"Bearer {token}"})  # noqa: S310 - our own https URL
        trust = ssl.create_default_context(cafile=self.credentials.authority)
        while not self._answers(request, trust):
            self._require_alive()
            if time.monotonic() > deadline:
                raise ControlPlaneError(f"the API server was not ready within {_READY_SECONDS:.0f} s")
            time.sleep(0.05)

    def dead(self) -> str | None:
        """The name of a part that has ended by itself."""
        return next((name for name, part in self._running.items() if part.exit_code() is not None), None)

    def _answers(self, request: urllib.request.Request, trust: ssl.SSLContext) -> bool:
        try:
            with urllib.request.urlopen(request, timeout=2, context=trust) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _require_alive(self) -> None:
        name = self.dead()
        if name is not None:
            raise ControlPlaneError(f"{name} ended: {last_lines(self.folder / f'{name}.log', 3)}")

    def _kwok_config(self) -> str:
        parts = [(SOURCES / "stages" / name).read_text() for name in _STAGES]
        return "\n---\n".join(parts).replace("LOGS", str(self.pod_log))

    def _command(self, name: str) -> tuple[str, ...]:
        if name == "etcd":
            return (str(etcd_program()), *self._etcd_flags())
        flags = {
            "kube-apiserver": self._api_flags,
            "kube-controller-manager": self._manager_flags,
            "kube-scheduler": self._scheduler_flags,
            "kwok": self._kwok_flags,
        }
        return (str(self.programs / name), *flags[name]())

    def _etcd_flags(self) -> tuple[str, ...]:
        client, peer = (f"https://127.0.0.1:{self.ports[name]}" for name in ("etcd", "peer"))
        c = self.credentials
        trust = (f"-trusted-ca-file={c.authority}", f"-cert-file={c.certificate}", f"-key-file={c.key}")
        return (
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--client-cert-auth",
            "--peer-client-cert-auth",
            "--unsafe-no-fsync",  # parts are killed here, never the machine
            *(f"-{flag}" for flag in trust),
            *(f"--peer{flag}" for flag in trust),
            "--logger=zap",
        )

    def _api_flags(self) -> tuple[str, ...]:
        c = self.credentials
        return (
            f"--etcd-servers=https://127.0.0.1:{self.ports['etcd']}",
            f"--etcd-cafile={c.authority}",
            f"--etcd-certfile={c.certificate}",
            f"--etcd-keyfile={c.key}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={self.ports['api']}",
            f"--tls-cert-file={c.certificate}",
            f"--tls-private-key-file={c.key}",
            f"--token-auth-file={c.tokens}",
            "--authorization-mode=RBAC",
            "--anonymous-auth=false",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={c.accounts_key}",
            f"--service-account-signing-key-file={c.accounts_key}",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--endpoint-reconciler-type=none",
            "--kubelet-preferred-address-types=InternalIP",
            # Debian's etcd cannot stream lists; were they on, kwok would list again and again, ever more slowly.
            "--feature-gates=WatchList=false",
            "--profiling=false",
        )

    def _manager_flags(self) -> tuple[str, ...]:
        c = self.credentials
        return (
            f"--kubeconfig={self.kubeconfig}",
            f"--root-ca-file={c.authority}",
            f"--service-account-private-key-file={c.accounts_key}",
            "--leader-elect=false",
            "--secure-port=0",
            "--enable-hostpath-provisioner",
            "--pvclaimbinder-sync-period=1s",
            "--resource-quota-sync-period=2s",
            "--profiling=false",
        )

    def _scheduler_flags(self) -> tuple[str, ...]:
        return (f"--kubeconfig={self.kubeconfig}", "--leader-elect=false", "--secure-port=0", "--profiling=false")

    def _kwok_flags(self) -> tuple[str, ...]:
        c = self.credentials
        return (
            f"--kubeconfig={self.kubeconfig}",
            f"--config={self.folder / 'kwok.yaml'}",
            "--manage-all-nodes",
            "--node-lease-duration-seconds=40",
            "--node-ip=127.0.0.1",
            f"--node-port={self.ports['kubelet']}",
            f"--server-address=127.0.0.1:{self.ports['kubelet']}",
            f"--tls-cert-file={c.certificate}",
            f"--tls-private-key-file={c.key}",
        )


def _free_ports(count: int) -> list[int]:
    """Ports that nobody uses now, all different."""
    tried = random.sample(_PORTS, len(_PORTS))
    found = list(itertools.islice(filter(is_free, tried), count))
    if len(found) < count:
        raise ControlPlaneError(f"no {count} ports are free from {_PORTS.start} to {_PORTS.stop - 1}")
    return found

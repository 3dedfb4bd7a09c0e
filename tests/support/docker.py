"""A real Docker Engine per test session: a `dockerd` of ours with its own data, socket, addresses and images.

It leaves the machine's firewall and default bridge alone, so that it runs beside another engine. What a killed
session left is ended and removed by the next one. Import `docker_engine` in a folder's conftest.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import docker
import pytest
from requests.exceptions import RequestException

from tests.images.build import obtain
from tests.support import docker_leftovers as leftovers
from tests.support.postgres import orderly_end

_START_SECONDS, _STOP_SECONDS = 90.0, 60.0
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_PROGRAMS = ("dockerd", "containerd", "busybox", "ip")


@dataclass
class DockerEngine:
    """The running engine. `client` is for looking and for what a person would do by hand with `docker`."""

    folder: Path
    addresses: str
    daemon: subprocess.Popen[bytes] = field(init=False, repr=False)
    client: docker.DockerClient = field(init=False, repr=False)

    @property
    def host(self) -> str:
        """What DOCKER_HOST would be."""
        return f"unix://{self.folder}/docker.sock"

    def start(self) -> None:
        """Start the daemon, also again after `stop` or a kill; containers and images are as they were."""
        with (self.folder / "dockerd.log").open("ab") as log:
            self.daemon = subprocess.Popen(
                self._command(),
                env={"PATH": _PATH, "HOME": str(self.folder)},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.client = docker.DockerClient(base_url=self.host, version="1.41", timeout=60)
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self.daemon.poll() is not None or time.monotonic() > deadline:
                said = (self.folder / "dockerd.log").read_text(errors="replace")[-2000:]
                raise RuntimeError(f"dockerd does not start (exit code {self.daemon.poll()}): {said}")
            time.sleep(0.02)

    def load(self, *tags: str) -> None:
        """Load images of tests/images, all of them by default."""
        for path in obtain(*tags).values():
            with path.open("rb") as archive:
                self.client.images.load(archive)

    def stop(self) -> None:
        """End the daemon, as a reboot of the host would: containers end with it."""
        self.client.close()
        self.daemon.send_signal(signal.SIGCONT)
        self.daemon.terminate()
        try:
            self.daemon.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.daemon.kill()
            self.daemon.wait(_STOP_SECONDS)

    def kill(self) -> None:
        """The daemon dies in the middle; its containers go on without it."""
        containerd = int((self.folder / "exec" / "containerd" / "containerd.pid").read_text())
        self.client.close()
        self.daemon.kill()
        self.daemon.wait(_STOP_SECONDS)
        deadline = time.monotonic() + _STOP_SECONDS
        while Path("/proc", str(containerd)).exists() and time.monotonic() < deadline:
            time.sleep(0.05)  # the next daemon would take it for alive

    @contextlib.contextmanager
    def hanging(self) -> Iterator[None]:
        """The daemon takes connections and answers nothing."""
        self.daemon.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.daemon.send_signal(signal.SIGCONT)

    def clear(self) -> None:
        """Remove every container, volume and network that was made on it, if it still answers."""
        if not self._answers():
            return
        for container in self.client.containers.list(all=True, ignore_removed=True):
            with contextlib.suppress(docker.errors.APIError):
                container.remove(force=True, v=True)
        for volume in self.client.volumes.list():
            with contextlib.suppress(docker.errors.APIError):
                volume.remove(force=True)
        self.client.networks.prune()

    def _command(self) -> list[str]:
        dockerd = shutil.which("dockerd") or "/usr/sbin/dockerd"
        at = self.folder
        return [
            dockerd,
            f"--host={self.host}",
            f"--data-root={at}/data",
            f"--exec-root={at}/exec",
            f"--pidfile={at}/dockerd.pid",
            f"--config-file={at}/daemon.json",
            f"--group={os.getgid()}",
            f"--default-address-pool=base={self.addresses},size=26",
            "--bridge=none",
            "--iptables=false",
            "--ip-forward=false",
            "--ip-masq=false",
            "--shutdown-timeout=5",
            "--log-level=warn",
        ]

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(self.host.removeprefix("unix://"))
            except OSError:
                return False
        try:
            return bool(self.client.ping())
        except (docker.errors.DockerException, RequestException):
            return False


@contextlib.contextmanager
def running_engine() -> Iterator[DockerEngine]:
    """An engine without images, removed with all that it made."""
    leftovers.sweep()
    with contextlib.ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix=leftovers.PREFIX, dir=leftovers.PARENT))
        stack.callback(os.close, leftovers.claim(folder))
        stack.callback(leftovers.remove, folder)
        handle, addresses = leftovers.claim_addresses()
        stack.callback(os.close, handle)
        stack.enter_context(leftovers.let_through(addresses))
        (folder / "addresses").write_text(addresses)
        # The engine's identity comes from this key: every engine of ours has one of its own.
        (folder / "daemon.json").write_text(json.dumps({"deprecated-key-path": f"{folder}/key.json"}))
        engine = DockerEngine(folder, addresses)
        stack.callback(engine.stop)
        engine.start()
        stack.callback(engine.clear)
        yield engine


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[DockerEngine]:
    """With every image of tests/images."""
    if os.geteuid() != 0:
        pytest.skip("only root can start a Docker Engine")
    missing = [name for name in _PROGRAMS if shutil.which(name, path=_PATH) is None]
    if missing:
        pytest.skip(
            f"there is no {', no '.join(missing)} here; on Debian: apt-get install docker.io busybox-static"
        )
    with orderly_end(), running_engine() as engine:
        engine.load()
        yield engine

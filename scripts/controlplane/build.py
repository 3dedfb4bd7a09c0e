"""Find the control plane's programs in the cache, or build them there from deploy/controlplane.

The build takes some four minutes on two cores, once; two builds at a time wait for each other.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

KUBERNETES, KWOK = "1.36.3", "0.8.0"
SOURCES = Path(__file__).resolve().parents[2] / "deploy" / "controlplane"
_MAJOR, _MINOR, _ = KUBERNETES.split(".")
_VERSION = "k8s.io/component-base/version"
_BUILD_SECONDS = 1500.0
_REPORT_EVERY = 15.0
# What the go command may take from its user: where modules come from and how the network is reached.
_GO_ENV = ("GOPATH", "GOCACHE", "GOMODCACHE", "GOPROXY", "GOSUMDB", "GONOSUMDB", "GOPRIVATE", "GOFLAGS")
_NET_ENV = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
_TLS_ENV = ("SSL_CERT_FILE", "SSL_CERT_DIR")

Say = Callable[[str], None]


class ControlPlaneError(Exception):
    """It cannot be built or started; the message says what helps."""


@dataclass(frozen=True)
class _Module:
    """One Go module, the programs that it holds, and what the linker writes into them."""

    folder: Path
    packages: tuple[str, ...]
    values: tuple[str, ...] = ()


_MODULES = (
    _Module(
        SOURCES,
        tuple(
            f"k8s.io/kubernetes/cmd/{name}"
            for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
        ),
        (f"{_VERSION}.gitVersion=v{KUBERNETES}", f"{_VERSION}.gitMajor={_MAJOR}", f"{_VERSION}.gitMinor={_MINOR}"),
    ),
    _Module(SOURCES / "kwok", ("sigs.k8s.io/kwok/cmd/kwok",)),
)
PROGRAMS = tuple(package.rpartition("/")[2] for module in _MODULES for package in module.packages)


def obtain(cache: Path, say: Say) -> Path:
    """The folder with all programs; built when it is not there."""
    target = cache / f"controlplane-{KUBERNETES}-{KWOK}"
    if _is_complete(target):
        return target
    cache.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time(cache, say):
        if not _is_complete(target):
            _build(target, say)
    return target


def etcd_program() -> Path:
    """etcd is a package of the system."""
    found = shutil.which("etcd")
    if found is None:
        raise ControlPlaneError("there is no etcd here; on Debian: apt-get install etcd-server")
    return Path(found)


def _is_complete(folder: Path) -> bool:
    return all(os.access(folder / name, os.X_OK) for name in PROGRAMS)


def _build(target: Path, say: Say) -> None:
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin:/usr/lib/go/bin")
    if go is None:
        raise ControlPlaneError("there is no go command to build the control plane with; install Go 1.26 or newer")
    say(f"kubernetes: building the control plane {KUBERNETES} with go (about 4 minutes, once)")
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".build-") as folder:
        unfinished = Path(folder) / "bin"
        for module in _MODULES:
            _run_go(go, module, unfinished, say)
        if target.exists():  # a folder that lacks a program
            target.rename(Path(folder) / "old")
        unfinished.rename(target)
    say("kubernetes: built")


def _run_go(go: str, module: _Module, output: Path, say: Say) -> None:
    flags = " ".join(["-s", "-w", *(f"-X {value}" for value in module.values)])
    command = [go, "build", "-mod=readonly", "-ldflags", flags, "-o", f"{output}/", *module.packages]
    log = output.parent / "log"
    with (
        log.open("wb") as sink,
        subprocess.Popen(
            command, cwd=module.folder, env=_environment(), stdin=subprocess.DEVNULL, stdout=sink, stderr=sink
        ) as build,
    ):
        try:
            code = _watch(build, say)
        finally:
            build.kill()
    if code != 0:
        last = log.read_text(errors="replace").strip().splitlines()[-3:]
        raise ControlPlaneError("the build failed: " + " | ".join(last or [f"exit code {code}"]))


def _watch(build: subprocess.Popen[bytes], say: Say) -> int:
    started = reported = time.monotonic()
    while True:
        try:
            return build.wait(1.0)
        except subprocess.TimeoutExpired:
            now = time.monotonic()
        if now - started > _BUILD_SECONDS:
            raise ControlPlaneError(f"the build took longer than {_BUILD_SECONDS:.0f} s")
        if now - reported >= _REPORT_EVERY:
            reported = now
            say(f"kubernetes: building, {now - started:.0f} s so far")


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in (*_GO_ENV, *_NET_ENV, *_TLS_ENV) if name in os.environ}
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(Path.home()), "CGO_ENABLED": "0", **kept}


@contextmanager
def _one_at_a_time(cache: Path, say: Say) -> Iterator[None]:
    handle = os.open(cache / ".controlplane.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("kubernetes: another process is building the control plane; waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)

"""Programs built with the go command, once, into a cache: what such builds share.

Called by `embedded.temporal_cli` and by `scripts.controlplane`.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

BUILD_SECONDS = 1500.0
_REPORT_EVERY = 15.0
# What the go command may take from its user: where modules come from and how the network is reached.
_GO_ENV = ("GOPATH", "GOCACHE", "GOMODCACHE", "GOPROXY", "GOSUMDB", "GONOSUMDB", "GOPRIVATE", "GOFLAGS")
_NET_ENV = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
_TLS_ENV = ("SSL_CERT_FILE", "SSL_CERT_DIR")

Say = Callable[[str], None]


class BuildFailed(Exception):
    """The message says why."""


@dataclass(frozen=True)
class Build:
    """One run of `go build`, its log, and what people are told meanwhile: `<title>: building, 30 s so far`."""

    folder: Path
    arguments: Sequence[str]
    log: Path
    title: str


def go_program() -> Path | None:
    """The go command, also where Debian and go.dev put it without a place on PATH."""
    found = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin:/usr/lib/go/bin")
    return Path(found) if found else None


def environment(**more: str) -> dict[str, str]:
    """Built from nothing: how to reach modules and the network, and nothing else of the user's."""
    kept = {name: os.environ[name] for name in (*_GO_ENV, *_NET_ENV, *_TLS_ENV) if name in os.environ}
    home = os.environ.get("HOME") or str(Path.home())
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": home, **kept, **more}


def run(go: Path, build: Build, say: Say) -> None:
    """Build, and tell now and then that it goes on. Raises `BuildFailed`."""
    with (
        build.log.open("wb") as sink,
        subprocess.Popen(
            [str(go), "build", *build.arguments],
            cwd=build.folder,
            env=environment(CGO_ENABLED="0"),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
        ) as process,
    ):
        try:
            code = _watch(process, build.title, say)
        finally:
            process.kill()
    if code != 0:
        last = build.log.read_text(errors="replace").strip().splitlines()[-3:]
        raise BuildFailed(" | ".join(last or [f"exit code {code}"]))


def _watch(process: subprocess.Popen[bytes], title: str, say: Say) -> int:
    started = reported = time.monotonic()
    while True:
        try:
            return process.wait(1.0)
        except subprocess.TimeoutExpired:
            now = time.monotonic()
        if now - started > BUILD_SECONDS:
            raise BuildFailed(f"it took longer than {BUILD_SECONDS:.0f} s")
        if now - reported >= _REPORT_EVERY:
            reported = now
            say(f"{title}: building, {now - started:.0f} s so far")


@contextmanager
def one_at_a_time(lock: Path, say: Say, while_waiting: str) -> Iterator[None]:
    """Hold `lock`; who has to wait for it says so."""
    handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(while_waiting)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)

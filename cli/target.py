"""Where is my Berth? Decides the URL and the token; called by `cli.session` once per command.

Precedence: `--data-dir` on the command line, then BERTH_URL (with BERTH_TOKEN), then BERTH_DATA_DIR, then the
default directory. A flag beats the environment, so that `--data-dir B` in a shell set up for A cannot act on A.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cli.errors import CliError, ExitCode, Unreachable, UsageProblem


@dataclass(frozen=True)
class Target:
    """One Berth: its address, our token for it, and how the caller named it."""

    url: str
    token: str = field(repr=False)
    named_by: str
    how_to_start: str
    supervisor: int | None = None
    """The pid of its supervisor when it is one of this machine; None when unknown."""

    @property
    def is_loopback(self) -> bool:
        """Whether the address is this machine's own."""
        return _is_loopback(self.url)


def default_data_dir() -> Path:
    """As `settings.default_data_dir`, whose module is too slow to import for every command."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "berth"
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "berth"


def find_target(data_dir: Path | None) -> Target:
    """The Berth that the caller means. `data_dir` is the flag's value, None when it was not given."""
    url = os.environ.get("BERTH_URL", "")
    if data_dir is None and not _is_sendable(os.environ.get("BERTH_TOKEN", "")):
        raise CliError("BERTH_TOKEN is no token: it has characters that none has.", code=ExitCode.AUTH)
    if data_dir is None and url:
        return _from_environment(url.rstrip("/"))
    if data_dir is None:
        data_dir = Path(os.environ.get("BERTH_DATA_DIR") or default_data_dir())
        return _from_directory(data_dir.expanduser().absolute(), os.environ.get("BERTH_TOKEN", ""))
    return _from_directory(data_dir.expanduser().absolute(), "")


def _from_environment(url: str) -> Target:
    if not _is_address(url):
        raise UsageProblem(f"BERTH_URL is {url!r}; it must look like http://127.0.0.1:8000.")
    token = os.environ.get("BERTH_TOKEN", "")
    # The token of a local Berth never leaves this machine.
    if not token and _is_loopback(url):
        directory = Path(os.environ.get("BERTH_DATA_DIR") or default_data_dir()).expanduser()
        token = _read_token(directory)
    return Target(url, token, f"BERTH_URL={url}", "start that Berth, or correct BERTH_URL")


def _from_directory(directory: Path, token: str) -> Target:
    start = _start_command(directory)
    state = _read_state(directory, start)
    url = str(state.get("url") or "").rstrip("/")
    if not url:
        raise Unreachable(f"{directory / 'up.json'} names no url.", hints=(start,))
    pids = state.get("pids")
    supervisor = pids.get("supervisor") if isinstance(pids, Mapping) else None
    if isinstance(supervisor, int) and not lives(supervisor):
        # Its port may be somebody else's by now: our token must not go there.
        raise Unreachable(f"The Berth of {directory} is not running any more.", hints=(start,))
    return Target(url, token or _read_token(directory), f"data directory {directory}", start, supervisor)


def _start_command(directory: Path) -> str:
    return "berth up" if directory == default_data_dir() else f"berth up --data-dir {directory}"


def _read_state(directory: Path, start: str) -> Mapping[str, Any]:
    try:
        state = json.loads((directory / "up.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Unreachable(
            f"No Berth is running with data directory {directory}.",
            detail="Start one, name another with --data-dir, or set BERTH_URL and BERTH_TOKEN.",
            hints=(start,),
        ) from None
    except PermissionError:
        raise CliError(
            f"{directory} belongs to somebody else.",
            code=ExitCode.AUTH,
            detail="This user cannot read it; set BERTH_URL and BERTH_TOKEN instead.",
        ) from None
    except (OSError, ValueError) as error:
        raise Unreachable(f"{directory / 'up.json'} cannot be read: {error}.", hints=(start,)) from None
    return state if isinstance(state, dict) else {}


def _read_token(directory: Path) -> str:
    path = directory / "token"
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise CliError(
            f"The token {path} cannot be read: {error.strerror}.",
            code=ExitCode.AUTH,
            detail="Berth writes it for the user who started it; others set BERTH_TOKEN.",
        ) from None


def lives(pid: int) -> bool:
    """Whether there is a process of that id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_sendable(token: str) -> bool:
    return token.isascii() and (token.isprintable() or not token)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # of brackets that do not fit, of a port that is none
        return False


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")

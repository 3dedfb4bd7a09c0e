"""The files of Berth's own PostgreSQL: its programs, its OS user, its folders, its cluster, and who may connect.

Called by the supervisor before `embedded.postgres` starts the server. Nothing here needs a running server.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from db.grants import ROLE
from embedded.errors import RecordsError
from embedded.installation import Installation
from system.postgres_runtime import PostgresRuntime, available_majors, install_runtime
from system.users import OsUser, current_user, ensure_user, is_root

_ENV = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
_NAME = "berth"
_LONGEST_SOCKET = 107
_HBA = "local all all peer map=berth\n"


@dataclass(frozen=True)
class RecordsServer:
    """The server as it should be; `start` and `running` say what is."""

    installation: Installation
    runtime: PostgresRuntime
    user: OsUser

    @property
    def data(self) -> Path:
        return self.installation.records / "data"

    @property
    def access(self) -> Path:
        """Who may connect. Outside `data`: root writes nothing where the server's user could plant a link."""
        return self.installation.records / "access"

    @property
    def sockets(self) -> Path:
        return socket_folder(self.installation)

    @property
    def log(self) -> Path:
        return self.installation.logs / "postgres.log"


def socket_folder(installation: Installation) -> Path:
    folder = installation.records / "socket"
    if len(os.fsencode(folder / ".s.PGSQL.5432.lock")) <= _LONGEST_SOCKET:
        return folder
    return Path(f"/tmp/berth-{os.geteuid()}-{installation.id}")  # noqa: S108 - made 0700 and checked to be ours


def database_url(installation: Installation, role: str = _NAME) -> str:
    """No password in it: the server knows us by our operating-system identity. As the owner, or as `ROLE`."""
    return f"postgresql://{role}@/{_NAME}?host={quote(str(socket_folder(installation)), safe='')}"


def records_user(installation: Installation) -> str:
    return f"{installation.user_prefix}-records"


def prepare(installation: Installation) -> RecordsServer:
    """Programs, user and folders; the database cluster when there is none yet."""
    user = ensure_user(records_user(installation))
    runtime = install_runtime(installation.runtime_root, _major(installation.records / "data"))
    server = RecordsServer(installation, runtime, user)
    _make_public(installation.records, 0o711)
    _make_private(server.sockets, user)
    if not server.data.exists():
        _initialise(server)
    _make_public(server.access, 0o755)
    _write_public(server.access / "hba.conf", _HBA)
    roles = "".join(f"berth {current_user().name} {role}\n" for role in (_NAME, ROLE))
    _write_public(server.access / "ident.conf", roles)
    return server


def _major(data: Path) -> int:
    """The version that the cluster was made with; the newest one for a new cluster."""
    try:
        return int((data / "PG_VERSION").read_text())
    except FileNotFoundError:
        return available_majors()[-1]


def _make_public(folder: Path, mode: int) -> None:
    """Others may pass through (0711) or read (0755), as far as the folders above let them."""
    folder.mkdir(exist_ok=True)
    folder.chmod(mode)


def _write_public(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o644)


def _make_private(folder: Path, user: OsUser) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink():
        raise RecordsError(f"{folder} is a link; remove it")
    if is_root():
        os.chown(folder, user.uid, user.gid)
    elif folder.stat().st_uid != user.uid:
        raise RecordsError(f"{folder} belongs to another user; remove it")
    folder.chmod(0o700)


def as_user(server: RecordsServer) -> dict[str, Any]:
    return {**server.user.spawn_arguments(), "env": _ENV, "cwd": "/", "umask": 0o077}


def _initialise(server: RecordsServer) -> None:
    """Make the cluster beside its place and rename it: a killed initdb is never mistaken for a whole one."""
    unfinished = server.data.with_name("data.unfinished")
    if unfinished.exists():
        shutil.rmtree(unfinished)
    _make_private(unfinished, server.user)
    command = [str(server.runtime.program("initdb")), "-D", str(unfinished), "-U", _NAME]
    options = ["--encoding=UTF8", "--locale=C", "--auth-local=peer", "--auth-host=reject"]
    done = subprocess.run(
        [*command, *options],
        **as_user(server),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode != 0:
        raise RecordsError(f"initdb failed: {done.stderr.strip()}")
    unfinished.rename(server.data)

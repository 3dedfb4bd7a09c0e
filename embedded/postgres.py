"""Berth's own records: an embedded PostgreSQL that outlives the supervisor and is found again.

Called by the supervisor and by `berth down`. It runs as an OS user of its own, knows us by our operating-system
identity through a Unix socket in a private folder, and listens on no network address.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg2

from embedded import lives
from embedded.children import last_lines, open_log
from embedded.errors import RecordsError
from embedded.installation import Installation
from system import processes
from system.postgres_runtime import PostgresRuntime, available_majors, install_runtime
from system.processes import ProcessId
from system.users import OsUser, current_user, ensure_user, is_root

_ENV = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
_NAME = "berth"
_READY_SECONDS = 30.0
_LONGEST_SOCKET = 107
_HBA = "local all all peer map=berth\n"
# Statements are not logged: a failing one may carry a value that is nobody's business.
_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}


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


def database_url(installation: Installation) -> str:
    """No password in it: the server knows us by our operating-system identity."""
    return f"postgresql://{_NAME}@/{_NAME}?host={quote(str(socket_folder(installation)), safe='')}"


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
    _write_public(server.access / "ident.conf", f"berth {current_user().name} {_NAME}\n")
    return server


def running(data: Path) -> ProcessId | None:
    """The living server on this data directory. The pid file alone proves nothing: pids are used again."""
    pid = _recorded_pid(data)
    process = lives.identify(pid) if pid is not None else None
    return process if process is not None and _works_in(data, process) else None


def start(server: RecordsServer) -> ProcessId:
    """Start it, or find it running. Returns once it accepts connections and has Berth's database."""
    process = running(server.data)
    if process is None:
        _clear_remains(server.data)
        process = _launch(server)
    _await_ready(server, process)
    try:
        _ensure_database(server)
    except psycopg2.Error as error:
        raise RecordsError(f"PostgreSQL runs but refuses us: {str(error).strip()}; see {server.log}") from error
    return process


def server_id(url: str) -> str | None:
    """The id that the migration gave to these records; None when there is none to be read."""
    try:
        connection = psycopg2.connect(url.replace("+psycopg2", "", 1), connect_timeout=5)
    except psycopg2.Error:
        return None
    try:
        cursor = connection.cursor()
        cursor.execute("select value from meta where key = 'server_id'")
        row = cursor.fetchone()
        return str(row[0]) if row is not None else None
    except psycopg2.Error:
        return None
    finally:
        connection.close()


def stop(data: Path) -> bool:
    """Stop it, cleanly when it can; whether nothing runs on this data directory afterwards."""
    process = running(data)
    if process is None:
        return True
    return lives.end(process, (signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 5.0))


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


def _as_user(server: RecordsServer) -> dict[str, Any]:
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
        **_as_user(server),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode != 0:
        raise RecordsError(f"initdb failed: {done.stderr.strip()}")
    unfinished.rename(server.data)


def _launch(server: RecordsServer) -> ProcessId:
    settings = [f"-c{name}={value}" for name, value in _SETTINGS.items()]
    place: list[str] = [
        "-D",
        str(server.data),
        "-k",
        str(server.sockets),
        f"-ccluster_name=berth-{server.installation.id}",
    ]
    access = [f"-chba_file={server.access / 'hba.conf'}", f"-cident_file={server.access / 'ident.conf'}"]
    log = open_log(server.log)
    try:
        child = subprocess.Popen(
            [str(server.runtime.program("postgres")), *place, *access, *settings],
            **_as_user(server),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # it outlives us: records must not die with the supervisor
        )
    finally:
        os.close(log)
    identity = lives.identify(child.pid)
    child.returncode = 0  # it is not ours to wait for; `reap` collects it should it end before us
    if identity is None:
        raise _did_not_start(server)
    return identity


def reap(process: ProcessId) -> None:
    """Collect the server's exit when it was our child, so that its pid is free at once."""
    try:
        os.waitpid(process.pid, os.WNOHANG)
    except ChildProcessError:
        return


def _await_ready(server: RecordsServer, process: ProcessId) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        try:
            lines = (server.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            lines = []
        if len(lines) >= 8 and lines[0].strip() == str(process.pid) and lines[7].strip() == "ready":
            return
        if not lives.is_alive(process):
            reap(process)
            raise _did_not_start(server)
        time.sleep(0.01)
    raise RecordsError(f"PostgreSQL did not become ready in {_READY_SECONDS:.0f} s; see {server.log}")


def _did_not_start(server: RecordsServer) -> RecordsError:
    return RecordsError(f"PostgreSQL did not start; the last lines of {server.log}:\n{last_lines(server.log)}")


def _ensure_database(server: RecordsServer) -> None:
    url = database_url(server.installation)
    try:
        psycopg2.connect(url, connect_timeout=5).close()
    except psycopg2.OperationalError:
        connection = psycopg2.connect(url.replace(f"/{_NAME}?", "/postgres?"), connect_timeout=5)
        try:
            connection.autocommit = True
            connection.cursor().execute(f"CREATE DATABASE {_NAME}")
        finally:
            connection.close()


def _recorded_pid(data: Path) -> int | None:
    try:
        return int((data / "postmaster.pid").read_text().split("\n", 1)[0])
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


def _works_in(data: Path, process: ProcessId) -> bool:
    """PostgreSQL's processes make the data directory their working directory."""
    facts = processes.find(process)
    if facts is None or facts.uid != data.stat().st_uid or processes.working_directory(process) != data.resolve():
        return False
    try:
        return Path(f"/proc/{process.pid}/exe").readlink().name == "postgres"
    except OSError:
        return False


def _clear_remains(data: Path) -> None:
    """Wait for what a killed server left behind, then drop a pid file that names somebody else's process.

    A zombie postmaster and orphaned backends go by themselves in a second or two; PostgreSQL would refuse to
    start meanwhile. With a backend still at work the pid file stays: it is what protects the data.
    """
    deadline = time.monotonic() + 5.0
    owner = data.stat().st_uid
    while _is_zombie(_recorded_pid(data)) or any(_works_in(data, facts.id) for facts in processes.every(owner)):
        if time.monotonic() > deadline:
            raise RecordsError(f"processes of a killed PostgreSQL still use {data}; try again in a moment")
        time.sleep(0.05)
    (data / "postmaster.pid").unlink(missing_ok=True)


def _is_zombie(pid: int | None) -> bool:
    return pid is not None and lives.is_zombie(pid)

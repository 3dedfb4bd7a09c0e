"""Berth's own records: an embedded PostgreSQL that outlives the supervisor and is found again.

Called by the supervisor and by `berth down`. It runs as an OS user of its own, knows us by our operating-system
identity through a Unix socket in a private folder, and listens on no network address.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import closing
from pathlib import Path

import psycopg2

from db.grants import MAKE
from embedded import lives
from embedded.children import last_lines, open_log
from embedded.cluster import RecordsServer, as_user, database_url
from embedded.errors import RecordsError
from system import processes
from system.processes import ProcessId

_NAME = "berth"
_READY_SECONDS = 60.0
_CONNECT_SECONDS = 20
_REMAINS_SECONDS = 30.0
_READ_ACCESS_AGAIN = "select pg_reload_conf()"
"""A server that was found running was started with the files of another time."""
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
        _ensure_application(server)
    except psycopg2.Error as error:
        raise RecordsError(f"PostgreSQL runs but refuses us: {str(error).strip()}; see {server.log}") from error
    return process


def stop(data: Path) -> bool:
    """Stop it, cleanly when it can; whether nothing runs on this data directory afterwards."""
    process = running(data)
    if process is None:
        return True
    return lives.end(process, (signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 5.0))


def server_id(url: str) -> str | None:
    """The id that the migration gave to these records; None when there is none to be read."""
    try:
        return ask(url, "select value from meta where key = 'server_id'")
    except psycopg2.Error:
        return None


def ask(url: str, query: str) -> str | None:
    """The first value of the first row."""
    connection = psycopg2.connect(url.replace("+psycopg2", "", 1), connect_timeout=_CONNECT_SECONDS)
    try:
        cursor = connection.cursor()
        cursor.execute(query)
        row = cursor.fetchone()
        return str(row[0]) if row is not None else None
    finally:
        connection.close()


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
            **as_user(server),
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


def _ensure_application(server: RecordsServer) -> None:
    """The API's role. What it may do with the tables is for whoever makes them to say."""
    url = database_url(server.installation)
    with closing(psycopg2.connect(url, connect_timeout=_CONNECT_SECONDS)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(MAKE)
            cursor.execute(_READ_ACCESS_AGAIN)


def _ensure_database(server: RecordsServer) -> None:
    url = database_url(server.installation)
    try:
        psycopg2.connect(url, connect_timeout=_CONNECT_SECONDS).close()
    except psycopg2.OperationalError:  # it is not there, or the server took too long to answer
        connection = psycopg2.connect(url.replace(f"/{_NAME}?", "/postgres?"), connect_timeout=_CONNECT_SECONDS)
        try:
            connection.autocommit = True
            cursor = connection.cursor()
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (_NAME,))
            if cursor.fetchone() is None:
                cursor.execute(f"CREATE DATABASE {_NAME}")
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
    deadline = time.monotonic() + _REMAINS_SECONDS
    owner = data.stat().st_uid
    while _is_zombie(_recorded_pid(data)) or any(_works_in(data, facts.id) for facts in processes.every(owner)):
        if time.monotonic() > deadline:
            raise RecordsError(f"processes of a killed PostgreSQL still use {data}; try again in a moment")
        time.sleep(0.05)
    (data / "postmaster.pid").unlink(missing_ok=True)


def _is_zombie(pid: int | None) -> bool:
    return pid is not None and lives.is_zombie(pid)

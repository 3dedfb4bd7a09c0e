"""`berth down`: stop what `berth up` started, and with `--purge` remove every trace of this installation.

Instances outlive a plain `down`, as they outlive the supervisor. Only processes whose recorded identity holds are
ended, and whatever else runs as an OS user that this installation made.
"""

from __future__ import annotations

import os
import pwd
import signal
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import psycopg2
import psycopg2.errors

from embedded import cluster, lives, postgres
from embedded.errors import LocalError, StillHeldError
from embedded.installation import Installation, read_record, remove_files
from embedded.state import end_remains, known_servers, load_state, locked
from providers.process.members import all_signed
from providers.process.users import user_prefix
from system.processes import ProcessId, every, find, send_signal
from system.users import is_root, remove_user

_SUPERVISOR_SECONDS = 90.0
_ELSEWHERE = """
    select coalesce(string_agg(name || ' (' || provider || ')', ', ' order by name), '')
    from (
        select name, provider from instances_runtime where provider not in ('process', 'simulated') limit 10
    ) as held
"""
_INSTANCE_STEPS = ((signal.SIGINT, 5.0), (signal.SIGTERM, 2.0), (signal.SIGKILL, 5.0))

Say = Callable[[str], None]


def down(installation: Installation, purge: bool, say: Say) -> None:
    if purge:
        _refuse_to_orphan(installation, say)
    state = load_state(installation)
    if state is not None and state.is_up():
        say(f"stopping berth up (pid {state.supervisor.pid})")
        if not lives.end(state.supervisor, (signal.SIGTERM, _SUPERVISOR_SECONDS), (signal.SIGKILL, 5.0)):
            raise LocalError(f"berth up (pid {state.supervisor.pid}) does not end, not even by SIGKILL")
    with locked(installation.data_dir):
        end_remains(installation)
        _stop_records(installation, say)
        installation.state_file.unlink(missing_ok=True)
        if purge:
            _purge(installation, say)


def _refuse_to_orphan(installation: Installation, say: Say) -> None:
    """A purge ends processes of this machine; containers, pods and machines would go on without a record."""
    held = None
    if postgres.running(installation.records / "data") is not None:
        try:
            held = postgres.ask(cluster.database_url(installation), _ELSEWHERE)
        except psycopg2.errors.UndefinedTable:
            held = ""  # it never became ready
        except psycopg2.OperationalError as error:
            say(f"the records do not answer: {str(error).strip()}")
    if held is None:
        say("what Berth holds on docker, kubernetes or ec2 was not looked at, and stays there")
    if held:
        raise StillHeldError(
            f"{held} would go on without a record: `berth delete` them first, or `berth forget` what is lost"
        )


def _stop_records(installation: Installation, say: Say) -> None:
    data = installation.records / "data"
    if postgres.running(data) is not None:
        say("stopping postgres")
    if not postgres.stop(data):
        raise LocalError(f"the PostgreSQL on {data} does not end; look at {installation.logs / 'postgres.log'}")


def _purge(installation: Installation, say: Say) -> None:
    instances = [*_recorded(installation.instance_root), *_signed(installation)]
    if instances:
        say(f"ending {len(set(instances))} instance processes")
    _end_all(instances)
    for name, uid in _users(installation):
        _end_all(facts.id for facts in every(uid))
        remove_user(name)
        say(f"removed OS user {name}")
    remove_files(installation)
    say(f"removed {installation.data_dir}" + (f" and {installation.shared}" if is_root() else ""))


def _recorded(root: Path) -> Iterator[ProcessId]:
    """The living processes that the process provider recorded below `root`."""
    for record in sorted(root.glob("*/process.json")):
        try:
            process = lives.from_record(read_record(record)["process"])
        except (KeyError, TypeError, ValueError):
            continue
        if lives.is_alive(process):
            yield process


def _signed(installation: Installation) -> Iterator[ProcessId]:
    """Those that carry one of our server ids, started by a worker that was killed before it wrote them down."""
    ours = {uid for _, uid in _users(installation)} if is_root() else {os.geteuid()}
    for server in known_servers(installation):
        yield from (member.facts.id for member in all_signed(server) if member.facts.uid in ours)


def _end_all(wanted: Iterable[ProcessId]) -> None:
    """All get each signal before any of them is waited for."""
    left = list(dict.fromkeys(wanted))
    for number, seconds in _INSTANCE_STEPS:
        for process in left:
            facts = find(process)
            if facts is not None:
                send_signal(process, facts.uid, number)
        left = [process for process in left if not lives.wait_until_gone(process, seconds)]
    if left:
        raise LocalError(f"processes do not end, not even by SIGKILL: {', '.join(str(p.pid) for p in left)}")


def _users(installation: Installation) -> list[tuple[str, int]]:
    if not is_root():
        return []
    ours = (f"{installation.user_prefix}-", *(user_prefix(server) for server in known_servers(installation)))
    return [(entry.pw_name, entry.pw_uid) for entry in pwd.getpwall() if entry.pw_name.startswith(ours)]

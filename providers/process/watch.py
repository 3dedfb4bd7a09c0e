"""Looking at an instance: its record, processes and exit code. A look changes nothing that a verb relies on."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

from domain.work import Identity
from providers.process import logs
from providers.process.locks import is_free, try_lock
from providers.process.members import Crowd, members
from providers.process.places import Place
from providers.process.record import RUNNING, Record, read_record, write_record
from providers.process.sight import Facts, Sight, alive, judge
from providers.process.users import known_uid
from system import ports, processes
from system.processes import ProcessFacts, ProcessId

_LAST_THREAD_SECONDS = 1.0
"""A dead process cannot be reaped before the last of its threads has ended, which follows at once."""
_STEP_SECONDS = 0.005


class Watch:
    """Remembers the exit codes that it reaped: the kernel tells each of them once."""

    def __init__(self, server_id: str) -> None:
        self._server_id = server_id
        self._exits: dict[ProcessId, int] = {}

    def look(self, place: Place, identity: Identity, crowd: Crowd | None = None) -> Sight:
        """`crowd`: who lived a moment ago, where many are looked at."""
        home = place.exists()
        record = read_record(place.record_file) if home else None
        main = _recorded(record)
        if main is not None and record is not None and record.carries(identity):
            return alive(main, record)  # the life lock makes a second one impossible: no need to search
        record = self._with_exit(record)  # after it was found dead: asked before, the code could be missing
        uid = self.uid(record, identity)
        unheld = is_free(place.life_lock)
        found = () if uid is None else tuple(members(place.instance_id, uid, place.data, crowd))
        # Asked again: a verb may have taken the lock and started it between the first question and the search.
        unheld = unheld and bool(found) and is_free(place.life_lock)
        port = record.port if record is not None and unheld else None
        served = port is not None and any(listener.uid == uid for listener in ports.listeners(port))
        pid_file = None if record is None else record.ending.pid_file
        left = pid_file is not None and os.path.lexists(place.data / Path(pid_file).name)
        return judge(Facts(home, record, found, left, processes.boot_id(), unheld, served), identity)

    def uid(self, record: Record | None, identity: Identity) -> int | None:
        """The user whose processes to search; None when there never was one."""
        return record.uid if record is not None else known_uid(self._server_id, identity.project)

    def reap(self, process: ProcessId) -> None:
        code = processes.reap(process)
        if code is not None:
            self._exits[process] = code

    def adopt(self, place: Place, sight: Sight) -> None:
        """Write down a process that was started past Berth, under the verb lock: its end is then told at once."""
        if not sight.by_hand or sight.main is None or sight.record is None:
            return
        record = read_record(place.record_file)
        same = record is not None and record.carries(sight.record.identity) and _recorded(record) is None
        if record is not None and same and processes.find(sight.main.id) is not None:
            write_record(place, replace(record, wanted=RUNNING, process=sight.main.id, exit_code=None))

    def keep_house(self, place: Place, sight: Sight) -> None:
        """Write down an exit code or a process, and bound the log, unless a verb is at work: then that does it."""
        handle = try_lock(place.verb_lock) if place.locks.is_dir() else None
        if handle is None:
            return
        try:
            self.adopt(place, sight)
            record = read_record(place.record_file)
            if record is not None and record.process in self._exits and record.exit_code is None:
                write_record(place, replace(record, exit_code=self._exits.pop(record.process)))
            logs.rotate(place.output)
        finally:
            os.close(handle)

    def _with_exit(self, record: Record | None) -> Record | None:
        if record is None or record.process is None or record.exit_code is not None:
            return record
        deadline = time.monotonic() + _LAST_THREAD_SECONDS
        self.reap(record.process)
        while record.process not in self._exits and _is_own_zombie(record.process) and time.monotonic() < deadline:
            time.sleep(_STEP_SECONDS)
            self.reap(record.process)
        return replace(record, exit_code=self._exits.get(record.process))


def _is_own_zombie(process: ProcessId) -> bool:
    facts = processes.look(process.pid)
    return facts is not None and facts.id == process and facts.ended and facts.parent == os.getpid()


def _recorded(record: Record | None) -> ProcessFacts | None:
    """The process that the record names, while that very one lives as the recorded user."""
    if record is None or record.process is None:
        return None
    facts = processes.find(record.process)
    return facts if facts is not None and facts.uid == record.uid else None

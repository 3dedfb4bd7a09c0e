"""The process provider's place: a directory and the processes of this machine, looked at through /proc."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import patch

import pytest

from blueprints.base import BlueprintBase
from domain.errors import ProviderErrorKind
from domain.work import Command, Home, ProcessRecipe, Resources, Secrets, Seen, Work
from providers.base import Provider
from providers.process import ProcessProvider, locks, provider
from providers.process.locks import try_lock
from providers.process.places import Place
from providers.process.record import RUNNING, Ending, Record, write_record
from system import processes
from tests.conformance.base import CANARY, BadWork, Can, Foreign, Harness, RawState, Verb
from tests.support.instances import Workshop, end_all, free_port
from tests.support.workers import wait_for
from tests.support.works import a_work, an_id, signed, verify

__all__ = ["HARNESS", "process_harness"]

_LOCAL = "its calls are system calls of this machine"
_FEW_SECONDS = 30.0
_ERRORS = {ProviderErrorKind.TRANSIENT: errno.EBUSY, ProviderErrorKind.NO_CAPACITY: errno.ENOSPC}

_PROGRAM = """
import json, os, signal, socket, sys
path = sys.argv[1]
def end(*_): sys.exit(0)
signal.signal(signal.SIGTERM, end)
signal.signal(signal.SIGHUP, lambda *_: None)
about = json.load(open(path))
for number in range(about["lines"]): print("line", number + 1, flush=True)
with socket.create_server(("127.0.0.1", about["port"])) as server:
    while True:
        with server.accept()[0] as client: client.sendall(about["id"].encode())
"""


class Lamp(BlueprintBase):
    """The least that a process can be: it tells whoever connects its id."""

    name = "lamp"

    def process_recipe(self, work: Work, home: Home) -> ProcessRecipe:
        about = {"id": work.instance_id, "port": work.port, "lines": 0, **work.params}
        keep = f"open({str(home.data / 'secret')!r}, 'w').write(sys.stdin.read())"
        return ProcessRecipe(
            runtime=work.params.get("runtime", "python"),
            run=Command("python3", ("-I", "-S", str(home.conf / "lamp.py"), str(home.conf / "about.json"))),
            files={"lamp.py": _PROGRAM, "about.json": json.dumps(about)},
            initialise=(Command("python3", ("-I", "-S", "-c", f"import sys; {keep}"), work.secrets["password"]),),
            stop_seconds=15.0,  # nobody is to be killed because the machine stood still
            reload_signal=signal.SIGHUP,
        )


def open_process(base: Path, server_id: str) -> Provider:
    return ProcessProvider(
        root=base / "instances",
        runtime_root=base.parent / "runtime",
        server_id=server_id,
        host_id="host_test",
        verify=verify,
    )


class ProcessHarness(Harness):
    name = "process"
    marks = (pytest.mark.processes,)
    lacks: ClassVar[Mapping[Can, str]] = {
        Can.BE_UNREACHABLE: "it is this machine",
        Can.HANG_LOOKS: "a look reads small files of this machine",
        Can.HOLD_TWINS: "the life lock lets one process live, and what is recorded is the instance",
        Can.REFUSE_THROTTLED: _LOCAL,
        Can.REFUSE_QUOTA: _LOCAL,
        Can.REFUSE_AUTH: _LOCAL,
    }

    def __init__(self, workshop: Workshop) -> None:
        self._base = workshop.base
        self.server_id = workshop.server_id
        # The same end: OS users are named after it, and the fixture removes those.
        self.other_server_id = os.urandom(4).hex() + workshop.server_id[-8:]

    def opener(self, server_id: str) -> Callable[[], Provider]:
        return partial(open_process, self._base, server_id)

    def work(self, **changes: Any) -> Work:
        given = {
            "server_id": self.server_id,
            "blueprint": "lamp",
            "recipes": Lamp(),
            "port": free_port(),
            "secrets": Secrets(password=CANARY),
            **changes,
        }
        return a_work(**given)

    def changed(self, work: Work) -> Work:
        return replace(work, params={**work.params, "colour": "green"}, resources=Resources(memory_mb=64))

    def objects(self, work: Work) -> Sequence[str]:
        place = self._place(work)
        homes = [str(place.home)] if place.home.exists() else []
        pids = [f"pid {pid}" for pid in self._mains(work)]
        return homes + (pids[1:] if homes else pids)

    def remains(self, work: Work) -> Sequence[str]:
        place = self._place(work)
        paths = (place.home, place.creating, place.deleting, place.verb_lock, place.life_lock)
        return [str(path) for path in paths if os.path.lexists(path)] + [f"pid {pid}" for pid in self._pids(work)]

    def fingerprint(self, work: Work) -> object:
        place = self._place(work)
        return self._pids(work), [
            (str(path), found.st_mode, found.st_uid, found.st_size, found.st_mtime_ns)
            for top in (place.home, place.creating, place.deleting)
            for path in sorted(top.rglob("*"))
            if path.name != "output.log"
            for found in [path.lstat()]
        ]

    def shows(self, work: Work) -> bool:
        about = json.loads((self._place(work).home / "conf" / "about.json").read_text())
        return bool(about.get("colour") == work.params.get("colour"))

    def exposed(self, work: Work) -> str:
        folders = [Path("/proc", str(pid)) for pid in self._pids(work)]
        return repr([(folder / name).read_bytes() for folder in folders for name in ("cmdline", "environ")])

    def run_id(self, work: Work) -> str:
        (pid,) = self._mains(work)
        return str(processes.look(pid))

    def write(self, work: Work, text: str) -> None:
        (self._place(work).data / "kept").write_text(text)

    def read(self, work: Work) -> str:
        return (self._place(work).data / "kept").read_text()

    def chatty(self) -> Work:
        return self.work(params={"lines": 50})

    def leads_to(self, work: Work, host: str, port: int) -> bool:
        with socket.create_connection((host, port), timeout=20) as client:
            return client.recv(100).decode() == work.instance_id

    def vanish(self, work: Work) -> None:
        self.signalled(work, signal.SIGKILL)
        shutil.rmtree(self._place(work).home)

    def plant(self, work: Work, kind: Foreign) -> None:
        other = signed(replace(work.identity, instance_id=an_id("ins")))
        planted = replace(work.identity, signature="" if kind is Foreign.UNSIGNED else other.signature)
        self._place(work).home.mkdir(parents=True)
        write_record(self._place(work), Record(planted, os.geteuid(), work.port, RUNNING, Ending()))

    @contextmanager
    def lose_answer(self, verb: Verb, work: Work) -> Iterator[None]:
        """The worker's disk fails right after the effect."""
        step = {"stop": "end", "modify": "write_files", "delete": "discard"}.get(verb, "write_record")
        original, met = getattr(provider, step), list[Verb]()

        def both(place: Any, *rest: Any) -> None:
            original(place, *rest)
            if not met and (step != "write_record" or rest[0].process is not None):
                met.append(verb)
                raise OSError(errno.EIO, "input/output error")

        with patch.object(provider, step, both):
            yield
        assert met, f"{verb} never came to {step}"

    @contextmanager
    def refuse(self, verb: Verb, work: Work, kind: ProviderErrorKind, times: int = 1) -> Iterator[None]:
        step = {"create": "build", "delete": "discard", "stop": "end", "restart": "end"}.get(verb, "write_files")
        original, left = getattr(provider, step), [1] * times

        def refused(*arguments: Any) -> None:
            if left:
                left.pop()
                raise OSError(_ERRORS[kind], "refused by the harness")
            original(*arguments)

        with patch.object(provider, step, refused):
            yield

    @contextmanager
    def hang(self, verb: Verb, work: Work) -> Iterator[None]:
        """Another attempt holds the instance and does not end."""
        place = self._place(work)
        place.locks.mkdir(parents=True, exist_ok=True)
        handle = try_lock(place.verb_lock)
        assert handle is not None
        try:
            with patch.object(locks, "_PATIENCE_SECONDS", 0.5):
                yield
        finally:
            os.close(handle)

    def signalled(self, work: Work, number: int) -> None:
        (pid,) = self._mains(work)
        facts = processes.look(pid)
        assert facts is not None
        os.kill(pid, number)
        if number == signal.SIGSTOP:
            wait_for(lambda: self._paused(pid), _FEW_SECONDS, f"pid {pid} is not paused")
        else:
            wait_for(lambda: processes.find(facts.id) is None, _FEW_SECONDS, f"pid {pid} does not end")

    def _paused(self, pid: int) -> bool:
        facts = processes.look(pid)
        return facts is not None and facts.paused

    def _place(self, work: Work) -> Place:
        return Place(self._base / "instances", work.instance_id)

    def _mains(self, work: Work) -> list[int]:
        """Every process that runs the lamp of this instance, whoever started it."""
        return [pid for pid in self._pids(work) if b"lamp.py" in Path("/proc", str(pid), "cmdline").read_bytes()]

    def _pids(self, work: Work) -> list[int]:
        wanted = f"BERTH_INSTANCE_ID={work.instance_id}\0".encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if wanted in (folder / "environ").read_bytes() and not processes_ended(int(folder.name)):
                    found.append(int(folder.name))
            except OSError:
                continue
        return sorted(found)

    raw_states: ClassVar[Sequence[RawState]] = (
        RawState("paused", Seen.TRANSIENT, lambda h, w: h.signalled(w, signal.SIGSTOP), "paused"),
        RawState("killed", Seen.DOWN, lambda h, w: h.signalled(w, signal.SIGKILL), "exit code 137"),
        RawState("ended", Seen.DOWN, lambda h, w: h.signalled(w, signal.SIGTERM), "exit code 0"),
        RawState("aborted", Seen.CRASHED, lambda h, w: h.signalled(w, signal.SIGABRT), "exit code 134"),
    )
    bad_works: ClassVar[Sequence[BadWork]] = (
        BadWork(
            "no-such-runtime",
            ProviderErrorKind.INVALID,
            lambda h: h.work(params={"runtime": "cobol"}),
            "no runtime 'cobol'",
        ),
    )


def processes_ended(pid: int) -> bool:
    facts = processes.look(pid)
    return facts is None or facts.ended


HARNESS = ProcessHarness


@pytest.fixture
def process_harness(workshop: Workshop) -> Iterator[ProcessHarness]:
    harness = ProcessHarness(workshop)
    yield harness
    end_all(harness.other_server_id)

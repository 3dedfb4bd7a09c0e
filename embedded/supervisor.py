"""`berth up`: start every part of Berth as a child process, keep it alive, and end it in order.

PostgreSQL outlives a killed supervisor and is found again; the other children die with it. One thread only:
children are tied to the thread that spawned them, and so every wait goes through `Signals`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from embedded import lives, postgres, probe, temporal
from embedded.children import Child, last_lines
from embedded.errors import ChildFailedError, NotReadyError
from embedded.installation import open_installation, prepare_directory, read_record
from embedded.plan import Plan, make_plan, ports_text, python_child, save_ports, temporal_child
from embedded.records import Records
from embedded.report import Ready, Report
from embedded.shell import link_programs
from embedded.signals import Signals
from embedded.state import State, end_remains, locked, note_server, save_state
from embedded.temporal_cli import obtain
from embedded.watch import Watch
from settings import Settings
from system.processes import ProcessId

_TICK = 0.05
_STEADY_TICK = 0.5
_LOG_LOOK_SECONDS = 60.0
_DEATHS_BEFORE_READY = 3
_DRAIN_SECONDS = {"worker": 30.0, "api": 10.0}
TARGETS: Mapping[str, str] = {
    "schema": "db.migrate:main",
    "api": "embedded.serve_api:main",
    "worker": "worker:main",
}
_PROVIDERS_SECONDS = 30.0
"""How long a worker's first look at the providers may take before it is told as it is."""
_END_ORDER = ("worker", "api", "temporal")


@dataclass(frozen=True)
class Options:
    data_dir: Path
    port: int | None = None
    timeout: float = 60.0
    targets: Mapping[str, str] = field(default_factory=lambda: TARGETS)
    """What each Python child runs, as module:function."""


def up(settings: Settings, options: Options, report: Report) -> None:
    """Run until asked to stop. Raises with cause and fix when Berth cannot become ready."""
    report.header(_version(), options.data_dir)
    prepare_directory(options.data_dir)
    with locked(options.data_dir):
        installation = open_installation(options.data_dir)
        end_remains(installation)
        plan = make_plan(settings, installation, options.port, read_record(installation.ports_file))
        save_ports(plan)
        report.step("ports", ports_text(plan))
        try:
            save_state(installation, _state(plan, {}, None))
            program = None
            if plan.own_temporal:
                program = obtain(settings.temporal_cli, settings.cache_dir, report.note)
            with Signals() as signals:
                Supervisor(plan, program, signals, report, options.targets).run(options.timeout)
        finally:
            installation.state_file.unlink(missing_ok=True)


class Supervisor:
    def __init__(
        self, plan: Plan, program: Path | None, signals: Signals, report: Report, targets: Mapping[str, str]
    ) -> None:
        self._targets = targets
        self._plan = plan
        self._program = program
        self._signals = signals
        self._report = report
        self._watch = Watch(signals, self._restarted)
        self._records = Records(plan.installation, self._restarted)
        self._fresh = plan.fresh_marker
        self._facts: Ready | None = None
        self._began = datetime.now(UTC).isoformat()

    def run(self, timeout: float) -> None:
        try:
            self._start(time.monotonic() + timeout)
            if not self._signals.stop_requests:
                self._announce()
                self._attend()
        finally:
            self._end()

    def _start(self, deadline: float) -> None:
        """Everything loads at the same time; each part begins when those it needs are there."""
        if self._program is not None:
            self._watch.start("temporal", self._temporal_child)
        schema = python_child(self._plan, "schema", self._targets["schema"], fresh_temporal=False)
        self._watch.run_once(schema, before=self._start_records)
        if self._signals.stop_requests:
            return
        server = postgres.server_id(self._plan.database_url)
        if server is not None:
            note_server(self._plan.installation, server)
        self._report.step("schema", "at head")
        self._watch.open_gate("api")
        if self._program is not None:
            namespace = self._plan.settings.temporal_namespace
            self._await(lambda: temporal.answers(self._plan.temporal_ports, namespace), "temporal", deadline)
            self._report.step(
                "temporal", f"dev server, history kept in {self._plan.installation.temporal_db.name}"
            )
        self._watch.open_gate("worker")
        self._await(lambda: probe.is_ready(self._plan.url), "api or worker", deadline)
        if self._signals.stop_requests:
            return
        self._fresh.unlink(missing_ok=True)
        self._report.step("worker", "polling; api ready")

    def _start_records(self) -> None:
        for name in ("api", "worker"):
            self._watch.start(name, self._maker(name))
        self._save()
        if self._plan.own_records:
            runtime = self._records.start().runtime
            link_programs(self._plan.installation, self._program, runtime)
            self._report.step("postgres", f"embedded {runtime.version} (set DATABASE_URL to use yours)")
        else:
            link_programs(self._plan.installation, self._program, None)
            self._report.step("postgres", "yours, from DATABASE_URL")

    def _announce(self) -> None:
        self._facts = Ready(
            url=self._plan.url,
            temporal_ui=self._plan.temporal_ui,
            temporal_address=self._plan.temporal_address,
            data_dir=self._plan.installation.data_dir,
            seconds=self._report.seconds(),
            pids=self._pids(),
        )
        self._save()
        pages = probe.pages(self._plan.url, self._plan.installation.token_file)
        if self._plan.temporal_ui:
            pages["Temporal"] = self._plan.temporal_ui
        self._report.ready(self._facts, pages)

    def _attend(self) -> None:
        next_log_look = time.monotonic() + _LOG_LOOK_SECONDS
        providers_until = time.monotonic() + _PROVIDERS_SECONDS
        while not self._signals.stop_requests:
            self._look()
            if providers_until and self._told_providers(last=time.monotonic() > providers_until):
                providers_until = 0.0
            self._signals.wait(_STEADY_TICK)
            if time.monotonic() > next_log_look:
                next_log_look = time.monotonic() + _LOG_LOOK_SECONDS
                self._watch.bound_logs()
                self._records.bound_log()

    def _told_providers(self, *, last: bool) -> bool:
        """Say which providers can be used, once this worker has tried them; one that cannot is no trouble."""
        found = probe.providers(self._plan.url, self._plan.installation.token_file)
        told_at = [place["checked_at"] for provider in found for place in provider["places"]]
        if not last and max(told_at, default="") < self._began:
            return False
        usable = [provider["name"] for provider in found if provider["available"]]
        self._report.step("providers", " ".join(usable) or "none can be used now")
        for provider in found:
            if not provider["available"]:
                self._report.note(f"{provider['name']} not available: {provider['reason']}")
        return True

    def _end(self) -> None:
        self._report.note("stopping; data is kept")
        self._watch.end_all(_END_ORDER)
        self._records.stop()

    def _await(self, answered: Callable[[], bool], what: str, deadline: float) -> None:
        while not self._signals.stop_requests and not answered():
            self._look()
            for name, running in self._watch.running().items():
                if self._watch.deaths(name) >= _DEATHS_BEFORE_READY:
                    raise ChildFailedError(_with_log(f"{name} keeps ending before Berth is ready", running.child))
            if time.monotonic() > deadline:
                raise NotReadyError(self._why_not_ready(what))
            self._signals.wait(_TICK)

    def _look(self) -> None:
        self._records.look()
        self._watch.look()

    def _why_not_ready(self, what: str) -> str:
        logs = self._plan.installation.logs
        cause = probe.complaint(self._plan.url) or f"{what} did not answer"
        return f"not ready in time: {cause}. The logs are in {logs}; a longer --timeout helps on a slow machine"

    def _restarted(self, name: str, pid: int | None, why: str) -> None:
        self._report.child_restarted(name, pid, why)
        self._save()

    def _maker(self, name: str) -> Callable[[], Child]:
        target, drain = self._targets[name], _DRAIN_SECONDS[name]
        return lambda: python_child(self._plan, name, target, self._fresh.exists(), drain)

    def _temporal_child(self) -> Child:
        """A database that is not there is made anew: those who remember the old one must be told."""
        assert self._program is not None
        if not self._plan.installation.temporal_db.exists():
            self._fresh.touch(mode=0o600)
            for name in ("api", "worker"):
                self._watch.restart(name)
        return temporal_child(self._plan, self._program)

    def _pids(self) -> dict[str, int | None]:
        children = {name: running.pid for name, running in self._watch.running().items()}
        pids = {"supervisor": os.getpid(), "postgres": self._records.pid}
        return pids | {name: children.get(name) for name in ("temporal", "worker", "api")}

    def _save(self) -> None:
        facts = self._facts.as_record() | {"pids": self._pids()} if self._facts is not None else None
        children = {name: running.identity for name, running in self._watch.running().items()}
        save_state(self._plan.installation, _state(self._plan, children, facts))


def _state(plan: Plan, children: Mapping[str, ProcessId], ready: Mapping[str, Any] | None) -> State:
    me = lives.identify(os.getpid())
    assert me is not None
    return State(
        supervisor=me,
        url=plan.url,
        children=children,
        ready=ready,
        own_database=plan.own_records,
        temporal_address=plan.temporal_address,
        temporal_namespace=plan.settings.temporal_namespace,
    )


def _with_log(text: str, child: Child) -> str:
    return f"{text}; the last lines of {child.log}:\n{last_lines(child.log)}"


def _version() -> str:
    try:
        return version("berth")
    except PackageNotFoundError:
        return "from a source tree"

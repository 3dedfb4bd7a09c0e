"""Keep a set of children alive, and end them in order. Called by the supervisor's loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from embedded.children import Backoff, Child, Running, bound_log, last_lines
from embedded.errors import ChildFailedError
from embedded.signals import Signals

Restarted = Callable[[str, int | None, str], None]
_TICK = 0.05


class Watch:
    """`makers` give a child's description anew at each start, because its environment may have changed."""

    def __init__(self, signals: Signals, restarted: Restarted) -> None:
        self._signals = signals
        self._restarted = restarted
        self._makers: dict[str, Callable[[], Child]] = {}
        self._running: dict[str, Running] = {}
        self._backoff: dict[str, Backoff] = {}
        self._open: set[str] = set()
        self._why: dict[str, str] = {}

    def start(self, name: str, make: Callable[[], Child]) -> None:
        self._makers[name] = make
        self._backoff[name] = Backoff()
        self._running[name] = Running(make())

    def open_gate(self, name: str) -> None:
        self._open.add(name)
        if name in self._running:
            self._running[name].open_gate()

    def running(self) -> dict[str, Running]:
        return dict(self._running)

    def deaths(self, name: str) -> int:
        return self._backoff[name].deaths

    def restart(self, name: str) -> None:
        """Ask a living child to end; the next look starts it again."""
        if name in self._running:
            self._running[name].ask_to_end()

    def look(self) -> None:
        """Start again what has died and is due."""
        for name, make in self._makers.items():
            self._collect(name)
            if name not in self._running and self._backoff[name].is_due():
                self._start_again(name, make)

    def run_once(self, child: Child, before: Callable[[], None]) -> None:
        """Run a gated one-time child to its end; `before` is what must be there first."""
        running = Running(child)
        try:
            before()
            running.open_gate()
            while running.exit_code() is None:
                self._signals.wait(_TICK)
                if self._signals.stop_requests:
                    return
            if running.exit_code() != 0:
                raise ChildFailedError(
                    f"{child.name} failed; the last lines of {child.log}:\n{last_lines(child.log)}"
                )
        finally:
            running.kill()
            running.wait(5.0)

    def end_all(self, order: Iterable[str]) -> None:
        """Drain one after the other. A second request to stop kills what is left at once."""
        seen = self._signals.stop_requests
        for name in order:
            running = self._running.pop(name, None)
            if running is None or running.exit_code() is not None:
                continue
            running.ask_to_end()
            deadline = time.monotonic() + running.child.drain_seconds
            while running.exit_code() is None and time.monotonic() < deadline:
                self._signals.wait(_TICK)
                if self._signals.stop_requests > max(seen, 1):
                    break
            running.kill()
            running.wait(5.0)

    def bound_logs(self) -> None:
        for running in self._running.values():
            bound_log(running.child.log)

    def _collect(self, name: str) -> None:
        running = self._running.get(name)
        code = running.exit_code() if running is not None else None
        if running is None or code is None:
            return
        del self._running[name]
        self._backoff[name].died(time.monotonic() - running.started_at)
        self._why[name] = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"

    def _start_again(self, name: str, make: Callable[[], Child]) -> None:
        running = self._running[name] = Running(make())
        if name in self._open:
            running.open_gate()
        self._restarted(name, running.pid, self._why[name])

"""Stopping and removing a container, with proof. Every wait is bounded and can be cancelled."""

from __future__ import annotations

import time
from collections.abc import Callable

from domain.errors import ProviderError, ProviderErrorKind
from domain.work import Call
from providers.docker.container import PAUSED, Container, container_of
from providers.docker.engine import Api, Engine

_KILL_SECONDS = 10.0
_REMOVE_SECONDS, _DOUBTFUL_SECONDS = 20.0, 2.0
_FIRST_STEP, _LONGEST_STEP = 0.02, 0.25


def stop(engine: Engine, container: Container, call: Call, *, at_most: float | None = None) -> Container | None:
    """Ask with its own signal, then kill. Returns it as it is afterwards, None when it is gone."""
    seconds = container.stop_seconds if at_most is None else min(container.stop_seconds, at_most)
    for number, patience in ((container.stop_signal, seconds), ("SIGKILL", _KILL_SECONDS)):
        now = _inspect(engine, container.id)
        if now is None or not now.lives:
            return now
        _signal(engine, now, number, call)
        if _wait(lambda: _dead(engine, container.id), patience, call):
            return _inspect(engine, container.id)
        call.progress(f"it did not end within {patience:g} s of {number}")
    raise ProviderError(
        ProviderErrorKind.TRANSIENT, f"container {container.name} does not end, not even when killed"
    )


def remove(engine: Engine, container: Container, call: Call) -> None:
    """Returns when the daemon says that it is not there. Its anonymous volumes go with it, named ones stay."""
    failure: ProviderError | None = None
    try:
        _unless_gone(engine, call, lambda api: api.remove_container(container.id, v=True, force=True))
    except ProviderError as error:
        if not error.retryable:
            raise
        failure = error  # being removed already, or the answer was lost: what counts is whether it is there
    patience = _REMOVE_SECONDS if failure is None else _DOUBTFUL_SECONDS
    if not _wait(lambda: _inspect(engine, container.id) is None, patience, call):
        still = f"container {container.name} is still there"
        raise failure or ProviderError(ProviderErrorKind.TRANSIENT, still)


def _signal(engine: Engine, container: Container, number: str, call: Call) -> None:
    """A paused container takes the signal when it goes on, which some daemons see to with the signal itself."""
    try:
        _unless_gone(engine, call, lambda api: api.kill(container.id, signal=number))
    except ProviderError:
        if not _dead(engine, container.id):  # it ended on its own just before
            raise
    if container.state == PAUSED:
        _go_on(engine, container, call)


def _go_on(engine: Engine, container: Container, call: Call) -> None:
    try:
        _unless_gone(engine, call, lambda api: api.unpause(container.id))
    except ProviderError:
        now = _inspect(engine, container.id)
        if now is not None and now.state == PAUSED:
            raise


def _unless_gone(engine: Engine, call: Call, change: Callable[[Api], object]) -> None:
    try:
        engine.act(call, change)
    except ProviderError as error:
        if error.kind is not ProviderErrorKind.NOT_FOUND:
            raise


def _dead(engine: Engine, container_id: str) -> bool:
    found = _inspect(engine, container_id)
    return found is None or not found.lives


def _inspect(engine: Engine, container_id: str) -> Container | None:
    found = engine.find(lambda api: api.inspect_container(container_id))
    return None if found is None else container_of(found)


def _wait(done: Callable[[], bool], seconds: float, call: Call) -> bool:
    deadline, step = time.monotonic() + seconds, _FIRST_STEP
    while not done():
        if time.monotonic() > deadline:
            return False
        call.sleep(step)
        step = min(step * 1.5, _LONGEST_STEP)
    return True

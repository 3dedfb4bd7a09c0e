"""The worker with one fault in one activity: `python -m tests.support.faulty_worker`. No product code knows of it.

The order lies as `fault.json` in the data directory: `{"activity", "how"}`. It is carried out once, by whichever
worker runs that activity first; `fault.fired` tells that it was.

A killed worker is followed by the next at once: what is imported stays in a parent that only forks and waits,
because on a busy machine the imports of a hundred workers would take longer than all that is tried here.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor, Worker

import worker
from agent import serving
from db.session import Tx

_FOLDER = Path(os.environ["BERTH_DATA_DIR"])
_KILL_IN = "kill in "
_PR_SET_PDEATHSIG = 1


class Faults(Interceptor):
    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        return _Inbound(super().intercept_activity(next))


class _Inbound(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        how = _take(activity.info().activity_type)
        if how is None:
            return await super().execute_activity(input)
        if how == "fail before":
            raise ApplicationError("the test lets it fail before it begins")
        if how == "kill before":
            die()
        if how.startswith(_KILL_IN):
            _kill_at_transaction(int(how.removeprefix(_KILL_IN)))
        result = await super().execute_activity(input)
        if how == "twice":
            result = await super().execute_activity(input)
        if how == "kill after":
            die()
        if how == "fail after":
            raise ApplicationError("the test loses the answer")
        return result


def _take(name: str) -> str | None:
    """The order, if it is for this activity and nobody had it yet."""
    order = _FOLDER / "fault.json"
    try:
        found = json.loads(order.read_text())
    except FileNotFoundError:
        return None
    if found["activity"] != name:
        return None
    how = str(found["how"])
    if how.startswith(_KILL_IN):
        order.rename(_FOLDER / "fault.waiting")
    else:
        order.rename(_FOLDER / "fault.fired")
    return how


def _kill_at_transaction(number: int) -> None:
    """Die inside the activity: all is written in its n-th transaction, and nothing of it committed."""
    finish = Tx._finish
    seen = 0

    def dying(tx: Tx) -> None:
        nonlocal seen
        finish(tx)
        if threading.current_thread().name.startswith("activity"):
            seen += 1
            if seen == number:
                (_FOLDER / "fault.waiting").rename(_FOLDER / "fault.fired")
                die()

    setattr(Tx, "_finish", dying)  # noqa: B010 - not ours to declare


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _with_faults(*given: Any, interceptors: Sequence[Interceptor] = (), **options: Any) -> Worker:
    """The worker's own interceptors stay: what they record belongs to what is tried here."""
    return Worker(*given, interceptors=[Faults(), *interceptors], **options)


def main() -> None:
    setattr(serving, "Worker", _with_faults)  # noqa: B010 - not ours to declare
    parent = os.getpid()
    while True:
        child = os.fork()
        if child == 0:
            _end_with(parent)
            worker.main([])
        if not os.WIFSIGNALED(os.waitpid(child, 0)[1]):
            sys.exit("the worker ended by itself")


def _end_with(parent: int) -> None:
    """Nobody is left behind when the parent is killed."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


if __name__ == "__main__":
    main()

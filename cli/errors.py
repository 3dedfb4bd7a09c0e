"""What a command can end with: the exit codes, and errors that know theirs.

CliError                     shown as one card on standard error
├── UsageProblem       2     the command line or a document is wrong
├── Unreachable        6     nobody answers, or the answer is 'not now'
├── ApiProblem         *     the API refused; its problem+json decides the code
└── WaitTimedOut       124   the operation goes on without us

A failed operation is a result, not an error: `cli.following` returns code 1 for it.
Raised everywhere in `cli`, translated in `cli.session` only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import IntEnum
from typing import Any


class ExitCode(IntEnum):
    """Documented in `berth --help`; scripts rely on them."""

    OK = 0
    FAILED = 1
    USAGE = 2
    AUTH = 3
    NOT_FOUND = 4
    CONFLICT = 5
    UNAVAILABLE = 6
    CHANGES = 10
    TIMED_OUT = 124
    INTERRUPTED = 130
    READER_GONE = 141


_NAMED = re.compile(r"/api/v1/(?:instances|deployments)/([A-Za-z0-9_-]+)")
_MENDS = {"deletion-protected": "unprotect", "on-hold": "unsuspend"}
"""Problem code to the command that lifts what stands in the way."""

_ENDS = {"unsuspend": "unsuspend", "maintenance_off": "maintenance off"}
"""What is allowed only where something was set apart, to the command for it."""

_BY_STATUS = {
    400: ExitCode.USAGE,
    401: ExitCode.AUTH,
    403: ExitCode.AUTH,
    404: ExitCode.NOT_FOUND,
    409: ExitCode.CONFLICT,
    410: ExitCode.NOT_FOUND,
    412: ExitCode.CONFLICT,
    413: ExitCode.USAGE,
    415: ExitCode.USAGE,
    422: ExitCode.USAGE,
    428: ExitCode.CONFLICT,
    429: ExitCode.UNAVAILABLE,
    502: ExitCode.UNAVAILABLE,
    503: ExitCode.UNAVAILABLE,
    504: ExitCode.UNAVAILABLE,
}


class CliError(Exception):
    """One failure with everything a person needs: what, why, and what to do now."""

    def __init__(self, title: str, *, code: ExitCode, detail: str = "", hints: tuple[str, ...] = ()) -> None:
        super().__init__(title)
        self.title = title
        self.code = code
        self.detail = detail
        self.hints = hints

    def as_record(self) -> dict[str, Any]:
        """The form printed on standard error with --json."""
        return {"title": self.title, "detail": self.detail, "exit_code": int(self.code), "hints": [*self.hints]}

    def lines(self) -> list[str]:
        """What follows the title on the card, hints apart."""
        return [self.detail] if self.detail else []


class UsageProblem(CliError):
    """The caller's words are wrong; nothing was sent."""

    def __init__(self, title: str, *, detail: str = "", hints: tuple[str, ...] = ()) -> None:
        super().__init__(title, code=ExitCode.USAGE, detail=detail, hints=hints)


class Unreachable(CliError):
    """Berth does not answer."""

    def __init__(self, title: str, *, detail: str = "", hints: tuple[str, ...] = ()) -> None:
        super().__init__(title, code=ExitCode.UNAVAILABLE, detail=detail, hints=hints)


class WaitTimedOut(CliError):
    """The wait is over; the operation is not."""

    def __init__(self, seconds: float, resume: str) -> None:
        title = f"Not finished after {seconds:g} s; the operation continues."
        super().__init__(title, code=ExitCode.TIMED_OUT, hints=(resume,))


class ApiProblem(CliError):
    """A refusal by the API, as problem+json (or whatever else came)."""

    def __init__(self, status: int, problem: Mapping[str, Any], hints: tuple[str, ...] = ()) -> None:
        super().__init__(
            str(problem.get("title") or f"HTTP {status}"),
            code=_BY_STATUS.get(status, ExitCode.FAILED if status >= 500 else ExitCode.USAGE),
            detail=str(problem.get("detail") or ""),
            hints=hints or _ways_out(problem),
        )
        self.status = status
        self.problem = dict(problem)

    @property
    def problem_code(self) -> str:
        """The stable `code` of the problem, such as `operation-in-progress`."""
        return str(self.problem.get("code") or "")

    def as_record(self) -> dict[str, Any]:
        return {**self.problem, "exit_code": int(self.code), "hints": [*self.hints]}

    def lines(self) -> list[str]:
        problem = self.problem
        # The detail of bad fields repeats them, and that of a refused action what is allowed.
        lines = [] if problem.get("errors") and self.status == 422 else super().lines()
        lines += [f"{e.get('pointer') or '(body)'}: {e.get('detail')}" for e in problem.get("errors") or ()]
        if problem.get("current_status"):
            lines.append(f"current status: {problem['current_status']}")
        if "allowed_actions" in problem and "allowed now" not in self.detail:
            lines.append("allowed now: " + (", ".join(map(_action_name, problem["allowed_actions"])) or "nothing"))
        holder = holder_of(problem)
        if holder:
            lines.append(f"held by: {holder}")
        if problem.get("run_url"):
            lines.append(f"its finished life: {problem['run_url']}")
        if problem.get("help"):
            lines.append(f"help: {problem['help']}")
        if problem.get("trace_id") and self.status >= 500:
            lines.append(f"trace: {problem['trace_id']}")
        return lines


def _ways_out(problem: Mapping[str, Any]) -> tuple[str, ...]:
    """The commands that mend it, where the problem says enough."""
    name = _NAMED.match(str(problem.get("instance") or ""))
    code, holder = problem.get("code"), problem.get("operation")
    if code == "operation-in-progress" and isinstance(holder, Mapping) and holder.get("id"):
        return (f"berth wait {holder['id']}", f"berth cancel {holder['id']}")
    allowed = set(map(_action_name, problem.get("allowed_actions") or ()))
    command = _MENDS.get(str(code)) or next((_ENDS[action] for action in _ENDS if action in allowed), None)
    return (f"berth {command} {name[1]}",) if command and name else ()


def _action_name(action: Any) -> str:
    return str(action.get("action")) if isinstance(action, Mapping) else str(action)


def holder_of(problem: Mapping[str, Any]) -> str:
    """The operation that stands in the way, as `kind id`; empty when the problem names none."""
    holder = problem.get("operation")
    if isinstance(holder, Mapping):
        return " ".join(str(holder[k]) for k in ("kind", "id", "status") if holder.get(k))
    return str(holder or problem.get("operation_id") or "")

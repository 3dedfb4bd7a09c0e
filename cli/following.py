"""From an accepted operation to the end of the command: wait, show, and say what to do next.

Called by every command that changes something, and by `berth wait`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from cli import text
from cli.calls import Answer, Call, at
from cli.errors import ApiProblem, CliError, ExitCode, Unreachable, WaitTimedOut
from cli.interrupts import heeding_interrupts
from cli.progress import LineProgress, Progress, SilentProgress
from cli.screen import Format, Screen
from cli.session import Session

Record = dict[str, Any]
LONG_POLL_SECONDS = 20.0
LIVE_POLL_SECONDS = 0.25
OUTAGE_SECONDS = 120.0
_LOST = ("data-lost", "database-lost")
"""Failures after which nothing but a delete can work."""


def finish(session: Session, answer: Answer, name: str, wanted: str = "succeeded") -> int:
    """Wait if asked, print the result, return the exit code. `answer` is the 202 of a change.

    `wanted` is the end that counts as success: whoever cancels wants `cancelled`.
    """
    operation: Record = answer.body.get("operation") or {}
    instance = _instance_of(answer.body)
    if not operation:
        return _conclude(session, instance, operation, name, wanted)
    failure: CliError | None = None
    if session.wait and not operation.get("done"):
        try:
            operation = wait_until_done(session, operation, name)
            instance = _instance_now(session, instance, name, operation)
        except Unreachable as error:
            failure = error
        except KeyboardInterrupt:
            resume = session.berth(f"wait {operation['id']}")
            session.screen.note("", f"detached; the operation continues: {resume}")
            if session.screen.is_machine:
                _conclude(session, instance, operation, name, wanted)
            return ExitCode.INTERRUPTED
        if not operation.get("done") and failure is None:
            failure = WaitTimedOut(session.timeout, session.berth(f"wait {operation['id']}"))
    code = _conclude(session, instance, operation, name, wanted)
    if failure:
        raise failure
    return code


def wait_until_done(session: Session, operation: Record, name: str) -> Record:
    """Long-poll until the operation is done, or the time is over. Outages of the API are waited out."""
    operation_id = str(operation["id"])
    title = f"{operation_id} {operation.get('kind', '')} {name}".strip()
    deadline = time.monotonic() + session.timeout
    with heeding_interrupts() as interrupted, progress_for(session.screen, title) as progress:
        progress.update(operation)
        while not operation.get("done") and (left := deadline - time.monotonic()) > 0:
            operation = _look(session, operation, left, progress)
            if interrupted.is_set():
                raise KeyboardInterrupt
            progress.update(operation)
    return operation


def _look(session: Session, operation: Record, left: float, progress: Progress) -> Record:
    """The operation a little later; as it was when no answer came in the time that is left."""
    wait = round(min(LIVE_POLL_SECONDS if session.screen.is_live else LONG_POLL_SECONDS, left), 2)
    path = at("operations", operation["id"])
    call = Call("GET", path, params={"wait": wait}, read_seconds=wait + 10.0, patience=0)
    silent_since = time.monotonic()
    while True:
        try:
            return session.client.send(call).body
        except (Unreachable, ApiProblem) as error:
            if error.code is not ExitCode.UNAVAILABLE:
                raise
            silent = time.monotonic() - silent_since
            progress.silence(silent)
            if silent > left:
                return operation
            if silent > OUTAGE_SECONDS:
                resume = (session.target.how_to_start, session.berth(f"wait {operation['id']}"))
                raise Unreachable(error.title, detail=error.detail, hints=resume) from None
            time.sleep(0.5)


def _conclude(session: Session, instance: Record, operation: Record, name: str, wanted: str) -> int:
    screen = session.screen
    ended_badly = bool(operation.get("done")) and operation.get("status") != wanted
    if screen.format in (Format.JSON, Format.YAML):
        screen.document({"instance": instance or None, "operation": operation or None})
        return ExitCode.FAILED if ended_badly else ExitCode.OK
    if screen.format is Format.NAME:
        screen.lines([str(operation.get("id") or instance.get("name") or name)])
    elif not ended_badly:
        screen.lines([_result_line(session, instance, operation, name)])
    if ended_badly and operation["status"] == "succeeded":
        screen.note(f"too late: {operation.get('kind')} {operation['id']} had already succeeded")
        return ExitCode.FAILED
    if ended_badly:
        screen.note(*failure_card(session, operation, name))
        return ExitCode.FAILED
    screen.next(*_next_commands(session, instance, operation, name))
    return ExitCode.OK


def _result_line(session: Session, instance: Record, operation: Record, name: str) -> str:
    kind = operation.get("kind", "")
    if operation and not operation.get("done"):
        line = f"{operation['id']}  {kind} {name}  {operation.get('status')}"
        return text.clean(line)
    if operation.get("changed") is False:
        return text.clean(f"{name} unchanged: it already is as asked")
    status = str(instance.get("status") or ("terminated" if kind == "delete" else "done"))
    shown = text.paint(
        f"● {text.clean(name)} {status}", text.STATUS_COLOURS.get(status, ""), session.screen.colour
    )
    took = _took(operation)
    endpoint = instance.get("endpoint") or "" if status == "running" else ""
    return f"{shown}{f' in {took}' if took else ''}  {text.clean(endpoint)}".rstrip()


def _took(operation: Mapping[str, Any]) -> str:
    begun = text.moment(operation.get("created_at") or operation.get("started_at"))
    ended = text.moment(operation.get("finished_at"))
    return text.span((ended - begun).total_seconds()) if begun and ended else ""


def failure_card(session: Session, operation: Record, name: str) -> list[str]:
    """What failed, why, what was kept and cleaned up, and the next command."""
    error = operation.get("error") or {}
    took = _took(operation)
    status = operation.get("status")
    head = f"✗ {operation.get('kind')} {name} {status}{f' after {took}' if took else ''}  ({operation.get('id')})"
    cause = " ".join(
        filter(None, [str(error.get("message") or ""), f"[{error['code']}]" if error.get("code") else ""])
    )
    rows = [
        ("step", error.get("step")),
        ("cause", cause),
        ("kept", "; ".join(map(str, error.get("kept") or ()))),
        ("cleaned up", "; ".join(map(str, error.get("cleaned") or ()))),
        ("help", _help(session, error.get("help"))),
        ("trace", operation.get("trace_id")),
        ("next", " | ".join(_after_failure(session, operation, name))),
    ]
    colour = session.screen.error_colour
    return [text.paint(text.clean(head), "red", colour), *("  " + line for line in text.fields(rows, colour))]


def _help(session: Session, given: Any) -> str:
    if not isinstance(given, Mapping):
        return str(given or "")
    url = str(given.get("url") or "")
    return f"{given.get('text') or ''} {session.target.url if url.startswith('/') else ''}{url}".strip()


def _after_failure(session: Session, operation: Record, name: str) -> list[str]:
    if (operation.get("error") or {}).get("code") in _LOST:
        return [session.berth(f"delete {name}")]
    first = "retry" if operation.get("status") == "failed" else "get"
    return [session.berth(f"{verb} {name}") for verb in (first, "logs", "delete")]


def _next_commands(session: Session, instance: Record, operation: Record, name: str) -> list[str]:
    if operation and not operation.get("done"):
        return [session.berth(f"wait {operation['id']}")]
    if operation.get("kind") == "delete":
        return [session.berth("runs")]
    status = instance.get("status")
    verbs = {
        "running": ("get", "logs", "stop"),
        "stopped": ("start", "delete"),
        "maintenance": ("maintenance off",),
        "suspended": ("unsuspend", "get"),
    }
    return [session.berth(f"{verb} {name}") for verb in verbs.get(str(status), ("get",))]


def _instance_of(body: Mapping[str, Any]) -> Record:
    if isinstance(body.get("instance"), dict):
        return dict(body["instance"])
    deployment = body.get("deployment") or {}
    members = deployment.get("instances") or [{}]
    return dict(members[0]) if isinstance(members[0], dict) else {}


def _instance_now(session: Session, instance: Record, name: str, operation: Record) -> Record:
    """The record after the operation. Gone after a delete is what was asked for."""
    key = instance.get("id") or next(iter(operation.get("instance_ids") or ()), name)
    return latest(session, instance, key)


def latest(session: Session, known: Record, key: str) -> Record:
    """The record now; of what has ended since, the `known` one with the status that is its last."""
    try:
        return session.client.get(at("instances", key), patience=OUTAGE_SECONDS).body
    except ApiProblem as problem:
        if problem.code is not ExitCode.NOT_FOUND:
            raise
        return {**known, "status": "terminated", "lifecycle_state": "TERMINATED"} if known else {}


def progress_for(screen: Screen, title: str) -> Progress:
    """The kind of progress that this caller can see."""
    if screen.is_live:
        from cli.live import LiveProgress

        return LiveProgress(title)
    if screen.quiet or screen.is_machine:
        return SilentProgress()
    return LineProgress(screen)

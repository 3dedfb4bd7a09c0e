"""Commands about operations: operations list|get, wait, cancel, abort."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli import names, text
from cli.calls import Answer, at
from cli.errors import CliError, ExitCode
from cli.following import OUTAGE_SECONDS, failure_card, finish
from cli.lists import Column, show, since
from cli.progress import elapsed
from cli.screen import Format
from cli.session import Session, changes, reads

app = typer.Typer()
operations_app = typer.Typer(no_args_is_help=True, help="What is going on, and what went on.")
PANEL = "Operations"


def name_of(operation: Any) -> str:
    """The best name that the record carries for what the operation works on."""
    found = operation.get("instance_names") or operation.get("instance_name") or operation.get("deployment_name")
    if isinstance(found, list):
        return ", ".join(map(str, found))
    return str(found or operation.get("deployment_id") or "")


def _listens(operation: Any) -> bool:
    return bool(operation.get("phase") == "awaiting_operator")


_COLUMNS = (
    Column("ID", "id"),
    Column("KIND", "kind"),
    Column("INSTANCE", name_of),
    Column("STATUS", lambda o: f"{o.get('status')}{' (listening for retry)' if _listens(o) else ''}"),
    Column("PHASE", "phase", wide=True),
    Column("ACTOR", "actor", wide=True),
    Column("ATTEMPT", "attempt", wide=True),
    Column("AGE", since("created_at")),
    Column("MESSAGE", lambda o: (o.get("error") or o.get("progress") or {}).get("message")),
)


@operations_app.command("list")
@reads
def list_operations(
    session: Session,
    name: names.OptionalName = None,
    status: Annotated[str | None, typer.Option("--status", help="pending, running, succeeded, failed …")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many.")] = 50,
) -> None:
    """List operations, those that need you first."""
    query = {"status": status, "instance": name}
    show(session, session.client.everything("/operations", query, limit), _COLUMNS, name="id")
    session.screen.next(session.berth("operations get OP"))


@operations_app.command("get")
@reads
def get_operation(session: Session, operation_id: Annotated[str, typer.Argument(metavar="OP")]) -> None:
    """Show one operation with its steps."""
    operation = session.client.get(at("operations", operation_id)).body
    screen = session.screen
    if screen.format in (Format.JSON, Format.YAML):
        screen.document(operation)
        return
    if screen.format is Format.NAME:
        screen.lines([str(operation.get("id"))])
        return
    screen.lines(_description(session, operation))
    if operation.get("status") == "failed":
        screen.note(*failure_card(session, operation, name_of(operation)))


def _description(session: Session, operation: dict[str, Any]) -> list[str]:
    keys = ("id", "kind", "status", "phase", "deployment_id", "actor", "source", "reason", "retry_of")
    times = ("created_at", "started_at", "finished_at", "parked_until")
    traces = ("workflow_id", "run_id", "trace_id", "temporal_url")
    lines = text.fields([(k, operation.get(k)) for k in (*keys, *times, *traces)], session.screen.colour)
    rows = []
    for step in operation.get("steps") or ():
        attempts = step.get("attempts") or ()
        spent = elapsed(attempts)
        took = text.span(spent) if spent is not None else ""
        rows.append([step.get("title") or step.get("name"), step.get("status"), len(attempts), took])
    if rows:
        lines += ["", *text.table(["STEP", "STATUS", "ATTEMPTS", "TOOK"], rows, session.screen.colour)]
    return lines


app.add_typer(operations_app, name="operations", rich_help_panel=PANEL)


@app.command("wait", rich_help_panel=PANEL)
@changes
def wait(session: Session, target: names.Target) -> int:
    """Wait until an operation, or what an instance is doing now, has ended. Exits 1 when it failed."""
    session.wait = True
    if target.startswith("op_"):
        operation = _read(session, "operations", target)
        return finish(session, Answer(200, {"operation": operation, **_instance_of(session, operation)}), target)
    instance = _read(session, "instances", target)
    held = instance.get("current_operation")
    operation = _read(session, "operations", held["id"]) if held else {}
    code = finish(session, Answer(200, {"instance": instance, "operation": operation}), target)
    if not operation and instance.get("status") == "error":
        session.screen.note(f"  {text.clean(instance.get('error_message') or 'in error')}")
        return ExitCode.FAILED
    return code


def _read(session: Session, kind: str, key: str) -> dict[str, Any]:
    """Whoever waits has as much patience before the first answer as after it."""
    return session.client.get(at(kind, key), patience=OUTAGE_SECONDS).body


def _instance_of(session: Session, operation: dict[str, Any]) -> dict[str, Any]:
    for instance_id in operation.get("instance_ids") or ():
        try:
            return {"instance": _read(session, "instances", instance_id)}
        except CliError as error:
            if error.code is not ExitCode.NOT_FOUND:
                raise
    return {}


@app.command("cancel", rich_help_panel=PANEL)
@changes
def cancel(session: Session, target: names.Target) -> int:
    """Cancel an operation, or what an instance is doing now. A delete cannot be cancelled once it has begun."""
    if target.startswith("op_"):
        answer = session.client.post(at("operations", target, "cancel"))
    else:
        answer = session.client.post(at("instances", target, "actions"), {"action": "cancel"})
    return finish(session, _enveloped(answer), target, wanted="cancelled")


@app.command("abort", rich_help_panel=PANEL)
@reads
def abort(session: Session, target: names.Target) -> None:
    """Stop a failed operation from listening for a retry."""
    operation_id = target if target.startswith("op_") else _listening(session, target)
    operation = _enveloped(session.client.post(at("operations", operation_id, "abort"))).body["operation"]
    if session.screen.format in (Format.JSON, Format.YAML):
        session.screen.document({"operation": operation})
    else:
        session.screen.lines([f"{operation_id}  {operation.get('status', 'failed')}, no longer listening"])


@app.command("confirm", rich_help_panel=PANEL)
@reads
def confirm(
    session: Session,
    name: names.Name,
    kind: Annotated[str, typer.Argument(metavar="KIND", help="launched, stopped, terminated or promoted.")],
    operation: Annotated[str, typer.Option("--operation", metavar="OP", help="The operation it is evidence for.")],
    generation: Annotated[int, typer.Option("--generation", min=1, help="Of the object: berth inventory.")] = 1,
) -> None:
    """Report from outside that a change really happened; Berth looks at once, and the provider's word decides."""
    body = {"operation_id": operation, "kind": kind, "generation": generation}
    answer = session.client.post(at("instances", name, "confirmations"), body).body
    if session.screen.format in (Format.JSON, Format.YAML):
        session.screen.document(answer)
    else:
        session.screen.lines(["recorded" if answer.get("recorded") else "known already; nothing changed"])


def _enveloped(answer: Answer) -> Answer:
    body = answer.body if "operation" in answer.body else {"operation": answer.body}
    return Answer(answer.status, body, answer.etag)


def _listening(session: Session, name: str) -> str:
    page = session.client.everything("/operations", {"instance": name, "status": "failed"}, limit=50)
    for operation in page["items"]:
        if _listens(operation):
            return str(operation["id"])
    raise CliError(f"No failed operation of {name} is listening for a retry.", code=ExitCode.CONFLICT)

"""Commands that look at instances and deployments: list, get, deployments, history, runs."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli import documents, instances, names, text
from cli.calls import at
from cli.events import EVENTS, named
from cli.lists import Column, show, since, spent
from cli.screen import Format
from cli.session import Session, reads

app = typer.Typer()
PANEL = "Look"
Record = dict[str, Any]

Limit = Annotated[int, typer.Option("--limit", min=1, help="How many.")]


_DEPLOYMENTS = (
    Column("NAME", "name"),
    Column("STATUS", "status"),
    Column("MEMBERS", lambda d: len(d["instances"]) if d.get("instances") else d.get("members")),
    Column("BLUEPRINT", "blueprint"),
    Column("PROVIDER", "provider"),
    Column("AGE", since("created_at")),
    Column("ID", "id", wide=True),
)
_RUNS = (
    Column("NAME", "name"),
    Column("INSTANCE", "instance_id"),
    Column("LAUNCHED", since("launched_at")),
    Column("TERMINATED", since("terminated_at")),
    Column("RAN", spent("total_runtime_seconds")),
    Column("REASON", "termination_reason"),
    Column("RUN", "run_id", wide=True),
    Column("LAUNCH TOOK", spent("launch_duration_seconds"), wide=True),
    Column("END TOOK", spent("termination_duration_seconds"), wide=True),
    Column("CONFIRMED BY", "confirmation_method", wide=True),
)


@app.command("list", rich_help_panel=PANEL)
@reads
def list_instances(
    session: Session,
    status: Annotated[str | None, typer.Option("--status", help="Only these: running, error …")] = None,
    provider: Annotated[
        str | None, typer.Option("--provider", help="Only there.", autocompletion=names.complete_provider)
    ] = None,
    blueprint: Annotated[
        str | None, typer.Option("--blueprint", help="Only this.", autocompletion=names.complete_blueprint)
    ] = None,
    search: Annotated[str | None, typer.Option("--search", help="Part of the name.")] = None,
    label: Annotated[
        str | None, typer.Option("--label", "-l", metavar="KEY=VALUE[,…]", help="Only with these.")
    ] = None,
    needs_you: Annotated[bool, typer.Option("--needs-you", help="In error, stuck, or with a notice.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Keep the list up to date; with --json one object a changed row.")
    ] = False,
) -> None:
    """List instances, those in error or stuck marked."""
    query = {"status": status, "provider": provider, "blueprint": blueprint, "q": search, "label": label}
    if needs_you:
        query["needs_you"] = "true"
    if watch:
        from cli import watching

        watching.watch(session, query, instances.INSTANCES)
    page = session.client.everything("/instances", query)
    show(session, page, instances.INSTANCES)
    command = "get NAME" if page["items"] else "create demo --blueprint postgres"
    session.screen.next(session.berth(command))


@app.command("deployments", rich_help_panel=PANEL)
@reads
def deployments(session: Session) -> None:
    """List deployments."""
    show(session, session.client.everything("/deployments"), _DEPLOYMENTS)


@app.command("get", rich_help_panel=PANEL)
@reads
def get(
    session: Session,
    name: names.Name,
    show_secret: Annotated[bool, typer.Option("--show-secret", help="Reveal passwords; recorded.")] = False,
) -> None:
    """Show one instance. -o yaml prints the document that `apply -f` takes."""
    screen = session.screen
    instance = session.client.get(at("instances", name)).body
    if screen.format is Format.YAML:
        deployment = session.client.get(at("deployments", instance["deployment_id"])).body
        screen.document(documents.from_deployment(deployment))
        return
    secrets = session.client.post(at("instances", name, "secrets:reveal")).body if show_secret else {}
    if screen.format is Format.JSON:
        revealed = {"secrets": secrets.get("items"), "connection_uri": secrets.get("connection_uri")}
        screen.document({**instance, **(revealed if show_secret else {})})
        return
    if screen.format is Format.NAME:
        screen.lines([text.clean(instance.get("name"))])
        return
    screen.lines(_description(session, instance, secrets))
    _remarks(session, name, instance)


def _description(session: Session, instance: Record, secrets: Record) -> list[str]:
    spec = instance.get("spec") or {}
    held = instance.get("current_operation") or {}
    rows = [
        ("name", instance.get("name")),
        ("status", instances.status(instance)),
        ("health", " ".join(filter(None, [instances.health(instance), str(instance.get("health_reason") or "")]))),
        ("error", instance.get("error_message")),
        ("needs you", instances.needs_you(instance) if held or instance.get("notice") else ""),
        ("subscription", instance.get("subscription") if instance.get("subscription") == "cancelled" else ""),
        *instances.apart(instance),
        ("operation", " ".join(str(held[k]) for k in ("id", "kind", "status") if held.get(k))),
        ("endpoint", instance.get("endpoint")),
        ("connect", secrets.get("connection_uri")),
        *((f"secret {s.get('name')}", s.get("value")) for s in secrets.get("items") or ()),
        *(
            (k, instance.get(k))
            for k in ("blueprint", "provider", "provider_state", "host", "role", "billing_status")
        ),
        ("params", text.pairs_text(spec.get("params"))),
        ("resources", text.pairs_text(instance.get("resources"))),
        ("labels", text.pairs_text(instance.get("labels"))),
        ("pending", _pending(instance)),
        ("created", instance.get("created_at")),
        ("changed", " by ".join(str(instance[k]) for k in ("changed_at", "changed_by") if instance.get(k))),
        ("launch took", spent("launch_duration_seconds")(instance)),
        *((k, instance.get(k)) for k in ("id", "deployment_id", "cloud_instance_id", "version", "temporal_url")),
    ]
    if session.screen.format is not Format.WIDE:
        hidden = {"deployment_id", "version", "billing_status"}
        if instance.get("provider_state") == instance.get("status"):
            hidden.add("provider_state")  # worth a line only when the provider says something else
        rows = [row for row in rows if row[0] not in hidden]
    return text.fields(rows, session.screen.colour)


def _pending(instance: Record) -> str:
    pending = instance.get("pending_changes")
    if isinstance(pending, list):
        return ", ".join(str(p.get("path", p)) if isinstance(p, dict) else str(p) for p in pending)
    return text.pairs_text(pending)


def _remarks(session: Session, name: str, instance: Record) -> None:
    """What people may do now, straight from the server."""
    enabled = [a for a in instance.get("allowed_actions") or () if isinstance(a, dict) and a.get("enabled")]
    shown = [a for a in enabled if a.get("button")] or enabled
    commands = [instances.command_of(str(action["action"]), name) for action in shown]
    session.screen.next(*(session.berth(command) for command in commands if command))


@app.command("history", rich_help_panel=PANEL)
@reads
def history(session: Session, name: names.Name, limit: Limit = 50) -> None:
    """Show what happened to one instance, finished lives of that name included."""
    page = session.client.everything(at("instances", name, "history"), limit=limit)
    if not session.screen.is_machine:
        page = {"items": [*named(session, page["items"])]}
    show(session, page, EVENTS, name="cursor")


@app.command("runs", rich_help_panel=PANEL)
@reads
def runs(session: Session, limit: Limit = 50) -> None:
    """List finished lives: what ran, how long, and why it ended."""
    show(session, session.client.everything("/runs", limit=limit), _RUNS, name="run_id")

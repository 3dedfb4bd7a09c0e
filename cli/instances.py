"""How an instance is shown: its row in a list, its remarks, and the commands for what the server allows.

Used by `list` (and what watches it) and `get`.
"""

from __future__ import annotations

from typing import Any

from cli import text
from cli.lists import Column, since

Record = dict[str, Any]


def status(item: Any) -> str:
    """The status, and what about it cannot be guessed: who holds it, until when, what waits."""
    operation = item.get("current_operation") or {}
    remarks = [_hold(item) if item.get("status") == "suspended" else "", _maintenance(item)]
    if operation.get("status") == "pending":
        remarks.append(f"{operation.get('kind')} pending")
    told = "; ".join(filter(None, remarks))
    return f"{item.get('status')} ({told})" if told else f"{item.get('status')}"


def _hold(item: Any) -> str:
    hold = item.get("hold") or {}
    ends = text.moment(hold.get("deletes_at"))
    parts = [str(hold.get("cause") or ""), f"deleted {text.until(ends)}" if ends else ""]
    return ", ".join(filter(None, parts))


def _maintenance(item: Any) -> str:
    """Until when it is, or from when it will be."""
    care = item.get("maintenance") or {}
    begins, ends = (text.moment(care.get(key)) for key in ("from", "until"))
    if item.get("status") == "maintenance":
        return f"until {ends.astimezone():%d %b %H:%M}" if ends else ""
    return f"maintenance from {begins.astimezone():%d %b %H:%M}" if begins and care.get("begun") is False else ""


def health(item: Any) -> str:
    """Never without its age: what was seen an hour ago is not so now."""
    seen = text.age(item.get("health_checked_at"))
    return f"{item.get('health')} ({seen} ago)" if seen else str(item.get("health") or "")


def needs_you(item: Any) -> str:
    """Why somebody has to look at it."""
    operation = item.get("current_operation") or {}
    if operation.get("needs_you"):
        late = text.age(operation.get("stuck_at"))
        return f"{operation.get('kind')} is stuck{f', {late} past its deadline' if late else ''}"
    if item.get("notice"):
        return str(item["notice"])
    return text.short(item.get("error_message") or "in error", 60) if item.get("status") == "error" else ""


INSTANCES = (
    Column("NAME", "name"),
    Column("STATUS", status),
    Column("HEALTH", health),
    Column("BLUEPRINT", "blueprint"),
    Column("PROVIDER", "provider"),
    Column("ENDPOINT", "endpoint"),
    Column("AGE", since("created_at")),
    Column("NEEDS YOU", lambda item: text.short(needs_you(item), 60), optional=True),
    Column("ID", "id", wide=True),
    Column("ROLE", "role", wide=True),
    Column("PROTECTED", lambda i: "yes" if i.get("deletion_protection") else "", wide=True),
    Column("HOST", "host", wide=True),
    Column("VERSION", "version", wide=True),
    Column("LABELS", lambda i: text.pairs_text(i.get("labels")), wide=True),
    Column("ERROR", "error_message", wide=True),
)


def apart(instance: Record) -> list[tuple[str, Any]]:
    """What sets it apart from others: a hold, maintenance, protection; by whom and why."""
    hold, care = instance.get("hold") or {}, instance.get("maintenance") or {}
    return [
        ("held by", ", ".join(filter(None, [_hold(instance), _by(hold)]))),
        ("maintenance", ", ".join(filter(None, [_maintenance(instance), _by(care)]))),
        ("protected", "from deletion" if instance.get("deletion_protection") else ""),
    ]


def _by(apart: Record) -> str:
    words = [f"by {apart['by']}" if apart.get("by") else "", str(apart.get("note") or "")]
    since_when = text.age(apart.get("since"))
    return ", ".join(filter(None, [*words, f"for {since_when}" if since_when else ""]))


_COMMANDS = frozenset(
    ["start", "stop", "restart", "modify", "retry", "cancel", "suspend", "unsuspend", "delete", "forget"]
)


def command_of(action: str, name: str) -> str:
    """The command for an action that the server allows; empty where there is none."""
    if action.startswith("maintenance_"):
        return f"maintenance {action.removeprefix('maintenance_')} {name}"
    verb = action.removeprefix("force_")
    force = " --force" if verb != action else ""
    return f"{verb} {name}{force}" if verb in _COMMANDS else ""

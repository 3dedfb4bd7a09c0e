"""What every form needs: times, links into the Temporal UI, and errors with their help."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from domain.help import help_for, help_url
from domain.lifecycle import Health, Status

JsonObject = dict[str, Any]

_LIFECYCLE_STATE = {Status.CREATING: "LAUNCHING", Status.DELETING: "TERMINATING"}


def iso(time: datetime | None) -> str | None:
    """RFC 3339 in UTC."""
    return None if time is None else time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def lifecycle_state(status: str | None, health: Health = Health.UNKNOWN) -> str | None:
    """S2's upper-case name of a status."""
    if status is None:
        return None
    if status == Status.RUNNING and health is Health.UNREACHABLE:
        return "OFFLINE"
    return _LIFECYCLE_STATE.get(Status(status), status.upper())


@dataclass(frozen=True)
class TemporalLinks:
    """Addresses of the Temporal UI; none when it is not configured."""

    base: str
    namespace: str

    def run(self, workflow_id: str, run_id: str | None) -> str | None:
        """The timeline of one run, or of the latest one."""
        if not self.base:
            return None
        path = f"/namespaces/{quote(self.namespace, safe='')}/workflows/{quote(workflow_id, safe='')}"
        return f"{self.base.rstrip('/')}{path}/{f'{run_id}/timeline' if run_id else ''}".rstrip("/")

    def event(self, workflow_id: str, run_id: str, event_id: int) -> str | None:
        """One event in the history of one run."""
        timeline = self.run(workflow_id, run_id)
        return timeline and f"{timeline.removesuffix('timeline')}history/events/{event_id}"


def error_form(error: Mapping[str, Any] | None, temporal_url: str | None = None) -> JsonObject | None:
    """An operation's error, with what helps, and where the engine shows what failed."""
    if error is None:
        return None
    code = str(error.get("code") or "internal")
    return {
        "code": code,
        "message": error.get("message"),
        "step": error.get("step"),
        "retryable": bool(error.get("retryable", False)),
        "kept": list(error.get("kept") or ()),
        "cleaned": list(error.get("cleaned") or ()),
        "help": {"text": help_for(code).helps, "url": help_url(code)},
        "temporal_url": temporal_url,
    }

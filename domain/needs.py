"""What each action needs from the person before it is asked for: parameters, a confirmation, a reason.

Shown in `allowed_actions[].needs` and, with the schemas, in `GET /lifecycle`, so that no client has to know an
operation by its name.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from domain.lifecycle import Operation


class Confirm(StrEnum):
    """How sure a person has to be."""

    NONE = "none"
    ASK = "ask"
    """A yes: it interrupts somebody."""
    NAME = "name"
    """The name, typed: it cannot be taken back."""


@dataclass(frozen=True)
class Needs:
    """`params`: the JSON schema of the body's `params`; None where there are none."""

    confirm: Confirm = Confirm.NONE
    params: dict[str, Any] | None = None


def _params(**properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "required": [],
    }


_NOTE = {
    "type": "string",
    "minLength": 1,
    "maxLength": 500,
    "title": "Note",
    "description": "Shown to whoever looks at it.",
}
_MOMENT = {"type": "string", "format": "date-time"}
_PATCH = {
    "type": "object",
    "title": "Change",
    "description": "A merge patch of `params`, `resources`, `members`, `labels`, `restart_policy`; see PATCH.",
}

NEEDS: dict[str, Needs] = {
    Operation.STOP: Needs(Confirm.ASK),
    Operation.RESTART: Needs(Confirm.ASK),
    Operation.MODIFY: Needs(params=_PATCH),
    Operation.PROMOTE: Needs(Confirm.ASK),
    Operation.RESTORE: Needs(Confirm.NAME),
    Operation.SUSPEND: Needs(
        Confirm.ASK,
        _params(
            delete_after_days={
                "type": "number",
                "exclusiveMinimum": 0,
                "maximum": 3650,
                "title": "Delete after days",
                "description": "Absent: it stays suspended until somebody lifts it.",
            },
            note=_NOTE,
        ),
    ),
    Operation.MAINTENANCE_ON: Needs(
        Confirm.ASK,
        _params(
            **{"from": _MOMENT | {"title": "From", "description": "When it begins by itself; absent: now."}},
            until=_MOMENT | {"title": "Until", "description": "When it ends by itself; absent: when it is ended."},
            note=_NOTE,
        ),
    ),
    Operation.DELETE: Needs(Confirm.NAME),
    Operation.FORGET: Needs(Confirm.NAME),
    "cancel": Needs(Confirm.ASK),
    "force_stop": Needs(Confirm.ASK),
    "force_delete": Needs(Confirm.NAME),
}
"""What is not named here needs nothing but a click."""

_NOTHING = Needs()


def needs_of(action: str) -> Needs:
    """What `action` needs."""
    return NEEDS.get(action, _NOTHING)

"""What can be done with an instance now, as programs outside see it."""

from __future__ import annotations

from functools import lru_cache

from domain.actions import Action, Situation, actions
from domain.needs import needs_of
from services.views.common import JsonObject

LIFECYCLE = "/api/v1/lifecycle"


@lru_cache(maxsize=4096)
def action_forms(now: Situation) -> tuple[JsonObject, ...]:
    """Every action. Shared between records: nobody changes what a form holds."""
    return tuple(_action(row) for row in actions(now))


@lru_cache(maxsize=4096)
def button_forms(now: Situation) -> tuple[JsonObject, ...]:
    """Those that are shown as buttons."""
    return tuple(_action(row) for row in actions(now) if row.button)


def _action(row: Action) -> JsonObject:
    form: JsonObject = {
        "action": row.action,
        "label": row.label,
        "button": row.button,
        "enabled": row.enabled,
        "needs": needs_form(row.action),
    }
    return form if row.reason is None else {**form, "reason": row.reason}


def needs_form(action: str) -> JsonObject:
    """What the action needs from the person; `params` points to the schema in `GET /lifecycle`."""
    needs = needs_of(action)
    where = None if needs.params is None else f"{LIFECYCLE}#/params/{action}"
    return {"confirm": needs.confirm.value, "reason": "optional", "params": where}

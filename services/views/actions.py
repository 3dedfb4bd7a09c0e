"""What can be done with an instance now, as programs outside see it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache

from domain.access import AccessRole, Right, may, roles_with
from domain.actions import Action, Situation, actions
from domain.needs import needs_of
from services.access.audit import asking_role
from services.access.bounds import ADMINS_ALONE
from services.views.common import JsonObject

LIFECYCLE = "/api/v1/lifecycle"


def action_forms(now: Situation) -> tuple[JsonObject, ...]:
    """Every action. Shared between records: nobody changes what a form holds."""
    return _forms(now, asking_role())


def button_forms(now: Situation) -> tuple[JsonObject, ...]:
    """Those that are shown as buttons."""
    return tuple(form for form in action_forms(now) if form["button"])


@lru_cache(maxsize=8192)
def _forms(now: Situation, role: AccessRole | None) -> tuple[JsonObject, ...]:
    return tuple(_action(_for_role(row, role)) for row in actions(now))


def _for_role(row: Action, role: AccessRole | None) -> Action:
    """Disabled, with the reason, where the one who asks may not do it."""
    reason = None if role is None else _not_for(row.action, role)
    return row if reason is None else replace(row, enabled=False, reason=reason)


def restricted(forms: Sequence[JsonObject], role: AccessRole) -> list[JsonObject]:
    """`forms`, made for nobody in particular, as somebody with `role` may see them."""
    reasons = [(form, _not_for(form["action"], role)) for form in forms]
    return [form if why is None else {**form, "enabled": False, "reason": why} for form, why in reasons]


def allowed_to_asker(allowed: Iterable[str]) -> tuple[str, ...]:
    """Of the names of actions, those that whoever is being answered may ask for."""
    role = asking_role()
    return tuple(name for name in allowed if role is None or _not_for(name, role) is None)


def _not_for(action: str, role: AccessRole) -> str | None:
    """Why `role` may not ask for `action`."""
    needed = Right.ADMIN if action in ADMINS_ALONE else Right.OPERATE
    if may(role, needed):
        return None
    able = " or ".join(found.value for found in roles_with(needed))
    return f"needs the role {able}; yours is {role.value}"


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

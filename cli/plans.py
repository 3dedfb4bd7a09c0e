"""Shows a plan: what would be touched, how much it disturbs, and what speaks against it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cli import text

Plan = Mapping[str, Any]
_DISRUPTION = {"none": "green", "reload": "green", "restart": "yellow", "replace": "red"}
_LEVELS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "blocker": ("✗", "red")}


def is_change(plan: Plan) -> bool:
    """Whether applying the plan would do anything."""
    return bool(plan.get("changes")) or any((plan.get("counts") or {}).values())


def blockers(plan: Plan) -> list[str]:
    """What forbids applying it."""
    return [str(c.get("text")) for c in plan.get("checks") or () if c.get("level") == "blocker"]


def lines(name: str, plan: Plan, *, colour: bool) -> list[str]:
    """The plan for people."""
    if not is_change(plan):
        return [f"{name}: nothing to change", *_checks(plan, colour)]
    counts = [f"{n} {what.replace('_', ' ')}" for what, n in (plan.get("counts") or {}).items() if n]
    disruption = str(plan.get("disruption") or "none")
    head = f"{name}: {', '.join(counts) or 'nothing touched'}; disruption: "
    shown = [text.clean(head) + text.paint(disruption, _DISRUPTION.get(disruption, ""), colour)]
    for change in plan.get("changes") or ():
        old, new = _value(change.get("from")), _value(change.get("to"))
        effect = f"  ({change['effect']})" if change.get("effect") else ""
        shown.append(text.clean(f"  ~ {change.get('path')}: {old} → {new}{effect}"))
    for step in plan.get("steps") or ():
        usual = f" (usually {text.span(float(step['usual_seconds']))})" if step.get("usual_seconds") else ""
        shown.append(text.clean(f"  {step.get('order')}. {step.get('instance')}: {step.get('does')}{usual}"))
    return shown + _checks(plan, colour)


def _value(value: Any) -> str:
    return "(unset)" if value is None else json.dumps(value, ensure_ascii=False)


def _checks(plan: Plan, colour: bool) -> list[str]:
    found = []
    for check in plan.get("checks") or ():
        mark, tone = _LEVELS.get(str(check.get("level")), ("·", ""))
        found.append(text.paint(f"  {mark} {text.clean(check.get('text'))}", tone, colour))
    return found

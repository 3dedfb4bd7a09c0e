"""Turns the words of the command line into values: `--set a.b=1`, `--label k=v`, `--timeout 5m`. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cli.errors import UsageProblem

_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|)")


def settings_tree(assignments: Iterable[str]) -> dict[str, Any]:
    """`["a.b=1", "c=text"]` as `{"a": {"b": 1}, "c": "text"}`. A value is JSON, or else a string."""
    tree: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        parts = key.split(".")
        if not equals or not all(parts):
            raise UsageProblem(
                f"--set {assignment!r} is not KEY=VALUE.", detail="Example: --set max_connections=50"
            )
        _place(tree, parts, _value(text), assignment)
    return tree


def _place(tree: dict[str, Any], parts: list[str], value: Any, assignment: str) -> None:
    for part in parts[:-1]:
        branch = tree.setdefault(part, {})
        if not isinstance(branch, dict):
            raise UsageProblem(f"--set {assignment!r} contradicts an earlier --set of {part!r}.")
        tree = branch
    leaf = parts[-1]
    if isinstance(tree.get(leaf), dict) and not isinstance(value, dict):
        raise UsageProblem(f"--set {assignment!r} contradicts an earlier --set below {leaf!r}.")
    tree[leaf] = value


def _value(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except ValueError:
        return text


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def pairs(words: Iterable[str], option: str) -> dict[str, str]:
    """`["team=core"]` as a mapping of strings."""
    found: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not key or not equals:
            raise UsageProblem(f"{option} {word!r} is not KEY=VALUE.")
        found[key] = value
    return found


def seconds(text: str) -> float:
    """`30`, `30s`, `5m`, `1h`, `2d` or `500ms` as seconds."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise UsageProblem(f"{text!r} is not a duration.", detail="Write 30, 30s, 5m or 1h.")
    return float(match[1]) * _UNITS[match[2]]


def days(text: str) -> float:
    """A duration in days, whole where it is."""
    found = seconds(text) / 86400
    return int(found) if found == int(found) else found


def moment(text: str, now: datetime | None = None) -> datetime:
    """A time: RFC 3339, or how long ago, as `10m`."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        ago = _DURATION.fullmatch(text.strip())
        if ago is None:
            raise UsageProblem(
                f"{text!r} is no time.", detail="Write how long ago (10m, 2h, 3d), or 2026-11-21T14:00:00Z."
            ) from None
        try:
            return (now or datetime.now(UTC)) - timedelta(seconds=seconds(text))
        except OverflowError:
            raise UsageProblem(f"{text!r} is too long.", detail="Days go up to some 700,000.") from None
    return found if found.tzinfo else found.astimezone()


def later(text: str, now: datetime | None = None) -> datetime:
    """A time to come: RFC 3339, or how long from now, as `2h`."""
    now = now or datetime.now(UTC)
    found = moment(text, now)
    try:
        return now + (now - found) if _DURATION.fullmatch(text.strip()) else found
    except OverflowError:
        raise UsageProblem(f"{text!r} is too long.", detail="Days go up to some 700,000.") from None


def merge_patch(current: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The merge patch (RFC 7396) that turns `current` into `wanted`: what is not wanted becomes null."""
    patch: dict[str, Any] = {key: None for key in current if key not in wanted}
    for key, value in wanted.items():
        old = current.get(key)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            inner = merge_patch(old, value)
            if inner:
                patch[key] = inner
        elif key not in current or old != value:
            patch[key] = value
    return patch


def without_empty(body: Mapping[str, Any]) -> dict[str, Any]:
    """Only what was said: an option that was not given is not sent."""
    return {k: v for k, v in body.items() if v is not None and v not in ({}, [], ())}

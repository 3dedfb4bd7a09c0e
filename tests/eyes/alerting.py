"""The rules, and Prometheus as it is installed: what the tests of alerts share."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parents[2] / "deploy" / "monitoring"
RULES = FOLDER / "rules.yml"


def rules() -> dict[str, dict[str, Any]]:
    """Every alert by its name."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def program(name: str) -> str:
    """Where a program of Prometheus' package is."""
    found = shutil.which(name)
    assert found, f"{name} is missing: install Debian's packages prometheus and prometheus-alertmanager"
    return found


def quickened(text: str) -> str:
    """A copy of the rules for a test that can neither wait nor fill a disk.

    No `for`, windows of seconds; the bounds of disk and feed are such that any is beyond them. All else is kept.
    """
    text = re.sub(r"for: \w+", "for: 0s", text)
    text = re.sub(r"\[(15|5)m\]", "[20s]", text)
    return text.replace("< 1e9", "< 1e18").replace("berth_feed_lag_seconds > 10", "berth_feed_lag_seconds >= 0")


def names_in(query: str) -> set[str]:
    """The metrics that a query reads."""
    bare = re.sub(r'"[^"]*"', "", re.sub(r"\{[^}]*\}", "", query))
    bare = re.sub(r"(by|without|on|ignoring)\s*\([^)]*\)", "", bare)
    return set(re.findall(r"\b(?:berth_\w+|launch_\w+|termination_\w+|state_\w+|websocket_\w+)", bare))

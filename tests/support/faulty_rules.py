"""What the faulty proxy does to which requests: rules, their counters, and a short memory of what came by.

Used by the proxy's own process (`faulty_proxy_server.py`); tests write rules through `faulty_proxy.py`.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from collections import deque
from dataclasses import dataclass, field
from typing import Any

EFFECTS = (
    "pass",  # only count, and `delay`
    "refuse",  # answer `status`, `answer` instead of forwarding
    "lose_answer",  # forward, take the answer, drop the connection
    "error_after_success",  # forward, throw the answer away, answer `status`, `answer`
    "hang",  # do not forward until released; never, if the client leaves first
    "hang_after_success",  # forward, and hold the answer back until released or the client leaves
    "cut",  # forward, stream the answer for `seconds`, then drop the connection in the middle
    "close",  # drop the connection without reading on
)
AFTERWARDS = frozenset({"lose_answer", "error_after_success", "hang_after_success"})


@dataclass
class Rule:
    """One order. `skip` matches pass first; then it applies `times` times (-1: for ever)."""

    id: int
    effect: str
    method: str | None = None
    path: str | None = None
    body: str | None = None
    skip: int = 0
    times: int = 1
    delay: float = 0.0
    seconds: float = 0.0
    status: int = 503
    answer: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    matched: int = 0
    applied: int = 0
    released: asyncio.Event = field(default_factory=asyncio.Event)

    @classmethod
    def parse(cls, number: int, order: dict[str, Any]) -> Rule:
        if order.get("effect") not in EFFECTS:
            raise ValueError(f"effect must be one of {', '.join(EFFECTS)}")
        rule = cls(id=number, **order)
        for pattern in (rule.method, rule.path, rule.body):
            re.compile(pattern or "")
        return rule

    def may_match(self, method: str, path: str) -> bool:
        return bool(
            (self.method is None or re.fullmatch(self.method, method, re.IGNORECASE))
            and (self.path is None or re.search(self.path, path))
        )

    def matches(self, method: str, path: str, body: bytes) -> bool:
        if not self.may_match(method, path):
            return False
        return self.body is None or re.search(self.body, body.decode("utf-8", "replace")) is not None

    def takes(self) -> bool:
        """Count one match; whether the effect applies to it."""
        self.matched += 1
        due = self.matched > self.skip and (self.times < 0 or self.applied < self.times)
        self.applied += due
        return due

    def facts(self) -> dict[str, Any]:
        return {"id": self.id, "effect": self.effect, "matched": self.matched, "applied": self.applied}


class Book:
    """All rules in the order they were given: the first that applies to a request has it."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self.rules: dict[int, Rule] = {}
        self.requests: deque[dict[str, Any]] = deque(maxlen=20_000)

    def add(self, order: dict[str, Any]) -> Rule:
        rule = Rule.parse(next(self._numbers), order)
        self.rules[rule.id] = rule
        return rule

    def drop(self, number: int | None = None) -> None:
        """Also lets go what the rule holds."""
        for rule in list(self.rules.values()):
            if number in (None, rule.id):
                rule.released.set()
                del self.rules[rule.id]

    def release(self, number: int) -> None:
        """Let go what hangs now, and no longer hold anything new."""
        self.rules[number].released.set()

    def wants_body(self, method: str, path: str) -> bool:
        return any(rule.body is not None and rule.may_match(method, path) for rule in self.rules.values())

    def take(self, method: str, path: str, body: bytes) -> tuple[Rule | None, float]:
        """The rule that has this request, and how long it waits first. `pass` rules share it."""
        chosen, delay = None, 0.0
        for rule in self.rules.values():
            if rule.matches(method, path, body) and rule.takes():
                delay += rule.delay
                if rule.effect != "pass":
                    chosen = rule
                    break
        self.requests.append({"method": method, "path": path, "effect": chosen.effect if chosen else None})
        return chosen, delay

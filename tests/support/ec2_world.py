"""What the EC2 double knows beyond moto: instances on their way, tokens, capacity, quotas, throttling.

Held by the double's own process (`ec2_double.py`). Tests give it delays and faults; states move by its own clock.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, dataclass, field, fields
from typing import Any

CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}


class Refusal(Exception):
    """An answer of EC2 that says no."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


@dataclass
class Settings:
    """All that a test may configure. Seconds, unless the name says otherwise."""

    pending: float = 0.3
    stopping: float = 0.3
    shutting_down: float = 0.3
    terminated_visible: float = 30.0
    hidden: float = 0.0
    """DescribeInstances and all verbs do not find what was launched so recently."""
    untagged: float = 0.0
    """What was launched so recently is found by its id only, and without tags."""
    initializing: float = 0.2
    """Status checks show `initializing` so long after the start."""
    impaired: bool = False
    """Status checks of everything that runs fail."""
    token_honoured: bool = True
    capacity: dict[str, int] = field(default_factory=dict)
    """Instances that a zone has room for; a zone that is not named has no limit."""
    instance_limit: int | None = None
    vcpu_limit: int | None = None
    """One vCPU per instance: what counts is the code of the refusal."""
    buckets: dict[str, list[float]] = field(default_factory=dict)
    """`run`, `change`, `describe`: [size, refill per second]."""
    launch_failures: int = 0
    """So many launches are accepted and end by themselves, for `launch_failure`."""
    launch_failure: str = "Server.InternalError"

    def change(self, values: dict[str, Any]) -> None:
        known = {one.name for one in fields(self)}
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"no setting {name}; there are: {', '.join(sorted(known))}")
            setattr(self, name, value)


@dataclass
class Life:
    """One instance: what it is, what it becomes, and when."""

    id: str
    zone: str
    born: float
    state: str
    becomes: str
    at: float
    reason: str = ""
    up_since: float = 0.0

    def shown(self, now: float) -> str:
        return self.becomes if now >= self.at else self.state

    def move(self, state: str, becomes: str, now: float, seconds: float) -> None:
        self.state, self.becomes, self.at = state, becomes, now + seconds


class Clock:
    """The world's time. Held, it stands still: a slow test sees what lasts only a moment."""

    def __init__(self) -> None:
        self._behind = 0.0
        self._held: float | None = None

    def now(self) -> float:
        return time.monotonic() - self._behind if self._held is None else self._held

    def hold(self) -> None:
        self._held = self.now()

    def advance(self, seconds: float) -> None:
        """While it is held."""
        if self._held is not None:
            self._held += seconds

    def go_on(self) -> None:
        if self._held is not None:
            self._behind = time.monotonic() - self._held
            self._held = None


class Bucket:
    """EC2's own kind of throttling: a bucket of requests that refills steadily."""

    def __init__(self) -> None:
        self._tokens: float | None = None
        self._at = 0.0

    def take(self, size: float, refill: float, now: float) -> bool:
        tokens = size if self._tokens is None else min(size, self._tokens + (now - self._at) * refill)
        self._at = now
        self._tokens = tokens - 1 if tokens >= 1 else tokens
        return tokens >= 1


class World:
    """Everything under one lock, which the double's server holds."""

    def __init__(self) -> None:
        self.settings = Settings()
        self.clock = Clock()
        self.lives: dict[str, Life] = {}
        self.calls: list[dict[str, Any]] = []
        self._tokens: dict[str, tuple[str, str | None]] = {}
        self._buckets: dict[str, Bucket] = {}

    def reset(self) -> None:
        self.__init__()  # type: ignore[misc]

    def throttle(self, action: str) -> None:
        kind = "run" if action == "RunInstances" else "describe" if action[:3] in ("Des", "Get") else "change"
        limits = self.settings.buckets.get(kind)
        if limits is None:
            return
        if not self._buckets.setdefault(kind, Bucket()).take(limits[0], limits[1], time.monotonic()):
            raise Refusal("RequestLimitExceeded", "Request limit exceeded.", 503)

    def remembered(self, token: str | None, parameters: dict[str, str]) -> Life | None:
        """The instance that this token made before. The token counts from its first use, successful or not."""
        if token is None or not self.settings.token_honoured:
            return None
        text = json.dumps({k: v for k, v in parameters.items() if k != "ClientToken"}, sort_keys=True)
        print_ = hashlib.sha256(text.encode()).hexdigest()
        used = self._tokens.setdefault(token, (print_, None))
        if used[0] != print_:
            raise Refusal(
                "IdempotentParameterMismatch",
                "The client token was used with other parameters before.",
            )
        return self.lives.get(used[1] or "")

    def make_room(self, zone: str, now: float) -> None:
        """Refuse what the zone, or the account, has no room for."""
        held = [life for life in self.lives.values() if life.shown(now) not in ("terminated", "shutting-down")]
        limits = self.settings
        if limits.instance_limit is not None and len(held) >= limits.instance_limit:
            raise Refusal("InstanceLimitExceeded", f"Your quota allows for {limits.instance_limit} instances.")
        if limits.vcpu_limit is not None and len(held) >= limits.vcpu_limit:
            raise Refusal(
                "VcpuLimitExceeded",
                "You have requested more vCPU capacity than your current vCPU limit allows.",
            )
        room = limits.capacity.get(zone)
        if room is not None and sum(life.zone == zone for life in held) >= room:
            raise Refusal(
                "InsufficientInstanceCapacity",
                f"We currently do not have sufficient capacity in the Availability Zone you requested ({zone}).",
                500,
            )

    def born(self, instance_id: str, zone: str, token: str | None) -> Life:
        now, limits = self.clock.now(), self.settings
        life = Life(instance_id, zone, now, "pending", "running", now + limits.pending)
        life.up_since = life.at
        if limits.launch_failures > 0:
            limits.launch_failures -= 1
            life.becomes, life.reason = "terminated", limits.launch_failure
        self.lives[instance_id] = life
        if token is not None and token in self._tokens:
            self._tokens[token] = (self._tokens[token][0], instance_id)
        return life

    def visible(self, instance_id: str, now: float) -> Life | None:
        """Not yet, in between, or no more."""
        life = self.lives.get(instance_id)
        if life is None or now < life.born + self.settings.hidden:
            return None
        if life.shown(now) == "terminated" and now >= life.at + self.settings.terminated_visible:
            return None
        return life

    def tagged(self, life: Life, now: float) -> bool:
        return now >= life.born + self.settings.untagged

    def need(self, ids: list[str], now: float) -> list[Life]:
        found = {one: self.visible(one, now) for one in ids}
        missing = [one for one, life in found.items() if life is None]
        if missing:
            plural = len(missing) > 1
            verb = f"IDs '{', '.join(missing)}' do" if plural else f"ID '{missing[0]}' does"
            raise Refusal("InvalidInstanceID.NotFound", f"The instance {verb} not exist")
        return [life for life in found.values() if life is not None]

    def truth(self) -> list[dict[str, Any]]:
        """Every instance that ever was, with its state now: what a person with a badge would see."""
        now = self.clock.now()
        return [
            {**asdict(life), "state": life.shown(now), "age": round(now - life.born, 3)}
            for life in self.lives.values()
        ]

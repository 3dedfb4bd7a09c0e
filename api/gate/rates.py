"""Rate limits of principals, at the gate. The buckets are shared by all API processes (`services.access.rates`).

A process takes some tokens of a bucket at once and gives them out by itself for a moment, so that one request in
many costs a statement. Who is nobody yet is limited by address, in this process alone; what billing
signed is not a stranger's.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from ipaddress import ip_network

import structlog
from sqlalchemy.exc import SQLAlchemyError

from api.threads import in_thread
from db.session import Database
from domain.specs import Caller
from services.access import rates
from services.access.rates import Grant, Policy
from settings import Settings

log = structlog.get_logger("api")
_SHARES = 50
"""A process takes at most this part of a quota at once."""
_HELD_SECONDS = 2.0
_REFILL_SECONDS = 5.0
_MOST_KNOWN = 10_000


@dataclass
class _Held:
    """Tokens that this process has taken, and what it knows of the rest."""

    mine: int = 0
    left: float = 0.0
    until: float = 0.0
    empty_until: float = 0.0
    refilling: asyncio.Lock = field(default_factory=asyncio.Lock)

    def use(self) -> bool:
        """One of those that are held, where there is one."""
        if self.mine < 1 or time.monotonic() >= self.until:
            return False
        self.mine -= 1
        return True


@dataclass(frozen=True)
class Standing:
    """How a principal stands with one policy, after this request."""

    policy: Policy
    allowed: bool
    remaining: int
    seconds: int
    """Until the quota is whole again; when refused, until one more is there."""

    @property
    def headers(self) -> dict[str, str]:
        """As the draft on rate limit headers has them."""
        standing = f'"{self.policy.name}";r={self.remaining};t={self.seconds}'
        found = {"RateLimit-Policy": self.policy.header, "RateLimit": standing}
        return found if self.allowed else {**found, "Retry-After": str(self.seconds)}


class Rates:
    """Belongs to the event loop."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._reads = Policy("read", settings.rate_reads)
        self._writes = Policy("write", settings.rate_writes)
        self._deliveries = Policy("delivery", settings.rate_writes)
        self._strangers = Policy("stranger", settings.rate_strangers)
        self._held: OrderedDict[str, _Held] = OrderedDict()

    async def take(self, caller: Caller, method: str) -> Standing:
        """One request of `caller`."""
        policy = self._reads if method in {"GET", "HEAD", "OPTIONS"} else self._writes
        return await self._taken(policy, caller.credential or caller.name)

    async def delivery(self) -> Standing:
        """One request that billing has signed, from whatever address."""
        return await self._taken(self._deliveries, "billing")

    async def _taken(self, policy: Policy, who: str) -> Standing:
        key = f"{policy.name}/{who}"
        held = self._known(key)
        if held.use():
            return _standing(policy, held, allowed=True)
        async with held.refilling:  # one asks for a share; who came with it is served of that, and takes no other
            if held.use():
                return _standing(policy, held, allowed=True)
            now = time.monotonic()
            if now < held.empty_until:
                return _standing(policy, held, allowed=False, seconds=max(1, round(held.empty_until - now)))
            if await self._refill(key, policy, held):
                return _standing(policy, held, allowed=True)
            held.empty_until = time.monotonic() + policy.seconds_for(1 - held.left)
            return _standing(policy, held, allowed=False, seconds=policy.seconds_for(1 - held.left))

    def stranger(self, remote: str) -> Standing:
        """One request that shows no token and no signature, or a wrong one."""
        return self._local(f"stranger/{_network(remote)}")

    def refused(self, remote: str) -> Standing:
        """One refusal of nobody known. Apart from the above: other sites' pages must not use up a login's rate."""
        return self._local(f"refused/{_network(remote)}")

    def proven(self, remote: str) -> None:
        """Who counted as a stranger a moment ago is none."""
        held = self._known(f"stranger/{_network(remote)}")
        held.left = min(self._strangers.quota, held.left + 1)

    def _local(self, key: str) -> Standing:
        """One from a bucket of this process alone."""
        policy, now = self._strangers, time.monotonic()
        held = self._known(key)
        grown = (now - held.until) * policy.quota / policy.window
        held.left = min(policy.quota, held.left + grown) if held.until else float(policy.quota)
        held.until = now
        if held.left < 1:
            return _standing(policy, held, allowed=False, seconds=policy.seconds_for(1 - held.left))
        held.left -= 1
        return _standing(policy, held, allowed=True)

    def _known(self, key: str) -> _Held:
        held = self._held.setdefault(key, _Held())
        self._held.move_to_end(key)
        while len(self._held) > _MOST_KNOWN:
            self._held.popitem(last=False)
        return held

    async def _refill(self, key: str, policy: Policy, held: _Held) -> bool:
        """Take a share and use one of it. While the records do not answer nobody is limited."""
        want = max(1, policy.quota // _SHARES)
        try:
            grant = await in_thread(_REFILL_SECONDS, self._take, key, policy, want)
        except (SQLAlchemyError, TimeoutError) as error:
            log.warning("rates cannot be asked", kind=type(error).__name__)
            grant = Grant(want, policy.quota)
        held.left = grant.left
        if grant.granted < 1:
            return False
        held.mine = grant.granted - 1
        held.until = time.monotonic() + _HELD_SECONDS
        return True

    def _take(self, key: str, policy: Policy, want: int) -> Grant:
        with self._database.begin() as tx:
            return rates.take(tx, key, policy, want)


def _network(remote: str) -> str:
    """Whose address it is: of IPv6 everybody has 64 bits for himself."""
    try:
        return str(ip_network((remote, 64), strict=False)) if ":" in remote else remote
    except ValueError:
        return remote


def _standing(policy: Policy, held: _Held, *, allowed: bool, seconds: int | None = None) -> Standing:
    left = max(0, int(held.left)) + max(0, held.mine)
    whole = policy.seconds_for(policy.quota - left) if left < policy.quota else 0
    return Standing(policy, allowed, left if allowed else 0, whole if seconds is None else seconds)

"""Rates shared by all API processes: token buckets in one unlogged table, one statement for each question.

`api.gate.rates` asks for several at once and gives them out itself, so that most requests cost no statement;
acceptance asks for one, in its own transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, text

from db.models import RateBucket
from db.session import Tx
from domain.errors import Refused

FORGOTTEN = timedelta(hours=1)
"""A bucket that nobody asked for so long is full again anyway."""

# What there is now, at most the whole quota, less what is taken. Without a row the bucket is full.
_TAKE = text(
    """
    insert into rate_buckets as b (key, tokens, granted, at)
    values (:key, :quota - least(:want, :quota), least(:want, :quota), clock_timestamp())
    on conflict (key) do update set
        granted = least(:want, floor(least(:quota, b.tokens
            + extract(epoch from clock_timestamp() - b.at) * :quota / :window))),
        tokens = least(:quota, b.tokens + extract(epoch from clock_timestamp() - b.at) * :quota / :window)
            - least(:want, floor(least(:quota, b.tokens
            + extract(epoch from clock_timestamp() - b.at) * :quota / :window))),
        at = clock_timestamp()
    returning tokens, granted
    """
)


@dataclass(frozen=True)
class Policy:
    """`quota` requests in `window` seconds; all of them may come at once."""

    name: str
    quota: int
    window: int = 60

    @property
    def header(self) -> str:
        """As `RateLimit-Policy` names it."""
        return f'"{self.name}";q={self.quota};w={self.window}'

    def seconds_for(self, tokens: float) -> int:
        """How long until so many have grown, rounded up."""
        return max(1, -int(-tokens * self.window // self.quota))


@dataclass(frozen=True)
class Grant:
    """How many were given, and how many are left for others."""

    granted: int
    left: float


class RateLimited(Refused):
    """Too many requests of one kind."""

    code = "rate-limited"

    def __init__(self, policy: Policy, whose: str, retry_after: int) -> None:
        super().__init__(
            f"At most {policy.quota} requests ({policy.name}) in {policy.window} s for {whose}; "
            f"try again in {retry_after} s."
        )
        self.policy = policy
        self.retry_after = retry_after


def take(tx: Tx, key: str, policy: Policy, want: int = 1) -> Grant:
    """Up to `want` from the bucket `key`. The row stays locked until the transaction ends."""
    values: dict[str, Any] = {"key": key, "quota": policy.quota, "window": policy.window, "want": want}
    row = tx.run(_TAKE, values).one()
    return Grant(int(row.granted), float(row.tokens))


def forget(tx: Tx) -> None:
    """Drop the buckets that are full again."""
    tx.run(delete(RateBucket).where(RateBucket.at < tx.now - FORGOTTEN))

"""What billing can say of a customer, a deployment or an instance, and which of two words stands.

Level-triggered: a delivery is a fact with a time of its own. The newest fact of each kind stands, in whatever
order the deliveries arrive; what follows from it is decided later, from the records.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from domain.lifecycle import BillingStatus

TOLERANCE = timedelta(minutes=5)
"""How far clocks may differ: a fact from further ahead is refused."""


class Verdict(StrEnum):
    """What became of a delivery."""

    APPLIED = "applied"
    SUPERSEDED = "superseded"
    IGNORED = "ignored"
    REFUSED = "refused"


class SubjectKind(StrEnum):
    """What a delivery is about."""

    CUSTOMER = "customer"
    DEPLOYMENT = "deployment"
    INSTANCE = "instance"


class Subscription(StrEnum):
    """Whether the owner wants to keep it."""

    ACTIVE = "active"
    CANCELLED = "cancelled"


class EventType(StrEnum):
    """What billing tells."""

    PAYMENT_FAILED = "payment.failed"
    PAYMENT_SUCCEEDED = "payment.succeeded"
    SUBSCRIPTION_CANCELLED = "subscription.cancelled"
    SUBSCRIPTION_ACTIVATED = "subscription.activated"

    @property
    def payment(self) -> bool:
        """Whether it is about a payment; else about the subscription. The two are ordered apart."""
        return self in {EventType.PAYMENT_FAILED, EventType.PAYMENT_SUCCEEDED}


BILLING_AFTER = {
    EventType.PAYMENT_FAILED: BillingStatus.PAYMENT_REQUIRED,
    EventType.PAYMENT_SUCCEEDED: BillingStatus.PAID,
}
SUBSCRIPTION_AFTER = {
    EventType.SUBSCRIPTION_CANCELLED: Subscription.CANCELLED,
    EventType.SUBSCRIPTION_ACTIVATED: Subscription.ACTIVE,
}
_MILD = {EventType.PAYMENT_SUCCEEDED, EventType.SUBSCRIPTION_ACTIVATED}


def event_type(word: str) -> EventType | None:
    """The type behind a word, however it is spelt; None for one that means nothing here."""
    spelt = word.strip().lower().replace("_", ".").replace("canceled", "cancelled")
    return EventType(spelt) if spelt in set(EventType) else None


@dataclass(frozen=True)
class Fact:
    """One delivery's content."""

    type: EventType
    occurred_at: datetime


def stands_over(fact: Fact, known_at: datetime | None) -> bool:
    """Whether `fact` is newer than what is known. At the very same instant the milder word stands."""
    if known_at is None or fact.occurred_at > known_at:
        return True
    return fact.occurred_at == known_at and fact.type in _MILD


def kept_back(subscription: Subscription | None, protected: bool, refused: str | None) -> str | None:
    """What keeps a deployment whose subscription is cancelled, in words; None where nothing does.

    `refused`: why its delete was refused last.
    """
    if subscription is not Subscription.CANCELLED:
        return None
    if protected:
        kept = "only deletion protection keeps it: it is deleted with its data as soon as that is turned off"
        return f"billing cancelled its subscription; {kept}"
    return None if refused is None else f"billing cancelled its subscription; its deletion is refused: {refused}"


def concerns(fact: Fact, made_at: datetime) -> bool:
    """Whether `fact` can be about something made then: an old cancellation must not take what came after it.

    A payment may be told by a clock that is a little behind; a cancellation gets no such allowance.
    """
    allowance = TOLERANCE if fact.type.payment else timedelta()
    return fact.occurred_at + allowance >= made_at

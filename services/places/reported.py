"""What workers report of the providers that they can reach, and what acceptance and people make of it.

A provider is the place that it was when Berth first used it: a daemon, a cluster, an account. Another one under
the same name knows nothing of what was made, so nothing that it does not show counts as gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from db.models import Instance, Meta, ProviderPlace
from db.session import Tx
from domain.errors import ProviderUnavailable
from providers.registry import PROVIDERS
from services.places.placement import SILENT_AFTER

Reports = dict[str, list[dict[str, Any]]]
"""What every worker found, by provider."""


@dataclass(frozen=True)
class PlaceFacts:
    """One provider as a worker found it. `accepted`: the identity that an operator has acknowledged."""

    provider: str
    configured: bool
    reason: str | None
    identity: str | None
    accepted: str | None = None


@dataclass(frozen=True)
class Verdict:
    """`swapped`: it answers, but is another place than the one where Berth's objects are; why, in words."""

    swapped: str | None


@dataclass(frozen=True)
class Reporter:
    """Who reports: the worker's host id and its name."""

    host_id: str
    name: str


def note_places(tx: Tx, reporter: Reporter, found: Sequence[PlaceFacts]) -> dict[str, Verdict]:
    """Store what a worker found; returns what each provider is to be taken for."""
    verdicts = {}
    for facts in found:
        swapped = _swapped(tx, reporter.host_id, facts) if facts.identity is not None else None
        reason = facts.reason or swapped
        values = {
            "agent": reporter.name,
            "configured": facts.configured,
            "available": facts.configured and reason is None,
            "reason": reason,
            "identity": facts.identity,
            "checked_at": tx.now,
        }
        tx.run(
            insert(ProviderPlace)
            .values(provider=facts.provider, host_id=reporter.host_id, **values)
            .on_conflict_do_update(index_elements=["provider", "host_id"], set_=values)
        )
        verdicts[facts.provider] = Verdict(swapped)
    return verdicts


def _swapped(tx: Tx, host_id: str, facts: PlaceFacts) -> str | None:
    """Whether the provider is another one than recorded. Where Berth holds nothing there, it is simply taken."""
    on_host = PROVIDERS[facts.provider].on_host
    key = f"provider_identity/{facts.provider}" + (f"/{host_id}" if on_host else "")
    tx.run(insert(Meta).values(key=key, value=facts.identity).on_conflict_do_nothing())
    recorded = tx.session.scalar(select(Meta.value).where(Meta.key == key))
    if recorded == facts.identity:
        return None
    held = exists().where(Instance.provider == facts.provider)
    if on_host:
        held = held.where(Instance.host_id == host_id)
    if facts.accepted == facts.identity or not tx.session.scalar(select(held)):
        tx.run(update(Meta).where(Meta.key == key).values(value=facts.identity))
        return None
    return (
        f"{facts.provider} is another place than the one that holds its instances "
        f"({facts.identity}, not {recorded}): lead it back there, or, when it is meant, set "
        f"BERTH_{facts.provider.upper()}_ACCEPT_IDENTITY={facts.identity}"
    )


def places(session: Session) -> Reports:
    """Every report by provider, the best first; a stale one says so and is not available."""
    age = func.extract("epoch", func.now() - ProviderPlace.checked_at)
    rows = session.execute(select(ProviderPlace, age.label("age")).order_by(ProviderPlace.agent))
    found: Reports = {}
    for row, seconds in rows:
        found.setdefault(row.provider, []).append(_place(row, float(seconds)))
    for listed in found.values():
        listed.sort(key=lambda place: (not place["available"], not place["configured"]))
    return found


def _place(row: ProviderPlace, age: float) -> dict[str, Any]:
    stale = age > SILENT_AFTER.total_seconds()
    return {
        "host_id": row.host_id,
        "agent": row.agent,
        "configured": row.configured,
        "available": row.available and not stale,
        "reason": _unheard(row.agent, age) if stale else row.reason,
        "identity": row.identity,
        "checked_at": row.checked_at,
    }


def _unheard(agent: str, age: float) -> str:
    return f"{agent}, which serves it, was last heard of {_ago(age)} ago"


def _ago(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def why_not_here(provider: str, reports: Reports) -> str | None:
    """Why a provider cannot be used, from `places`; None when some worker can reach it."""
    mine = reports.get(provider, [])
    if not mine and PROVIDERS[provider].local_only:
        return None
    if not mine:
        return f"no worker offers it; configure it and start one: `berth-worker --provider {provider}`"
    return None if mine[0]["available"] else str(mine[0]["reason"])


def check_configured(tx: Tx, provider: str) -> None:
    """Refuse a new deployment where no live worker has the provider configured. Raises `ProviderUnavailable`.

    Another place than the one that holds its instances counts as none. One that is configured and does not answer
    at the moment is taken: the operation says what is wrong.
    """
    entry = PROVIDERS[provider]
    if entry.local_only:
        return
    age = func.extract("epoch", tx.now - ProviderPlace.checked_at).label("age")
    key = func.concat(f"provider_identity/{provider}", *(("/", ProviderPlace.host_id) if entry.on_host else ()))
    recorded = select(Meta.value).where(Meta.key == key).scalar_subquery()
    usable = (ProviderPlace.configured & (ProviderPlace.identity == recorded).is_not(False)).label("configured")
    rows = tx.session.execute(
        select(ProviderPlace.agent, usable, ProviderPlace.reason, age)
        .where(ProviderPlace.provider == provider)
        .order_by(usable.desc(), ProviderPlace.checked_at.desc())
    ).all()
    best = rows[0] if rows else None
    if entry.on_host and (best is None or best.configured):
        return  # which host takes it is asked next
    why = best.reason if best else None
    if best is not None and best.configured:
        if best.age <= SILENT_AFTER.total_seconds():
            return
        why = _unheard(best.agent, float(best.age))
    raise ProviderUnavailable(provider, (why or why_not_here(provider, {}) or "").rstrip("."))

"""The sweep of orphans over all providers and hosts: first what would go; the removal when it is asked for."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fastapi import APIRouter, Response
from fastapi.concurrency import run_in_threadpool

from api import schemas
from api.access import needs
from api.answers import ok
from api.asks import Place
from api.dependencies import BodyDep, CallerDep, PartsDep, now
from api.docs import takes
from api.parts import Parts
from db.queries import figures
from domain.access import Right
from domain.errors import NotFound, Refused
from domain.specs import Caller
from providers.registry import PROVIDERS
from services.forms.bodies import SweepBody
from services.forms.shapes import without_nulls
from services.forms.validation import parsed
from services.places.placement import is_lost
from services.places.reported import places, why_not_here
from services.views.common import iso
from services.watching.orphans import Orphan, Spot, Why, judge

router = APIRouter(tags=["fleet"])
_FACTS = ("provider_id", "instance_id", "deployment_id", "generation", "state")


@dataclass(frozen=True)
class Line:
    """One line of the report."""

    orphan: Orphan
    outcome: str
    reason: str

    def form(self) -> dict[str, Any]:
        found = self.orphan
        return {
            "provider": found.spot.provider,
            "host_id": found.spot.host_id,
            **{name: found.item.get(name) for name in _FACTS},
            "name": found.name,
            "ended_at": iso(found.ended_at),
            "why": found.why.value,
            "outcome": self.outcome,
            "reason": self.reason,
        }


@dataclass
class Survey:
    """What the places showed, and those that could not be asked."""

    orphans: list[Orphan] = field(default_factory=list)
    unasked: list[tuple[Spot, str]] = field(default_factory=list)

    def lines(self, ids: Sequence[str] | None) -> list[Line]:
        """What a sweep of `ids` (None: of every finished life) would do to each."""
        times = Counter(orphan.provider_id for orphan in self.orphans)
        return [_planned(orphan, ids, times[orphan.provider_id]) for orphan in self.orphans]


def _planned(orphan: Orphan, ids: Sequence[str] | None, times: int) -> Line:
    named = ids is not None and orphan.provider_id in ids
    if named and times > 1 and orphan.may_go(named=True):
        orphan = replace(orphan, why=Why.AMBIGUOUS, reason=f"{times} places have an object of this id")
    if not orphan.may_go(named=named):
        return Line(orphan, "keep", orphan.reason)
    return Line(orphan, "remove", orphan.reason) if ids is None or named else Line(orphan, "keep", "not named")


@router.get(
    "/orphans", operation_id="orphans_list", response_model=schemas.OrphanReport, dependencies=[needs(Right.ADMIN)]
)
async def orphans(parts: PartsDep, provider: str | None = None) -> Response:
    """What providers hold that belongs to no living instance, asked now. Places that do not answer are named."""
    survey = await _survey(parts, provider)
    return ok(_report(survey, survey.lines(None), (), dry_run=True))


@router.post(
    "/orphans:sweep",
    operation_id="orphans_sweep",
    response_model=schemas.OrphanReport,
    openapi_extra=takes(SweepBody, required=False),
    dependencies=[needs(Right.ADMIN)],
)
async def sweep(parts: PartsDep, caller: CallerDep, body: BodyDep) -> Response:
    """Remove the objects of finished lives, and unknown ones that are named. By default only say which."""
    wanted = parsed(SweepBody, without_nulls(body))
    survey = await _survey(parts, wanted.provider)
    lines = survey.lines(wanted.ids)
    if not wanted.dry_run:
        lines = await _swept(parts, caller, survey, lines, frozenset(wanted.ids or ()))
    return ok(_report(survey, lines, wanted.ids or (), dry_run=wanted.dry_run))


def _report(survey: Survey, lines: Sequence[Line], ids: Sequence[str], *, dry_run: bool) -> dict[str, Any]:
    shown = {line.orphan.provider_id for line in lines}
    return {
        "dry_run": dry_run,
        "items": [line.form() for line in lines],
        "unasked": [
            {"provider": spot.provider, "host_id": spot.host_id, "reason": reason}
            for spot, reason in survey.unasked
        ],
        "missing": sorted(set(ids) - shown),
        "counts": dict(Counter(line.outcome for line in lines)),
    }


async def _survey(parts: Parts, provider: str | None) -> Survey:
    if provider is not None and provider not in PROVIDERS:
        raise NotFound("provider", provider)
    asked, unasked = await run_in_threadpool(_spots, parts, provider)
    survey = Survey(unasked=unasked)
    answers = await asyncio.gather(
        *(parts.asks.inventory(Place(spot.provider, spot.host_id)) for spot in asked), return_exceptions=True
    )
    for spot, answer in zip(asked, answers, strict=True):
        if isinstance(answer, Refused):
            survey.unasked.append((spot, answer.message))
        elif isinstance(answer, BaseException):
            raise answer
        else:
            survey.orphans += await run_in_threadpool(_judged, parts, spot, answer)
    return survey


def _judged(parts: Parts, spot: Spot, items: Sequence[Mapping[str, Any]]) -> list[Orphan]:
    with parts.database.read() as session:
        return judge(session, spot, items)


def _spots(parts: Parts, only: str | None) -> tuple[list[Spot], list[tuple[Spot, str]]]:
    """Every place that can be asked, and those that cannot, with the reason."""
    with parts.database.read() as session:
        hosts, reports = figures.hosts(session), places(session)
    asked: list[Spot] = []
    unasked: list[tuple[Spot, str]] = []
    for entry in PROVIDERS.values():
        if only not in (None, entry.name) or (entry.local_only and not parts.rules.local_mode):
            continue
        mine = [host for host in hosts if entry.name in host["providers"]]
        for host in mine if entry.on_host else ():
            spot, lost = Spot(entry.name, host["id"]), is_lost(host["last_seen_at"], now())
            unasked += [(spot, f"host {host['name']} has not been seen for minutes")] if lost else []
            asked += [] if lost else [spot]
        if not entry.on_host or not mine:
            reason = why_not_here(entry.name, reports)
            unasked += [(Spot(entry.name), reason)] if reason else []
            asked += [] if reason else [Spot(entry.name)]
    return asked, unasked


async def _swept(
    parts: Parts, caller: Caller, survey: Survey, lines: Sequence[Line], named: frozenset[str]
) -> list[Line]:
    """Have each place remove its own; a place that does not answer then has failed, and is named."""
    who = {"actor": caller.name, "source": caller.source.value, "project": caller.project}
    by_spot: dict[Spot, dict[str, bool]] = {}
    for line in lines:
        if line.outcome == "remove":
            mine = by_spot.setdefault(line.orphan.spot, {})
            mine[line.orphan.provider_id] = line.orphan.provider_id in named
    answers = await asyncio.gather(
        *(parts.asks.sweep(Place(spot.provider, spot.host_id), who, mine) for spot, mine in by_spot.items()),
        return_exceptions=True,
    )
    results: dict[Spot, Mapping[str, Any]] = {}
    for spot, answer in zip(by_spot, answers, strict=True):
        if isinstance(answer, Refused):
            survey.unasked.append((spot, answer.message))
            results[spot] = {key: {"outcome": "failed", "reason": answer.message} for key in by_spot[spot]}
        elif isinstance(answer, BaseException):
            raise answer
        else:
            results[spot] = answer
    return [_ended(line, results.get(line.orphan.spot, {})) for line in lines]


def _ended(line: Line, results: Mapping[str, Any]) -> Line:
    if line.outcome != "remove":
        return replace(line, outcome="kept")
    result = results[line.orphan.provider_id]
    return replace(line, outcome=result["outcome"], reason=result["reason"])

"""What there is to choose from and to work with: blueprints, providers, hosts, the table of moves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Response
from fastapi.concurrency import run_in_threadpool

from api import schemas
from api.access import needs
from api.answers import ok, unless_known
from api.asks import Place
from api.dependencies import BodyDep, CallerDep, KnownHeader, PartsDep, now
from api.docs import VERSION, takes
from api.parts import Parts
from db.queries import figures
from domain.access import Right
from domain.actions import OF_EVERY_BLUEPRINT
from domain.errors import NotFound, Unavailable
from domain.lifecycle import MOVES, Operation, Status
from domain.needs import NEEDS
from domain.operations import AVAILABLE, OPERATION_DETAILS
from providers.entry import ProviderEntry
from providers.registry import PROVIDERS
from providers.simulated_faults import fault_from
from services.forms.bodies import FaultBody
from services.forms.shapes import without_nulls
from services.forms.validation import parsed
from services.places import catalog
from services.places.placement import is_lost, is_silent
from services.places.reported import Reports, places, why_not_here
from services.views.actions import needs_form
from services.views.common import iso, lifecycle_state
from services.watching.orphans import Spot, Why, judge

router = APIRouter(tags=["fleet"])


@router.get(
    "/lifecycle", operation_id="lifecycle_get", response_model=schemas.Lifecycle, dependencies=[needs(Right.READ)]
)
async def lifecycle() -> Response:
    """The table of moves, statuses and operations: what decides everywhere."""
    return ok(
        {
            "moves": [_move(row) for row in MOVES],
            "statuses": [{"name": s.value, "lifecycle_state": lifecycle_state(s)} for s in Status],
            "operations": [_operation(operation) for operation in Operation],
            "params": {action: needs.params for action, needs in NEEDS.items() if needs.params is not None},
            "version": VERSION,
        }
    )


def _move(row: Any) -> dict[str, Any]:
    return {
        "operation": row.operation.value,
        "legal_from": sorted(s.value for s in row.legal_from),
        "during": row.during.value if row.during else None,
        "done": row.done.value,
        "failed": row.failed.value,
        "cancelled": row.cancelled.value,
        "actor": row.actor.value,
        "buttons_in": sorted(s.value for s in row.buttons_in),
        "with_hold": sorted(s.value for s in row.with_hold),
        "refused_on_hold": row.refused_on_hold,
    }


def _operation(operation: Operation) -> dict[str, Any]:
    details = OPERATION_DETAILS[operation]
    return {
        "name": operation.value,
        "label": details.label,
        "event": details.event,
        "synonyms": list(details.synonyms),
        "durable": details.durable,
        "available": operation in AVAILABLE,
        "of_every_blueprint": operation in OF_EVERY_BLUEPRINT,
        "needs": needs_form(operation.value),
    }


@router.get(
    "/blueprints",
    operation_id="blueprints_list",
    response_model=schemas.BlueprintList,
    dependencies=[needs(Right.READ)],
)
async def blueprints(parts: PartsDep) -> Response:
    """What can run, with the JSON schema of its parameters."""
    local = parts.rules.local_mode
    return ok({"items": [catalog.blueprint_form(b, local_mode=local) for b in catalog.blueprints()]})


@router.get(
    "/blueprints/{name}",
    operation_id="blueprints_get",
    response_model=schemas.BlueprintForm,
    dependencies=[needs(Right.READ)],
)
async def blueprint(parts: PartsDep, name: str, known: KnownHeader = None) -> Response:
    """One blueprint."""
    found = catalog.blueprint(name)
    if found is None:
        raise NotFound("blueprint", name)
    return unless_known(catalog.blueprint_form(found, local_mode=parts.rules.local_mode), known)


@router.get(
    "/providers",
    operation_id="providers_list",
    response_model=schemas.ProviderList,
    dependencies=[needs(Right.READ)],
)
def providers(parts: PartsDep, caller: CallerDep) -> Response:
    """Where instances can live, and why not where they cannot. Hosts and places are shown to administrators."""
    with parts.database.read() as session:
        hosts, reports = figures.hosts(session), places(session)
    items = [_provider(parts, entry, hosts, reports) for entry in PROVIDERS.values()]
    theirs: dict[str, Any] = {} if caller.may(Right.ADMIN) else {"hosts": [], "places": []}
    return ok({"items": [item | theirs for item in items]})


def _provider(parts: Parts, entry: ProviderEntry, hosts: list[dict[str, Any]], reports: Reports) -> dict[str, Any]:
    mine = [host for host in hosts if entry.name in host["providers"]]
    reason = catalog.why_unavailable(entry, local_mode=parts.rules.local_mode) or why_not_here(entry.name, reports)
    if reason is None and entry.on_host and all(host["cordoned"] for host in mine):
        reason = "every host that offers it is cordoned"
    seen = reports.get(entry.name, [])
    return {
        "name": entry.name,
        "title": entry.title,
        "description": entry.description,
        "available": reason is None,
        "configured": any(place["configured"] for place in seen),
        "reason": reason,
        "hosts": [host["name"] for host in mine],
        "places": [{**place, "checked_at": iso(place["checked_at"])} for place in seen],
    }


@router.get(
    "/hosts", operation_id="hosts_list", response_model=schemas.HostList, dependencies=[needs(Right.ADMIN)]
)
def hosts(parts: PartsDep) -> Response:
    """Machines that hold instances."""
    with parts.database.read() as session:
        rows = figures.hosts(session)
    at = now()
    items = []
    for row in rows:
        times = {name: iso(row[name]) for name in ("first_seen_at", "last_seen_at")}
        seen = row["last_seen_at"]
        items.append({**row, **times, "silent": is_silent(seen, at), "lost": is_lost(seen, at)})
    return ok({"items": items})


@router.get(
    "/providers/{name}/inventory",
    operation_id="providers_inventory",
    response_model=schemas.Inventory,
    dependencies=[needs(Right.ADMIN)],
)
async def inventory(parts: PartsDep, name: str) -> Response:
    """What the provider really holds, asked now. `orphans` are ours but belong to no living instance."""
    if name not in PROVIDERS:
        raise NotFound("provider", name)
    asked = await run_in_threadpool(_places, parts, name)
    if not asked:
        raise Unavailable(f"No worker has registered a host that offers {name}.")
    held = {Spot(name, place.host_id): await parts.asks.inventory(place) for place in asked}
    items = [{"provider": name, **item} for found in held.values() for item in found]
    return ok({"items": items, "orphans": await run_in_threadpool(_orphans, parts, held)})


def _places(parts: Parts, name: str) -> list[Place]:
    if not PROVIDERS[name].on_host:
        return [Place(name)]
    with parts.database.read() as session:
        return [Place(name, host["id"]) for host in figures.hosts(session) if name in host["providers"]]


def _orphans(parts: Parts, held: Mapping[Spot, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Our own among them; `/orphans` has the whole report."""
    with parts.database.read() as session:
        found = [orphan for spot, items in held.items() for orphan in judge(session, spot, items)]
    return [
        {"provider": orphan.spot.provider, **orphan.item, "why": orphan.why.value}
        for orphan in found
        if orphan.why is not Why.NOT_OURS
    ]


@router.get(
    "/providers/simulated/faults",
    operation_id="faults_list",
    response_model=schemas.FaultList,
    dependencies=[needs(Right.ADMIN)],
)
async def faults(parts: PartsDep) -> Response:
    """The faults that the simulated provider will act out."""
    _local_only(parts)
    return ok({"items": await parts.asks.faults({"do": "list"})})


@router.put(
    "/providers/simulated/faults",
    operation_id="faults_set",
    response_model=schemas.FaultList,
    openapi_extra=takes(FaultBody),
    dependencies=[needs(Right.ADMIN)],
)
async def set_fault(parts: PartsDep, body: BodyDep) -> Response:
    """Script a fault for what exists: `{verb, fault, times, seconds, instance}`."""
    _local_only(parts)
    given = without_nulls(body)
    parsed(FaultBody, given)
    fault_from(given)
    return ok({"items": await parts.asks.faults({"do": "set", "fault": given})})


@router.delete(
    "/providers/simulated/faults",
    operation_id="faults_clear",
    response_model=schemas.FaultList,
    dependencies=[needs(Right.ADMIN)],
)
async def clear_faults(parts: PartsDep) -> Response:
    """Take every scripted fault away."""
    _local_only(parts)
    return ok({"items": await parts.asks.faults({"do": "clear"})})


def _local_only(parts: Parts) -> None:
    if not parts.rules.local_mode:
        raise NotFound("path", "/api/v1/providers/simulated/faults")

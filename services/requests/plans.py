"""What a change would do, before anything is touched: the same decisions that acceptance takes.

Called by the API's plan routes. Reads only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from blueprints.base import Blueprint, Disruption
from db.models import Deployment, Instance
from db.queries import operations as operation_queries
from domain.changes import (
    Member,
    Scaling,
    differences,
    free_ordinals,
    member_name,
    modify_verb,
    scale,
    split_legal,
)
from domain.databases import DatabaseMode, server_name
from domain.lifecycle import Operation, Status
from domain.specs import NewDeployment, Spec
from domain.work import Form
from providers.registry import PROVIDERS
from services.forms.validation import as_document
from services.operations.acceptance import as_member, standing, with_begun_changes
from services.places import catalog
from services.places.database_checks import DATABASE_BLUEPRINT
from services.requests.edits import spec_of
from services.requests.names import taken_member
from services.views.common import JsonObject
from services.views.usual import UsualTimes

_MILD = (Disruption.NONE, Disruption.RELOAD)
_ORDER = list(Disruption)
_DOES = {
    Disruption.NONE: "change in place",
    Disruption.RELOAD: "change and reload",
    Disruption.RESTART: "change and restart",
    Disruption.REPLACE: "replace",
}


@dataclass
class _Draft:
    """A plan that is being written."""

    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(
            ("created", "changed_in_place", "restarted", "replaced", "deleted"), 0
        )
    )
    disruption: Disruption = Disruption.NONE
    changes: list[JsonObject] = field(default_factory=list)
    steps: list[JsonObject] = field(default_factory=list)
    checks: list[JsonObject] = field(default_factory=list)

    def step(self, instance: str, does: str, usual: float | None) -> None:
        form = {"order": len(self.steps) + 1, "instance": instance, "does": does}
        self.steps.append(form if usual is None else {**form, "usual_seconds": usual})

    def check(self, level: str, text: str) -> None:
        self.checks.append({"level": level, "text": text})

    def form(self) -> JsonObject:
        return {
            "counts": self.counts,
            "disruption": self.disruption.value,
            "changes": self.changes,
            "steps": self.steps,
            "checks": self.checks,
        }


def spec_hash(spec: Spec) -> str:
    """The same for specs that mean the same, whatever the values of their secrets are."""
    return hashlib.sha256(json.dumps(_document(spec), sort_keys=True).encode()).hexdigest()


def _document(spec: Spec) -> JsonObject:
    """The spec as a plan shows it; of secrets it says when each was set."""
    return {**as_document(spec), "secrets": dict(spec.revisions)}


def plan_of_change(session: Session, usual: UsualTimes, deployment: Deployment, wanted: Spec) -> JsonObject:
    """What bringing `deployment` to `wanted` would touch."""
    known = catalog.blueprint(deployment.blueprint)
    assert known is not None
    members = _members(session, deployment.id)
    scaling = scale(members, wanted.members)
    draft = _Draft()
    costs = _Costs(known, deployment.provider)
    _list_changes(draft, costs, _before(deployment, scaling.keep), _document(wanted))
    _list_steps(draft, costs, scaling, wanted, lambda verb: _usual(session, usual, verb, deployment))
    for ordinal in free_ordinals(members, scaling.missing):
        draft.counts["created"] += 1
        seconds = _usual(session, usual, Operation.CREATE, deployment)
        draft.step(member_name(deployment.name, ordinal), "create", seconds)
    _list_removals(draft, scaling, _usual(session, usual, Operation.DELETE, deployment))
    _check_change(session, draft, deployment, scaling, wanted)
    return draft.form()


def _members(session: Session, deployment_id: str) -> list[Member]:
    rows = session.scalars(
        select(Instance).where(Instance.deployment_id == deployment_id).order_by(Instance.ordinal)
    )
    holds = standing(session, deployment_id)
    return with_begun_changes(session, deployment_id, [as_member(row, holds) for row in rows])


def _before(deployment: Deployment, keep: Sequence[Member]) -> JsonObject:
    """What is: the applied spec where there is one, so that an earlier change that failed is in the plan."""
    document = _document(spec_of(deployment))
    applied = next((m.applied for m in keep if m.applied is not None), None)
    return {**document, "secrets": {}, **dict(applied)} if applied is not None else document


@dataclass(frozen=True)
class _Costs:
    """What a change costs: as the blueprint says, in the form in which the provider runs it."""

    known: Blueprint
    provider: str

    def of(self, path: str, before: Any, after: Any) -> Disruption:
        """Of one difference. A container does not reload: it is replaced by one with the new settings."""
        if not path.startswith(("/params/", "/secrets/")) or path.startswith("/params/simulate"):
            return Disruption.NONE
        found = self.known.disruption(path, before, after)
        entry = PROVIDERS.get(self.provider)
        replaced = entry is not None and entry.form is Form.CONTAINER and found is Disruption.RELOAD
        return Disruption.RESTART if replaced else found

    def worst(self, applied: Mapping[str, Any], desired: Mapping[str, Any]) -> Disruption:
        """Of all differences."""
        changes = differences({"secrets": {}, **applied}, {"secrets": {}, **desired})
        return max((self.of(*change) for change in changes), key=_ORDER.index, default=Disruption.NONE)


def _list_changes(draft: _Draft, costs: _Costs, before: JsonObject, after: JsonObject) -> None:
    for path, old, new in differences(before, after):
        effect = costs.of(path, old, new)
        draft.changes.append({"path": path, "from": old, "to": new, "effect": effect.value})


def _list_steps(draft: _Draft, costs: _Costs, scaling: Scaling, wanted: Spec, usual: Any) -> None:
    """Kept members, one after the other."""
    for member in scaling.keep:
        verb = modify_verb(member, wanted.applied())
        if verb is None:
            continue
        if verb is Operation.CREATE or member.applied is None:
            draft.counts["created"] += 1
            draft.step(member.name, "create", usual(Operation.CREATE))
            continue
        effect = costs.worst(member.applied, wanted.applied())
        if member.status is not Status.RUNNING and effect is not Disruption.REPLACE:
            effect = Disruption.NONE
        kind = (
            "changed_in_place" if effect in _MILD else "restarted" if effect is Disruption.RESTART else "replaced"
        )
        draft.counts[kind] += 1
        draft.disruption = max(draft.disruption, effect, key=_ORDER.index)
        draft.step(member.name, _DOES[effect], usual(Operation.MODIFY))


def _list_removals(draft: _Draft, scaling: Scaling, seconds: float | None) -> None:
    for member in scaling.remove:
        draft.counts["deleted"] += 1
        draft.step(member.name, "delete with its data", seconds)
        draft.check("warning", f"{member.name} is deleted with its data, for good.")


def _check_change(session: Session, draft: _Draft, deployment: Deployment, scaling: Scaling, wanted: Spec) -> None:
    holder = operation_queries.holders(session, [deployment.id]).get(deployment.id)
    if holder is not None:
        draft.check("blocker", f"{holder.kind} {holder.id} holds this deployment; wait for it or cancel it.")
    ordinals = free_ordinals(_members(session, deployment.id), scaling.missing)
    taken = taken_member(session, deployment.project, [member_name(deployment.name, n) for n in ordinals])
    if taken is not None:
        draft.check("blocker", f"Something else has the name {taken}, which a new member would get.")
    touched = [m for m in scaling.keep if modify_verb(m, wanted.applied()) is not None]
    if holder is None:
        for _, refusal in split_legal(touched, Operation.MODIFY)[1]:
            draft.check("blocker", refusal.message)
    for member in touched:
        if member.status is Status.ERROR:
            draft.check("warning", f"{member.name} is in error; the change tries to mend it.")
    if draft.disruption is Disruption.RESTART:
        draft.check("warning", "Connections drop while an instance restarts; members restart one after the other.")
    if not draft.steps:
        draft.check("ok", "No instance is touched.")
    elif not draft.checks:
        draft.check("ok", "All values are valid, and nothing speaks against it.")


def plan_of_creation(
    session: Session, usual: UsualTimes, wanted: NewDeployment, obstacles: Sequence[str]
) -> JsonObject:
    """What making `wanted` would do. `obstacles` are what acceptance would refuse now."""
    draft = _Draft()
    for path, _, new in differences({}, _document(wanted.spec)):
        if new not in (None, {}, []):
            draft.changes.append({"path": path, "from": None, "to": new, "effect": Disruption.NONE.value})
    if (wanted.spec.database or {}).get("mode") == DatabaseMode.DEDICATED:
        own = usual.of_kind(session, Operation.CREATE, DATABASE_BLUEPRINT, wanted.provider)
        draft.counts["created"] += 1
        draft.step(server_name(wanted.name), "create, for its database", own.total["p50"] if own else None)
    found = usual.of_kind(session, Operation.CREATE, wanted.blueprint, wanted.provider)
    for ordinal in range(1, wanted.spec.members + 1):
        draft.counts["created"] += 1
        draft.step(member_name(wanted.name, ordinal), "create", found.total["p50"] if found else None)
    for text in obstacles:
        draft.check("blocker", text)
    if not obstacles:
        draft.check("ok", "The name is free, all values are valid, and there is a place for it.")
    return draft.form()


def _usual(session: Session, usual: UsualTimes, verb: Operation, deployment: Deployment) -> float | None:
    found = usual.of_kind(session, verb, deployment.blueprint, deployment.provider)
    return found.total["p50"] if found else None

"""Specs from request bodies: everything that can be checked is checked before anything is written.

Called by the API's routes and by `services.requests.edits`. All that is wrong with one request is reported
together, each mistake with its JSON pointer and with what is allowed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from blueprints.base import Blueprint, validated
from domain.changes import member_name
from domain.databases import DEFAULT_MODE
from domain.errors import FieldError, InvalidInput
from domain.limits import NAME_LENGTH
from domain.specs import NewDeployment, Spec
from providers.entry import ProviderEntry
from providers.registry import PROVIDERS
from providers.simulated_faults import split_simulate
from services.forms import secret_params
from services.forms.bodies import CreateBody, SpecBody
from services.forms.shapes import AnyBody, escape, merged, refuse, shape, unfit, without_nulls
from services.places import catalog

PATCHABLE = ("params", "resources", "members", "labels", "restart_policy", "deletion_protection")
_EXTRA = "Extra inputs are not permitted"


@dataclass(frozen=True)
class Rules:
    """What this installation allows."""

    local_mode: bool


def parsed(model: type[AnyBody], body: Any) -> AnyBody:
    """`body` in the shape of `model`. Raises `InvalidInput`."""
    mistakes, found = shape(model, body)
    refuse(mistakes)
    assert found is not None
    return found


def new_deployment(body: Any, rules: Rules) -> NewDeployment:
    """A deployment to be made, as the body of a create says. Raises `InvalidInput`."""
    given = without_nulls(body)
    mistakes, found = shape(CreateBody, given)
    raw = given if isinstance(given, Mapping) else {}
    names = [("blueprint", raw.get("blueprint")), ("provider", raw.get("provider", "process"))]
    mistakes += [m for field, value in names if isinstance(value, str) for m in _unknown(field, value, rules)]
    mistakes += _meaning(raw, str(raw.get("blueprint")), str(raw.get("provider", "process")), rules)
    mistakes += _member_names(raw)
    refuse(mistakes)
    assert found is not None
    spec = _spec(found, found.blueprint)
    spec = replace(spec, revisions=dict.fromkeys(spec.secrets, 1))
    return NewDeployment(found.name, found.blueprint, found.provider, spec, found.customer_id)


def patched(current: Spec, patch: Any, blueprint: str, provider: str, rules: Rules) -> Spec:
    """`current` changed by a JSON merge patch. Raises `InvalidInput`."""
    mistakes = list(unfit(patch))
    if not isinstance(patch, Mapping):
        refuse([FieldError("", "must be a JSON object: a merge patch of the spec")])
    mistakes += [
        FieldError(f"/{escape(key)}", f"unknown or not changeable; allowed: {', '.join(PATCHABLE)}")
        for key in patch
        if key not in PATCHABLE
    ]
    base = as_document(current)
    base["params"] |= secret_params.standing(current.revisions)
    wanted = without_nulls(merged(base, {k: v for k, v in patch.items() if k in PATCHABLE}))
    wrong, found = shape(SpecBody, wanted)
    mistakes += wrong + _meaning(wanted, blueprint, provider, rules)
    known = catalog.blueprint(blueprint)
    params = wanted.get("params", {})
    if known is not None and isinstance(params, Mapping):
        mistakes += _fixed(known, current.params, params)
        mistakes += secret_params.taken_away(known, current.revisions, params)
    refuse(mistakes)
    assert found is not None
    assert known is not None
    return secret_params.revised(known, current, patch, _spec(found, blueprint))


def as_document(spec: Spec) -> dict[str, Any]:
    """The spec as a body would say it."""
    return {
        "params": dict(spec.params),
        "resources": dict(spec.resources),
        "members": spec.members,
        "labels": dict(spec.labels),
        "restart_policy": spec.restart_policy.value,
        "timeouts": dict(spec.timeouts),
        "database": dict(spec.database) if spec.database else None,
        "deletion_protection": spec.deletion_protection,
    }


def _unknown(field: str, value: str, rules: Rules) -> list[FieldError]:
    allowed = (
        sorted(b.name for b in catalog.blueprints())
        if field == "blueprint"
        else catalog.provider_names(local_mode=rules.local_mode)
    )
    if value in allowed:
        return []
    return [FieldError(f"/{field}", f"there is no such {field} here; available: {', '.join(allowed)}")]


def _meaning(raw: Mapping[str, Any], blueprint: str, provider: str, rules: Rules) -> list[FieldError]:
    """What the types cannot say: parameters of the blueprint, and what it supports."""
    known = catalog.blueprint(blueprint)
    if known is None:
        return []
    mistakes: list[FieldError] = []
    entry = PROVIDERS.get(provider)
    if entry is not None and not catalog.runs(entry, known):
        allowed = ", ".join(catalog.provider_names(local_mode=rules.local_mode, known=known))
        mistakes.append(FieldError("/provider", f"{blueprint} does not run on {provider}; it runs on: {allowed}"))
    params = raw.get("params", {})
    members = raw.get("members", 1)
    if isinstance(params, Mapping):
        mistakes += _params(known, params, provider, rules)
        mistakes += _of_other_forms(known, params, entry, rules)
        if params.get("port") is not None and isinstance(members, int) and members > 1:
            mistakes.append(FieldError("/params/port", "a fixed port works with one member only"))
        if params.get("port") is not None and entry is not None and entry.form is not None and not entry.on_host:
            mistakes.append(FieldError("/params/port", f"means nothing on {provider}: it has no ports of a host"))
    if isinstance(members, int) and not isinstance(members, bool) and members > known.max_members:
        mistakes.append(FieldError("/members", f"{blueprint} takes at most {known.max_members} for now"))
    if raw.get("database") is not None and not known.needs_database:
        mistakes.append(FieldError("/database", f"{blueprint} needs no database"))
    return mistakes


def _params(known: Blueprint, params: Mapping[str, Any], provider: str, rules: Rules) -> list[FieldError]:
    mistakes: list[FieldError] = []
    rest = {key: value for key, value in params.items() if key != "simulate"}
    if "simulate" in params:
        if provider != "simulated" or not rules.local_mode:
            mistakes.append(FieldError("/params/simulate", "works on provider simulated in local mode only"))
        else:
            mistakes += _mistakes_in(lambda: split_simulate(params))
    allowed = f"{known.name} has no such parameter; it has: {', '.join(known.parameters.model_fields)}"
    found = _mistakes_in(lambda: validated(known.parameters, rest))
    return mistakes + [FieldError(m.pointer, allowed) if m.detail == _EXTRA else m for m in found]


def _of_other_forms(
    known: Blueprint, params: Mapping[str, Any], entry: ProviderEntry | None, rules: Rules
) -> list[FieldError]:
    """Parameters that mean nothing in the form in which this provider runs the blueprint."""
    mistakes = []
    for name in params:
        field = known.parameters.model_fields.get(name)
        extra = field.json_schema_extra if field is not None else None
        forms = extra.get("forms") if isinstance(extra, dict) else None
        if isinstance(forms, list) and entry is not None and entry.form not in (None, *forms):
            places = [n for n in catalog.provider_names(local_mode=rules.local_mode) if PROVIDERS[n].form in forms]
            where = ", ".join(places) or "no provider here"
            mistakes.append(FieldError(f"/params/{name}", f"means nothing on {entry.name}; it works on: {where}"))
    return mistakes


def _mistakes_in(check: Any) -> list[FieldError]:
    try:
        check()
    except InvalidInput as error:
        return [FieldError(e.pointer, e.detail.removeprefix("Value error, ")) for e in error.errors]
    return []


def _fixed(known: Blueprint, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[FieldError]:
    """Parameters that cannot change during a life; naming the default changes nothing."""
    mistakes = []
    for name in sorted(known.immutable()):
        field = known.parameters.model_fields.get(name)
        default = field.get_default(call_default_factory=True) if field is not None else None
        if before.get(name, default) != after.get(name, default):
            kept = before.get(name, default)
            now = "was drawn when it was made and stays" if kept is None else f"is {json.dumps(kept)} for life"
            mistakes.append(FieldError(f"/params/{name}", f"{now}; create another instance for another one"))
    return mistakes


def _member_names(raw: Mapping[str, Any]) -> list[FieldError]:
    name, members = raw.get("name"), raw.get("members", 1)
    if isinstance(name, str) and isinstance(members, int) and 1 < members <= 50:
        longest = len(member_name(name, members))
        if len(name) <= NAME_LENGTH < longest:
            return [FieldError("/name", f"too long for {members} members: their names end in -2 to -{members}")]
    return []


def _spec(body: SpecBody, blueprint: str) -> Spec:
    """The checked body as a spec. Parameters keep what was said, without defaults, so that defaults may change."""
    known = catalog.blueprint(blueprint)
    assert known is not None
    rest, simulate = split_simulate(body.params)
    public, secrets = secret_params.split(known, validated(known.parameters, rest))
    return Spec(
        params={**public, **simulate},
        resources=body.resources.model_dump(exclude_none=True),
        members=body.members,
        labels=dict(body.labels),
        restart_policy=body.restart_policy,
        timeouts=body.timeouts.model_dump(exclude_none=True),
        database=_database(known, body),
        deletion_protection=body.deletion_protection,
        secrets=secrets,
    )


def _database(known: Blueprint, body: SpecBody) -> dict[str, Any] | None:
    """Fixed at the create: what comes without a word about it gets a server of its own."""
    if not known.needs_database:
        return None
    return body.database.model_dump() if body.database else {"mode": DEFAULT_MODE.value}

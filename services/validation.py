"""Specs from request bodies: everything that can be checked is checked before anything is written.

Called by the API's routes and by `services.edits`. All that is wrong with one request is reported together, each
mistake with its JSON pointer and with what is allowed.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from blueprints.base import Blueprint, validated
from domain.changes import member_name
from domain.errors import FieldError, InvalidInput
from domain.limits import NAME_LENGTH
from domain.specs import NewDeployment, Spec
from providers.registry import PROVIDERS
from providers.simulated_faults import split_simulate
from services import catalog
from services.bodies import Body, CreateBody, SpecBody

MAX_DEPTH = 16
MAX_MISTAKES = 50
PATCHABLE = ("params", "resources", "members", "labels", "restart_policy")
_CONTROL = frozenset({"Cc", "Cs"})
_INT64 = 2**63
_EXTRA = "Extra inputs are not permitted"

AnyBody = TypeVar("AnyBody", bound=Body)


@dataclass(frozen=True)
class Rules:
    """What this installation allows."""

    local_mode: bool


def parsed(model: type[AnyBody], body: Any) -> AnyBody:
    """`body` in the shape of `model`. Raises `InvalidInput`."""
    mistakes, found = _shape(model, body)
    _refuse(mistakes)
    assert found is not None
    return found


def new_deployment(body: Any, rules: Rules) -> NewDeployment:
    """A deployment to be made, as the body of a create says. Raises `InvalidInput`."""
    given = without_nulls(body)
    mistakes, found = _shape(CreateBody, given)
    raw = given if isinstance(given, Mapping) else {}
    names = [("blueprint", raw.get("blueprint")), ("provider", raw.get("provider", "process"))]
    mistakes += [m for field, value in names if isinstance(value, str) for m in _unknown(field, value, rules)]
    mistakes += _meaning(raw, str(raw.get("blueprint")), str(raw.get("provider", "process")), rules)
    mistakes += _member_names(raw)
    _refuse(mistakes)
    assert found is not None
    return NewDeployment(found.name, found.blueprint, found.provider, _spec(found, found.blueprint))


def patched(current: Spec, patch: Any, blueprint: str, provider: str, rules: Rules) -> Spec:
    """`current` changed by a JSON merge patch. Raises `InvalidInput`."""
    mistakes = list(unfit(patch))
    if not isinstance(patch, Mapping):
        _refuse([FieldError("", "must be a JSON object: a merge patch of the spec")])
    mistakes += [
        FieldError(f"/{escape(key)}", f"unknown or not changeable; allowed: {', '.join(PATCHABLE)}")
        for key in patch
        if key not in PATCHABLE
    ]
    wanted = without_nulls(merged(as_document(current), {k: v for k, v in patch.items() if k in PATCHABLE}))
    shape, found = _shape(SpecBody, wanted)
    mistakes += shape + _meaning(wanted, blueprint, provider, rules)
    known = catalog.blueprint(blueprint)
    if known is not None and isinstance(wanted.get("params", {}), Mapping):
        mistakes += _fixed(known, current.params, wanted.get("params", {}))
    _refuse(mistakes)
    assert found is not None
    return _spec(found, blueprint)


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
    }


def merged(target: Any, patch: Any) -> Any:
    """RFC 7396: null removes, objects merge, everything else replaces."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def without_nulls(body: Any) -> Any:
    """Null means absent, on the top level and one below."""
    if not isinstance(body, Mapping):
        return body
    return {
        key: {k: v for k, v in value.items() if v is not None} if isinstance(value, Mapping) else value
        for key, value in body.items()
        if value is not None
    }


def unfit(value: Any, pointer: str = "", depth: int = 0) -> Iterator[FieldError]:
    """What no field of the API takes: control characters, numbers without end, endless nesting."""
    if depth > MAX_DEPTH:
        yield FieldError(pointer, f"nested deeper than {MAX_DEPTH} levels")
    elif isinstance(value, str | int | float):
        detail = _unfit_scalar(value)
        if detail is not None:
            yield FieldError(pointer, detail)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from unfit(key, f"{pointer}/{escape(printable(key))}", depth)
            yield from unfit(inner, f"{pointer}/{escape(printable(key))}", depth + 1)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from unfit(inner, f"{pointer}/{index}", depth + 1)


def _unfit_scalar(value: str | float) -> str | None:
    if isinstance(value, str):
        wrong = any(unicodedata.category(c) in _CONTROL for c in value)
        return "must not contain control characters" if wrong else None
    wrong = not math.isfinite(value) if isinstance(value, float) else not -_INT64 <= value < _INT64
    return "must be a finite number within 64 bits" if wrong else None


def escape(part: str) -> str:
    """One step of a JSON pointer (RFC 6901)."""
    return part.replace("~", "~0").replace("/", "~1")


def printable(text: str) -> str:
    """A key as it may be shown in an answer."""
    return "".join(c if unicodedata.category(c) not in _CONTROL else "\N{REPLACEMENT CHARACTER}" for c in text)[
        :100
    ]


def mistakes_of(error: ValidationError, model: type[Body]) -> list[FieldError]:
    """Pydantic's findings as pointers and words of ours."""
    return [
        _mistake(e, model) for e in error.errors(include_input=False, include_url=False, include_context=False)
    ]


def _mistake(error: ErrorDetails, model: type[Body]) -> FieldError:
    path = [str(part) for part in error["loc"] if part != "[key]"]
    pointer = "".join(f"/{escape(printable(part))}" for part in path)
    if error["type"] == "extra_forbidden":
        allowed = f"; allowed: {', '.join(model.model_fields)}" if len(path) == 1 else ""
        return FieldError(pointer, f"unknown field{allowed}")
    if error["type"] == "missing":
        return FieldError(pointer, "is required")
    return FieldError(pointer, error["msg"].removeprefix("Value error, "))


def _shape(model: type[AnyBody], body: Any) -> tuple[list[FieldError], AnyBody | None]:
    """What is wrong with the types and bounds, and the model when nothing is."""
    mistakes = list(unfit(body))
    if not isinstance(body, Mapping):
        return [*mistakes, FieldError("", "must be a JSON object")], None
    try:
        return mistakes, model.model_validate(dict(body))
    except ValidationError as error:
        return mistakes + mistakes_of(error, model), None


def _refuse(mistakes: list[FieldError]) -> None:
    """One mistake per field, the first found."""
    first = {m.pointer: m for m in reversed(mistakes)}
    if first:
        raise InvalidInput(*[m for m in dict.fromkeys(mistakes) if first[m.pointer] == m][:MAX_MISTAKES])


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
        if params.get("port") is not None and isinstance(members, int) and members > 1:
            mistakes.append(FieldError("/params/port", "a fixed port works with one member only"))
    if isinstance(members, int) and not isinstance(members, bool) and members > known.max_members:
        mistakes.append(FieldError("/members", f"{blueprint} takes at most {known.max_members} for now"))
    if raw.get("database") is not None:
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
        default = field.default if field is not None else None
        if before.get(name, default) != after.get(name, default):
            kept = before.get(name, default)
            now = "was drawn when it was made and stays" if kept is None else f"is {kept!r} for life"
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
    return Spec(
        params={**validated(known.parameters, rest), **simulate},
        resources=body.resources.model_dump(exclude_none=True),
        members=body.members,
        labels=dict(body.labels),
        restart_policy=body.restart_policy,
        timeouts=body.timeouts.model_dump(exclude_none=True),
        database=body.database.model_dump() if body.database else None,
    )

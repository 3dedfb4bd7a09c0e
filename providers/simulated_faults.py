"""The faults that a simulated instance can be told to have, and the check of what people ask for.

The API validates `params.simulate` and the fault routes with it; `providers/simulated.py` acts on the result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from domain.errors import FieldError, InvalidInput

FOR_EVER = -1
_LONGEST_SECONDS = 86_400.0
_MOST_TIMES = 1_000_000


class Verb(StrEnum):
    """The calls that can be made to fail."""

    CREATE = "create"
    START = "start"
    STOP = "stop"
    RESTART = "restart"
    MODIFY = "modify"
    DELETE = "delete"
    OBSERVE = "observe"


class FaultKind(StrEnum):
    """What goes wrong. Only `slow`, `hang`, `throttled` and `unconfirmed` look at `seconds`."""

    ERROR = "error"
    ERROR_AFTER_SUCCESS = "error_after_success"
    INVALID = "invalid"
    NO_CAPACITY = "no_capacity"
    THROTTLED = "throttled"
    HANG = "hang"
    SLOW = "slow"
    UNCONFIRMED = "unconfirmed"
    GONE = "gone"
    USED_UP = "used_up"
    """The former object of this generation is gone, and its name cannot be used again: for `create`."""
    UNSEEN = "unseen"
    """An observation does not find what is there, and says that it may be wrong."""


@dataclass(frozen=True)
class Fault:
    """One scripted fault. `seconds` None: the kind's own default (`hang`: until cancelled)."""

    verb: Verb
    kind: FaultKind
    times: int = 1
    seconds: float | None = None
    instance: str = "*"
    """Name or id; `*` is every instance, each with its own count."""


def split_simulate(params: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """`params` without `simulate`, for the blueprint's own model; and `{"simulate": …}` checked, or empty."""
    rest = {key: value for key, value in params.items() if key != "simulate"}
    if "simulate" not in params:
        return rest, {}
    validate_simulate(params)
    return rest, {"simulate": params["simulate"]}


def validate_simulate(params: Mapping[str, Any], pointer: str = "/params") -> None:
    """Raise `InvalidInput`, with a pointer to each mistake, unless `params["simulate"]` can be acted on."""
    if "simulate" not in params:
        return
    script, where = params["simulate"], f"{pointer}/simulate"
    if not isinstance(script, Mapping):
        raise InvalidInput(FieldError(where, "must be an object {verb: {fault, times, seconds}}"))
    mistakes: list[FieldError] = []
    for verb, spec in script.items():
        if verb not in set(Verb):
            mistakes.append(FieldError(f"{where}/{verb}", f"no such verb; allowed: {', '.join(Verb)}"))
        elif not isinstance(spec, Mapping):
            mistakes.append(FieldError(f"{where}/{verb}", "must be an object {fault, times, seconds}"))
        else:
            mistakes.extend(_mistakes(spec, f"{where}/{verb}"))
    if mistakes:
        raise InvalidInput(*mistakes)


def fault_from(body: Mapping[str, Any], pointer: str = "") -> Fault:
    """The fault of a request body `{verb, fault, times?, seconds?, instance?}`. Raises `InvalidInput`."""
    rest = {key: value for key, value in body.items() if key not in ("verb", "instance")}
    mistakes = _mistakes(rest, pointer)
    if body.get("verb") not in set(Verb):
        mistakes.append(FieldError(f"{pointer}/verb", f"allowed: {', '.join(Verb)}"))
    instance = body.get("instance", "*")
    if not isinstance(instance, str) or not instance:
        mistakes.append(FieldError(f"{pointer}/instance", "must be an instance's name or id, or *"))
    if mistakes:
        raise InvalidInput(*mistakes)
    return _fault(Verb(body["verb"]), rest, instance)


def scripted(params: Mapping[str, Any], verb: Verb) -> Fault | None:
    """The fault that `params.simulate` holds for `verb`; the parameters were validated before."""
    spec = params.get("simulate", {}).get(verb.value)
    return None if spec is None else _fault(verb, spec, "*")


def _fault(verb: Verb, spec: Mapping[str, Any], instance: str) -> Fault:
    seconds = spec.get("seconds")
    return Fault(
        verb,
        FaultKind(spec["fault"]),
        spec.get("times", 1),
        None if seconds is None else float(seconds),
        instance,
    )


def _mistakes(spec: Mapping[str, Any], where: str) -> list[FieldError]:
    mistakes = [
        FieldError(f"{where}/{key}", "unknown; allowed: fault, times, seconds")
        for key in spec
        if key not in ("fault", "times", "seconds")
    ]
    if spec.get("fault") not in set(FaultKind):
        mistakes.append(FieldError(f"{where}/fault", f"allowed: {', '.join(FaultKind)}"))
    times = spec.get("times", 1)
    if not _is_whole(times) or not (times == FOR_EVER or 1 <= times <= _MOST_TIMES):
        mistakes.append(FieldError(f"{where}/times", f"must be 1 to {_MOST_TIMES}, or -1 for ever"))
    seconds = spec.get("seconds")
    if seconds is not None and not (_is_number(seconds) and 0 <= seconds <= _LONGEST_SECONDS):
        mistakes.append(FieldError(f"{where}/seconds", f"must be a number from 0 to {_LONGEST_SECONDS:.0f}"))
    return mistakes


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

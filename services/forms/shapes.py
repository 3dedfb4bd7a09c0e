"""Shapes of JSON bodies: merge patches, what no field takes, and pydantic's findings in words of ours.

Everything that is wrong is found in one pass, each mistake with its JSON pointer and never with the value.
Used by `services.forms.validation`.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from domain.errors import FieldError, InvalidInput
from services.forms.bodies import Body

MAX_DEPTH = 16
MAX_MISTAKES = 50
_CONTROL = frozenset({"Cc", "Cs"})
_INT64 = 2**63

AnyBody = TypeVar("AnyBody", bound=Body)


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


def shape(model: type[AnyBody], body: Any) -> tuple[list[FieldError], AnyBody | None]:
    """What is wrong with the types and bounds, and the model when nothing is."""
    mistakes = list(unfit(body))
    if not isinstance(body, Mapping):
        return [*mistakes, FieldError("", "must be a JSON object")], None
    try:
        return mistakes, model.model_validate(dict(body))
    except ValidationError as error:
        return mistakes + mistakes_of(error, model), None


def refuse(mistakes: list[FieldError]) -> None:
    """Raise `InvalidInput` when there are any: one mistake per field, the first found."""
    first = {m.pointer: m for m in reversed(mistakes)}
    if first:
        raise InvalidInput(*[m for m in dict.fromkeys(mistakes) if first[m.pointer] == m][:MAX_MISTAKES])

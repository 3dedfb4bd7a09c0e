"""Takes secrets out of what is about to be logged: by the name of a field, and by the shape of a value.

The rule stays that no secret is handed to a log call; this is the net below it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MASK = "***"
_DEPTH = 6
_NAMES = re.compile(r"passw|secret|token|authori[sz]ation|api_?key|private_?key|credential|cookie|ticket", re.I)
_HARMLESS = frozenset({"token_id", "secret_names", "next_page_token"})
_SHAPES = (
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s:/@]*):[^\s@/]+@", re.I), rf"\1:{MASK}@"),
    (re.compile(r"(\bbearer\s+)[a-z0-9._~+/=-]{6,}", re.I), rf"\1{MASK}"),
    (re.compile(r"\b(whsec_|btk_|berth_)[A-Za-z0-9+/=_-]{12,}"), rf"\1{MASK}"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+"), MASK),
    (re.compile(r"(\b(?:password|passwd|secret|token)\s*[=:]\s*)[^\s,;'\"]+", re.I), rf"\1{MASK}"),
)


def masked(value: Any, depth: int = 0) -> Any:
    """`value` without what looks like a secret, whatever it is nested in."""
    if isinstance(value, str):
        return masked_text(value)
    if depth >= _DEPTH:
        return MASK
    if isinstance(value, Mapping):
        return {key: _field(str(key), inner, depth) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [masked(inner, depth + 1) for inner in value]
    return value


def masked_text(text: str) -> str:
    """Addresses without their password, headers without their token."""
    for shape, instead in _SHAPES:
        text = shape.sub(instead, text)
    return text


def _field(name: str, value: Any, depth: int) -> Any:
    if value is not None and _NAMES.search(name) and name not in _HARMLESS and not isinstance(value, bool | int):
        return MASK
    return masked(value, depth + 1)

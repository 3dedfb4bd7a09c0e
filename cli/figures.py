"""Figures as tables, whatever groups of them the server has: used by `berth stats`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cli import text

Group = Mapping[str, Any]
_QUANTILE = re.compile(r"\bp\d\d$")
"""Of durations: nothing else has quantiles here."""


def tables(figures: Group, colour: bool) -> list[str]:
    """Single numbers first, then a block for each group. Zeros in groups are left out; JSON has them all."""
    single = [(_words(k), _number(v, k)) for k, v in figures.items() if not isinstance(v, Mapping | list)]
    lines = text.fields(single, colour)
    for name, group in figures.items():
        block = list(_block(group, colour))
        if block:
            lines += ["", text.paint(_words(name).capitalize(), "bold", colour), *(f"  {line}" for line in block)]
    return lines[1:] if lines and not lines[0] else lines


def _block(group: Any, colour: bool) -> Iterator[str]:
    if isinstance(group, list):
        yield from _listed([row for row in group if isinstance(row, Mapping)], colour)
    elif isinstance(group, Mapping):
        counts = {k: v for k, v in group.items() if not isinstance(v, Mapping | list)}
        nested = {k: v for k, v in group.items() if isinstance(v, Mapping)}
        yield from text.fields(((_words(k), _number(v, k)) for k, v in counts.items() if v), colour)
        if counts and not any(counts.values()):
            yield "none"
        yield from _nested(nested, colour)
        for name, rows in group.items():
            if isinstance(rows, list) and rows:
                yield _words(name)
                yield from _block(rows, colour)


def _nested(groups: Mapping[str, Group], colour: bool) -> Iterator[str]:
    """Groups of the same numbers side by side: one row each."""
    heads = list(dict.fromkeys(key for group in groups.values() for key in group))
    if heads:
        rows = ([_words(name), *(_number(g.get(h), f"{name} {h}") for h in heads)] for name, g in groups.items())
        yield from text.table(["", *(_words(head).upper() for head in heads)], rows, colour)


def _listed(rows: Sequence[Group], colour: bool) -> Iterator[str]:
    heads = list(dict.fromkeys(key for row in rows for key in row))
    telling = [row for row in rows if _tells(row)]
    if telling:
        cells = ([_number(row.get(head), head) for head in heads] for row in telling)
        yield from text.table([_words(head).upper() for head in heads], cells, colour)


def _tells(row: Group) -> bool:
    """Whether it has a number that is not zero, or no number at all."""
    numbers = [value for value in row.values() if isinstance(value, int | float)]
    return not numbers or any(numbers)


def _words(name: str) -> str:
    return name.removesuffix("_seconds").replace("_", " ")


def _number(value: Any, name: str) -> Any:
    """Durations as people say them, other fractions short."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float) and ("seconds" in name or _QUANTILE.search(name)):
        return text.span(float(value))
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{_words(k)} {_number(v, k)}" for k, v in value.items() if v) or "-"
    return value

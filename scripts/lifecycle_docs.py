"""Write docs/lifecycle.md from the table of moves and docs/errors.md from the table of errors.

Run by `make docs`; `--check`, run by `make check`, fails when a committed one differs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

from domain.actions import Situation, actions
from domain.diagram import edges
from domain.help import HELP
from domain.lifecycle import IN_PROGRESS, MOVES, Ending, Move, Operation, Role, Status
from domain.operations import AVAILABLE, OPERATION_DETAILS
from scripts.generated import ROOT, settle
from scripts.observation_matrix import matrix

_ENDINGS = {
    Ending.AS_BEFORE: "as before",
    Ending.AS_OBSERVED: "what a look shows",
    Ending.AS_BEFORE_SUSPENSION: "as before the suspension",
}


def lifecycle() -> str:
    """The table, the picture, the buttons, and what a look may write."""
    head = [
        "# Life of an instance",
        "",
        "Made from `domain/lifecycle.py` by `make docs`; `make check` fails when the two differ.",
        "The same table drives the API's refusals, `allowed_actions`, the buttons, the database's checks and "
        "the tests.",
    ]
    parts = (head, _moves(), _drawn(), _offered(), _looks())
    return "\n".join(line for part in parts for line in (*part, ""))


def _moves() -> list[str]:
    head = ("operation", "legal from", "while it runs", "if it works", "if it fails", "if cancelled", "who")
    return [
        "## Moves",
        "",
        *_table(head, (_move(move) for move in MOVES)),
        "",
        "A retry takes the statuses of the operation that it repeats. Italics: not available in this version.",
        "A hold is what a suspension leaves on the deployment until its owner, billing or an administrator, "
        "lifts it.",
    ]


def _drawn() -> list[str]:
    return [
        "## Picture",
        "",
        "Bold states are settled, the others are in progress. A delete is legal from every status and "
        "pre-empts what runs; it is drawn once.",
        "",
        "```mermaid",
        *_picture(),
        "```",
    ]


def _offered() -> list[str]:
    return [
        "## Buttons",
        "",
        "What a person is offered in each status, from `allowed_actions`. In progress: cancel and terminate.",
        "",
        *_table(("status", "buttons"), (_buttons(s) for s in Status if s not in IN_PROGRESS)),
    ]


def _looks() -> list[str]:
    return [
        "## What a look may write",
        "",
        "A monitor never writes what it was told, only what this table makes of a direct look "
        "([monitor](monitor.md)). `=` keeps the status; D says once that reality differs; whatever is in "
        "progress keeps what its operation wrote, whatever is seen.",
        "",
        *_table(*_head_and_rows(matrix(whole=False))),
    ]


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = [head, tuple("---" for _ in head), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def _head_and_rows(lines: list[tuple[str, ...]]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    return lines[0], lines[1:]


def _move(move: Move) -> tuple[str, ...]:
    name = f"`{move.operation}`" if move.operation in AVAILABLE else f"*{move.operation}*"
    origin = ", ".join(s.value for s in Status if s in move.legal_from) or "(new)"
    if move.legal_from == set(Status) - {Status.DELETING, Status.TERMINATED}:
        origin = "every status but deleting and terminated"
    if move.with_hold:
        origin += f"; with a hold: {', '.join(s.value for s in Status if s in move.with_hold)}"
    if move.refused_on_hold:
        origin += "; without a hold only"
    if move.operation is Operation.RETRY:
        return (name, origin, "as it", "as it", "as it", "as it", move.actor)
    during = move.during.value if move.during else "– (one transaction)"
    return (name, origin, during, _end(move.done), _end(move.failed), _end(move.cancelled), move.actor)


def _end(end: Status | Ending) -> str:
    return _ENDINGS[end] if isinstance(end, Ending) else end.value


def _picture() -> list[str]:
    lines = ["stateDiagram-v2"]
    arrows: dict[tuple[str, str], list[str]] = {}
    for origin, target, label in edges():
        if target is Status.DELETING and origin is not None:
            continue
        start = origin.value if origin is not None else "[*]"
        arrows.setdefault((start, target.value), []).append(label)
    arrows[("every_status", Status.DELETING.value)] = ["delete"]
    for (begin, end), labels in arrows.items():
        lines.append(f"    {begin} --> {end}: {', '.join(dict.fromkeys(labels))}")
    lines.append(f"    {Status.TERMINATED} --> [*]")
    settled = ", ".join(s for s in Status if s not in IN_PROGRESS)
    return [*lines, "    classDef settled font-weight:bold", f"    class {settled} settled"]


def _buttons(status: Status) -> tuple[str, str]:
    if status is Status.TERMINATED:
        return status.value, "none"
    at = Situation(
        status, Role.REPLICA, "every blueprint", frozenset(Operation), repeatable=status is Status.ERROR
    )
    shown = [row.label for row in actions(at) if row.button]
    promote = OPERATION_DETAILS[Operation.PROMOTE].label
    return status.value, ", ".join(f"{label} (replica)" if label == promote else label for label in shown)


def errors() -> str:
    """A section per code."""
    lines = [
        "# Errors",
        "",
        "Made from `domain/help.py` by `make docs`. Every error answer is a problem (RFC 9457) whose `code` is",
        "one of these and whose `type` leads to its section; a failed operation has them in `error.code`.",
    ]
    for code, known in HELP.items():
        lines += [
            "",
            f'## <a id="{code}"></a>{code}',
            "",
            f"**{known.title}{'' if known.title.endswith('?') else '.'}** {known.means}",
            "",
        ]
        lines += [f"What helps: {known.helps}"]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Entry of `python -m scripts.lifecycle_docs`."""
    docs = ROOT / "docs"
    return settle(
        {docs / "lifecycle.md": lifecycle(), docs / "errors.md": errors()}, check="--check" in sys.argv[1:]
    )


if __name__ == "__main__":
    sys.exit(main())

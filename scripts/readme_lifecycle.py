"""Write the small state picture in README.md from the table of moves: settled statuses and what leads from each.

Run by `make docs`; `--check`, run by `make check` and by tests/test_docs.py, fails when the committed one differs.
docs/lifecycle.md has the whole picture with every in-progress status.
"""

from __future__ import annotations

import sys

from domain.lifecycle import IN_PROGRESS, MOVES, Ending, Move, Operation, Status
from domain.operations import AVAILABLE
from scripts.generated import ROOT, settle

BEGIN, END = "<!-- lifecycle: written by `make docs` -->", "<!-- /lifecycle -->"
README = ROOT / "README.md"


def picture() -> str:
    """One arrow per pair of settled statuses, with the operations that lead along it and what shows meanwhile."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for move in MOVES:
        if move.operation in AVAILABLE and not isinstance(move.done, Ending):
            label = f"{move.operation}{f' ({move.during})' if move.during else ''}"
            for start in _starts(move):
                arrows.setdefault((start, move.done.value), []).append(label)
    lines = [f"    {start} --> {end}: {', '.join(labels)}" for (start, end), labels in arrows.items()]
    failing = f"    any_operation --> {Status.ERROR}: if it fails"
    return "\n".join([BEGIN, "```mermaid", "stateDiagram-v2", *lines, failing, "```", END])


def _starts(move: Move) -> list[str]:
    """Where its arrows begin. A delete is legal nearly everywhere and is drawn once."""
    if move.operation is Operation.DELETE:
        return ["any_status"]
    return [s.value for s in Status if s in move.legal_from and s not in IN_PROGRESS] or ["[*]"]


def readme() -> str:
    """README.md with the picture as the table says."""
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + picture() + after


def main() -> int:
    """Entry of `python -m scripts.readme_lifecycle`."""
    return settle({README: readme()}, check="--check" in sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())

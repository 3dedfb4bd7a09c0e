"""Logs of which only the last lines can be asked for: what has come since they were asked for before.

Used by the API for whoever follows over one answer, and by the command line, which asks again and again. The web
interface has the same rule for what came while it was cut off (`ui/src/lib/logWindow.ts`).
"""

from __future__ import annotations

from collections.abc import Sequence

MARK_LINES = 50
"""So many lines are enough to find a place again."""


def unseen(known: Sequence[str], window: Sequence[str]) -> list[str]:
    """What of the last lines, `window`, comes behind `known`, the last ones a moment ago.

    As long as nothing has left at the front, that is exact; after that it is what stands behind the last place
    where the known lines end. All of it where that place is not there any more.
    """
    if list(window[: len(known)]) == list(known):
        return list(window[len(known) :])
    mark = list(known[-MARK_LINES:])
    for end in range(len(window), len(mark) - 1, -1):
        if list(window[end - len(mark) : end]) == mark:
            return list(window[end:])
    return list(window)

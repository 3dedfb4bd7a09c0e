"""What is new in the last lines of a log, whatever was known before."""

from __future__ import annotations

import pytest

from domain.log_window import MARK_LINES, unseen

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("known", "window", "news"),
    [
        ([], [], []),
        ([], ["a"], ["a"]),
        (["a", "b"], ["a", "b", "c"], ["c"]),
        (["a", "b"], ["a", "b"], []),
        (["a", "b"], ["b", "c"], ["b", "c"]),
        (["a", "b", "c"], ["a", "b", "c", "b", "c"], ["b", "c"]),
        (["tick"], ["tick", "tick"], ["tick"]),
        (["a", "b"], ["x", "y"], ["x", "y"]),
        (["a", "b"], [], []),
    ],
)
def test_what_comes_behind_the_known_lines_is_new(known: list[str], window: list[str], news: list[str]) -> None:
    assert unseen(known, window) == news


def test_a_window_that_has_moved_on_is_found_again_by_its_last_lines() -> None:
    written = [f"line {number}" for number in range(400)]
    for new in range(200 - MARK_LINES):
        assert unseen(written[:200], written[new : 200 + new]) == written[200 : 200 + new]

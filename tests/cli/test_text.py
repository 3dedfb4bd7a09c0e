"""What people see in a terminal."""

from __future__ import annotations

import pytest

from cli import text

pytestmark = pytest.mark.unit


def test_a_servers_text_cannot_steer_the_terminal() -> None:
    assert text.clean("a\x1b]0;title\x07b\x1b[31mred\x1b[0m\r\nc") == "a]0;titlebred c"
    assert text.clean_log("\x1b[31mred\x1b[0m\x1b[2J\x07") == "\x1b[31mred\x1b[0m[2J"


def test_a_servers_text_cannot_turn_the_direction_of_writing() -> None:
    assert text.clean("deleted \u202egnp.exe\u2069") == "deleted gnp.exe"


def test_wide_characters_and_accents_do_not_shift_columns() -> None:
    rows = [["磁盘", "x"], ["e\u0301te", "x"], ["👍\ufe0f", "x"]]
    assert [line[-1] for line in text.table(["NAME", "B"], rows)[1:]] == ["x", "x", "x"]
    assert text.table(["NAME", "B"], rows)[1:] == ["磁盘  x", "e\u0301te   x", "👍\ufe0f    x"]


def test_tables_are_aligned_and_never_cut() -> None:
    lines = text.table(["NAME", "STATUS"], [["a" * 90, "running"], ["b", None]])
    assert lines[1] == "a" * 90 + "  running"
    assert lines[2] == "b" + " " * 91 + "-"


def test_colours_do_not_shift_columns() -> None:
    plain = text.table(["A", "B"], [["running", "x"], ["y", "z"]])
    painted = text.table(["A", "B"], [["running", "x"], ["y", "z"]], colour=True)
    assert [text._SGR.sub("", line) for line in painted] == plain
    assert painted != plain


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.04, "0.0s"), (1.94, "1.9s"), (42.4, "42s"), (310, "5m10s"), (11100, "3h05m"), (4e5, "4d")],
)
def test_durations_read_as_people_say_them(seconds: float, shown: str) -> None:
    assert text.span(seconds) == shown


def test_a_time_that_is_none_has_no_age() -> None:
    assert text.age(None) == ""
    assert text.age("yesterday") == ""
    assert text.age("2026-01-01T00:00:00Z") != ""

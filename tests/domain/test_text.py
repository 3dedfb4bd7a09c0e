"""Output of instances, before it is quoted."""

from __future__ import annotations

import pytest

from domain.text import printable

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        ("plain, ünïcode – 字 🙂", "plain, ünïcode – 字 🙂"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x9b31mred\x9b0m", "red"),
        ("\x1b]0;title\x07a\x1b]8;;http://evil\x1b\\b\x9d52;c;QQ==\x9cc", "abc"),
        ("\x1bP1$r\x1b\\a\x1b(Bb\x1bcc", "abc"),
        ("a\rb\x08c\x00\x7fd\n", "abcd"),
        ("a\tb", "a b"),
        ("pay\u202egnp.exe\u2066\u2028", "paygnp.exe"),
        ("cut \x1b[3", "cut "),
        ("cut \x1b]0;never ended", "cut "),
        ("cut \x1b", "cut "),
    ],
)
def test_what_a_terminal_would_obey_is_left_out(printed: str, shown: str) -> None:
    assert printable(printed) == shown

"""The only writer to standard output and standard error: data on the one, everything for people on the other."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TextIO

from cli import text
from cli.errors import CliError, UsageProblem


class Format(StrEnum):
    """What `-o` takes."""

    TABLE = "table"
    WIDE = "wide"
    YAML = "yaml"
    JSON = "json"
    NAME = "name"


@dataclass(frozen=True)
class Screen:
    """How the caller wants to be spoken to, and whether a person is there at all."""

    format: Format = Format.TABLE
    quiet: bool = False
    no_input: bool = False

    @property
    def is_machine(self) -> bool:
        """Standard output is for a program: nothing but the document may appear there."""
        return self.format in (Format.JSON, Format.YAML, Format.NAME)

    @property
    def is_terminal(self) -> bool:
        """A person watches the results: waiting is then the default."""
        return _is_tty(sys.stdout) and _is_tty(sys.stderr)

    @property
    def is_live(self) -> bool:
        """Progress may move on the screen."""
        return _is_tty(sys.stderr) and not self.quiet and os.environ.get("TERM") != "dumb"

    @property
    def is_drawable(self) -> bool:
        """Results may be drawn in place."""
        return _is_tty(sys.stdout) and os.environ.get("TERM") != "dumb"

    @property
    def can_ask(self) -> bool:
        """Somebody can answer a question."""
        return not self.no_input and _is_tty(sys.stdin) and _is_tty(sys.stderr)

    @property
    def colour(self) -> bool:
        """Whether standard output shows colours."""
        return _has_colour(sys.stdout)

    @property
    def error_colour(self) -> bool:
        """Whether standard error shows colours."""
        return _has_colour(sys.stderr)

    def lines(self, lines: Iterable[str]) -> None:
        """Data for standard output."""
        _write(sys.stdout, lines)

    def document(self, value: Mapping[str, Any]) -> None:
        """One object as JSON, or as YAML where that was asked for."""
        if self.format is Format.YAML:
            import yaml

            _write(sys.stdout, [yaml.safe_dump(dict(value), sort_keys=False, allow_unicode=True).rstrip("\n")])
        else:
            _write(sys.stdout, [self.as_json(value, indent=2)])

    def as_json(self, value: Mapping[str, Any], indent: int | None = None) -> str:
        """For standard output, and complete on any: what it cannot write is escaped."""
        poor = not (sys.stdout.encoding or "").lower().startswith("utf")
        return json.dumps(value, indent=indent, ensure_ascii=poor)

    def abandon(self) -> None:
        """Whoever read standard output has left, as `head` does: what is buffered must not complain at the end."""
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def note(self, *lines: str) -> None:
        """A remark on standard error; silent with -q."""
        if not self.quiet:
            _write(sys.stderr, lines)

    def next(self, *commands: str) -> None:
        """The one line that says what is useful now; for people only."""
        if commands and not self.quiet and not self.is_machine and _is_tty(sys.stderr):
            _write(sys.stderr, [text.paint("next: " + " | ".join(commands), "dim", self.error_colour)])

    def error(self, error: CliError) -> None:
        """The card of a failure, or its record when a program listens."""
        if self.format is Format.JSON:
            _write(sys.stderr, [json.dumps(error.as_record(), ensure_ascii=False)])
            return
        title = text.paint(f"error: {text.clean(error.title)}", "red", self.error_colour)
        hints = [f"  try: {hint}" for hint in error.hints]
        _write(sys.stderr, [title, *(f"  {text.clean(line)}" for line in error.lines()), *hints])

    def confirm_by_name(self, name: str, consequence: str, yes: bool) -> None:
        """Let a destructive command pass only when the name was typed, or --yes given."""
        if yes:
            return
        if not self.can_ask:
            raise UsageProblem(f"{consequence} Without a terminal this needs --yes.")
        if self._ask(f"{consequence}\nType {name} to go on: ") != name:
            raise UsageProblem("That is not the name; nothing was done.")

    def confirm(self, question: str, yes: bool) -> None:
        """Let a command pass on `y`, or --yes."""
        if yes:
            return
        if not self.can_ask:
            raise UsageProblem(f"{question} Without a terminal this needs --yes.")
        if self._ask(f"{question} [y/N] ").lower() not in ("y", "yes"):
            raise UsageProblem("Not confirmed; nothing was done.")

    def _ask(self, prompt: str) -> str:
        sys.stderr.write(prompt)
        sys.stderr.flush()
        return sys.stdin.readline().strip()


def _write(stream: TextIO, lines: Iterable[str]) -> None:
    for line in lines:
        stream.write(line + "\n")
    stream.flush()


def _is_tty(stream: TextIO | None) -> bool:
    return stream is not None and not stream.closed and stream.isatty()


def _has_colour(stream: TextIO) -> bool:
    return _is_tty(stream) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

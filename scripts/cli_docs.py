"""Write the list of commands in docs/cli.md from the program itself: every command, its arguments, what it does.

Run by `make docs`; `--check`, run by `make check` and by tests/test_docs.py, fails when the committed one differs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import typer.main

from cli.program import app
from scripts.generated import ROOT, settle

BEGIN, END = "<!-- commands: written by `make docs` -->", "<!-- /commands -->"
PAGE = ROOT / "docs" / "cli.md"
_OF_EVERY_COMMAND = frozenset(
    ["data_dir", "output", "as_json", "quiet", "no_input", "no_color", "project", "wait", "timeout", "help"]
)
_PANELS = ("This machine", "Change", "Look", "Operations", "Connect", "Fleet", "Access")


def commands() -> str:
    """One table for each panel of `berth --help`."""
    panels: dict[str, list[str]] = {name: [] for name in _PANELS}
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        panels.setdefault(str(command.rich_help_panel), []).extend(_rows(name, command))
    lines = [BEGIN]
    for panel, rows in panels.items():
        lines += ["", f"### {panel}", "", "| command | does | options of its own |", "|---|---|---|", *rows]
    return "\n".join([*lines, "", END])


def _rows(name: str, command: Any) -> Iterator[str]:
    inner = getattr(command, "commands", {})
    if not inner or command.invoke_without_command:
        yield _row(name, command)
    for below, one in inner.items():
        yield from _rows(f"{name} {below}", one)


def _row(name: str, command: Any) -> str:
    arguments = " ".join(_argument(p) for p in command.params if p.param_type_name == "argument")
    own = [p for p in command.params if p.param_type_name == "option" and p.name not in _OF_EVERY_COMMAND]
    options = " ".join(f"`{_option(p)}`" for p in own)
    does = str(command.help or "").strip().partition("\n\n")[0].replace("\n", " ").replace("|", "\\|")
    return f"| `{f'berth {name} {arguments}'.strip()}` | {does} | {options} |".replace("|  |", "| |")


def _argument(parameter: Any) -> str:
    shown = str(parameter.metavar or parameter.name.upper()).replace("|", " or ")
    return shown if parameter.required or shown.startswith("[") else f"[{shown}]"


def _option(parameter: Any) -> str:
    return "/".join(sorted([*parameter.opts, *parameter.secondary_opts], key=len)[-1:])


def page() -> str:
    """docs/cli.md with the commands as the program has them."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + commands() + after


def main() -> int:
    """Entry of `python -m scripts.cli_docs`."""
    return settle({PAGE: page()}, check="--check" in sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())

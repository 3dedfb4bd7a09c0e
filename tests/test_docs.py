"""The documents are true where a test can tell: names, commands, settings, links, generated parts."""

from __future__ import annotations

import importlib
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main

from cli.program import app
from db.models import Base
from scripts import cli_docs
from scripts.readme_lifecycle import readme
from settings import Settings

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
OURS = (
    *(
        "activities",
        "agent",
        "api",
        "bench",
        "blueprints",
        "cli",
        "db",
        "deploy",
        "docs",
        "domain",
        "embedded",
        "keeper",
    ),
    *("monitor", "providers", "scripts", "services", "system", "tests", "workflows", "worker", "settings"),
)
EACH_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))

_FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_SPAN = re.compile(r"`([^`\n]+)`")
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
_COMMAND = re.compile(r"(?:^|[`(;]|\$ |&& |in \$\()\s*berth ((?:[a-z]+ ?){1,2})", re.MULTILINE)
_DOTTED = re.compile(rf"({'|'.join(OURS)})(\.\w+)+")
_PATH = re.compile(rf"({'|'.join(OURS)})/[\w./-]*")


@EACH_PAGE
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = [link for link in _LINK.findall(_FENCE.sub("", page.read_text())) if not _leads(page, link)]
    assert not broken


def _leads(page: Path, link: str) -> bool:
    if re.match(r"[a-z]+:", link):
        return True
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists():
        return False
    return not anchor or anchor in _anchors(target)


@cache
def _anchors(page: Path) -> frozenset[str]:
    text = page.read_text()
    made = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in _HEADING.findall(text)}
    return frozenset(made | set(re.findall(r'<a id="([^"]+)"', text)))


def test_every_page_is_reached_from_the_readme() -> None:
    seen, ahead = set[Path](), [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        seen.add(page)
        links = (link.partition("#")[0] for link in _LINK.findall(page.read_text()) if ":" not in link)
        targets = {(page.parent / link).resolve() for link in links if link.endswith(".md")}
        ahead += targets - seen
    assert set(PAGES) - seen == set()


def test_every_picture_is_shown_somewhere() -> None:
    shown = {(page.parent / link).resolve() for page in PAGES for link in _LINK.findall(page.read_text())}
    pictures = [*(ROOT / "docs").rglob("*.png"), *(ROOT / "docs").rglob("*.svg")]
    assert [picture for picture in pictures if picture not in shown] == []


def test_every_table_is_told_of_in_the_architecture() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    assert [name for name in Base.metadata.tables if f"**{name}**" not in text] == []


@EACH_PAGE
def test_every_file_and_name_in_the_text_exists(page: Path) -> None:
    spans = _SPAN.findall(_FENCE.sub("", page.read_text()))
    missing = [span for span in spans if _PATH.fullmatch(span) and not _is_there(span)]
    missing += [
        span for span in spans if _DOTTED.fullmatch(span) and not span.endswith(".py") and not _is_name(span)
    ]
    assert not missing


def _is_there(path: str) -> bool:
    return (ROOT / path).exists()


def _is_name(dotted: str) -> bool:
    """Whether a module, or something in one, has this name. Attributes of instances may only be annotated."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        return _has(found, parts[length:])
    return False


def _has(found: object, names: list[str]) -> bool:
    for name in names:
        if name in getattr(found, "__annotations__", {}):
            return True
        if not hasattr(found, name):
            return False
        found = getattr(found, name)
    return True


@EACH_PAGE
def test_every_berth_command_in_the_text_exists(page: Path) -> None:
    asked = [words.split() for words in _COMMAND.findall(page.read_text())]
    unknown = [" ".join(words) for words in asked if not _is_command(words)]
    assert not unknown


def _is_command(words: list[str]) -> bool:
    known = _commands()
    return words[0] in known or " ".join(words) in known


@cache
def _commands() -> frozenset[str]:
    """`up`, `operations list` …: every command that does something."""
    return frozenset(_below(typer.main.get_command(app)))


def _below(command: Any, before: str = "") -> Iterator[str]:
    for name, inner in command.commands.items():
        if hasattr(inner, "commands"):
            yield from _below(inner, f"{before}{name} ")
        if not hasattr(inner, "commands") or inner.invoke_without_command:
            yield f"{before}{name}"


def test_the_page_of_the_command_line_is_what_the_program_says() -> None:
    text = (ROOT / "docs" / "cli.md").read_text()
    assert text == cli_docs.page()
    assert [name for name in sorted(_commands()) if not re.search(rf"`berth {name}\b", text)] == []


def test_the_page_of_the_configuration_has_a_row_for_every_setting_and_no_other() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text()
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| `([a-z_]+)` \|", text, re.MULTILINE))
    expected = {
        str(field.validation_alias or f"BERTH_{name.upper()}"): name
        for name, field in Settings.model_fields.items()
    }
    assert rows == expected


def test_the_example_environment_names_settings_only() -> None:
    names = set(re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    known = {str(f.validation_alias or f"BERTH_{n.upper()}") for n, f in Settings.model_fields.items()}
    assert names <= known


def test_the_picture_in_the_readme_is_what_the_table_of_moves_says() -> None:
    assert (ROOT / "README.md").read_text(encoding="utf-8") == readme()


@pytest.mark.parametrize(
    "page", ["docs/architecture.md", "docs/adr/0003-packages-and-imports.md", "CONTRIBUTING.md"]
)
def test_the_direction_of_imports_is_told_as_it_is_checked(page: str) -> None:
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
    checked = [set(layer.split(" | ")) for layer in reversed(contract["layers"])]
    told = re.search(r"domain\s←[\s\w|←]+", (ROOT / page).read_text())
    assert told is not None
    assert [set(re.findall(r"\w+", floor)) for floor in told[0].split("←")] == checked


def test_the_readme_and_the_decisions_stay_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150
    long = [p.name for p in (ROOT / "docs" / "adr").glob("0*.md") if len(p.read_text().splitlines()) > 60]
    assert long == []


def test_every_decision_is_listed_and_has_its_four_parts() -> None:
    index = (ROOT / "docs" / "adr" / "README.md").read_text()
    for page in sorted((ROOT / "docs" / "adr").glob("0*.md")):
        assert f"({page.name})" in index
        assert _HEADING.findall(page.read_text())[1:] == ["Context", "Decision", "Consequences", "When to revisit"]

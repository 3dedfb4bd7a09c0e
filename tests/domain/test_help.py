"""Every error that Berth raises has a section that says what helps."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from api.errors import STATUS
from domain import errors
from domain.errors import BerthError, ProviderErrorKind
from domain.help import HELP, errors_page, help_for, help_url
from scripts.generated import ROOT

pytestmark = pytest.mark.unit
INTERNAL = {"refused", "OperationFailed"}
"""The code of a base class that is never raised as such, and Temporal's name of a failed run."""


def classes(base: type[BerthError]) -> Iterator[type[BerthError]]:
    yield base
    for child in base.__subclasses__():
        yield from classes(child)


def test_every_code_of_the_error_tree_has_a_section() -> None:
    codes = {kind.code for kind in classes(errors.BerthError)} | {k.replace("_", "-") for k in ProviderErrorKind}

    assert codes - INTERNAL <= set(HELP)


def test_every_code_that_is_written_somewhere_has_a_section() -> None:
    """Codes stand as `code = "…"`, `{"code": "…"}` or `type="…"` in the code."""
    found = set()
    for folder in ("services", "activities", "workflows", "keeper"):
        for path in (ROOT / folder).rglob("*.py"):
            found |= set(_codes(ast.parse(path.read_text())))

    assert found - INTERNAL <= set(HELP), sorted(found - set(HELP) - INTERNAL)


def _codes(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            found = [v.value for k, v in pairs if _is(k, "code") and isinstance(v, ast.Constant)]
            yield from (code for code in found if isinstance(code, str))
        if isinstance(node, ast.Call):
            named = [k.value for k in node.keywords if k.arg == "type"]
            yield from (v.value for v in named if isinstance(v, ast.Constant) and isinstance(v.value, str))


def _is(node: ast.AST | None, text: str) -> bool:
    return isinstance(node, ast.Constant) and node.value == text


def test_every_refusal_has_a_status() -> None:
    for kind in classes(errors.Refused):
        assert any(base in STATUS for base in kind.__mro__)


def test_the_page_has_every_section() -> None:
    page = errors_page()

    assert all(f'id="{code}"' in page for code in HELP)
    assert help_url("no_capacity") == "/docs/errors#no-capacity"
    assert help_for("never-heard").helps

"""What we agreed on and no linter checks: whose packages are imported, where words stand, how long things get."""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from domain.lifecycle import Status

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[1]
SHIPPED = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"][
    "only-include"
]
MODULES = sorted(name.removesuffix(".py") for name in SHIPPED if "/" not in name)

# Put together here, so that this file may be searched like every other.
HOSTS = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("yarnpkg", "com"),
        ("npmmirror", "com"),
        ("proxy", "golang", "org"),
        ("sum", "golang", "org"),
        ("goproxy", "io"),
        ("crates", "io"),
        ("rubygems", "org"),
        ("ghcr", "io"),
        ("gcr", "io"),
        ("quay", "io"),
        ("registry-1", "docker", "io"),
    )
)

LONGEST_FILE = 300
LONGEST_BODY = 40
LONG_FILES = {"db/migrations/versions/0001_records.py": "one migration makes every table, a column a line"}
LONG_BODIES = {
    "db/migrations/versions/0001_records.py": "one migration makes every table, a column a line",
    "db/migrations/versions/0002_database_allocations.py": "one migration makes a table, a column a line",
    "db/migrations/versions/0007_eyes.py": "one migration makes its tables, a column a line",
    "db/migrations/versions/0008_access.py": "one migration makes its tables, a column a line",
    "services/operations/lives.py": "one row with all its columns, one a line",
}

# Where a word may stand that is also a status, because it means something else there.
OTHER_MEANINGS = {
    "cli/": "it paints and words what the server sends, and imports nothing of the server",
    "providers/": "the provider's own states, which never become statuses",
    "embedded/": "a level of logs",
    "keeper/dispatch.py": "the status and phase of an operation",
    "services/forms/bodies.py": "the kinds of a confirmation",
    "services/views/holds.py": "the field with an instance's maintenance, planned or under way",
    "db/models/holds.py": "the table of maintenances, planned or under way",
    "scripts/dashboard.py": "the status of operations",
}
AMBIGUOUS = {Status.ERROR.value}
"""Also the name of a field in many records."""


@pytest.mark.parametrize("module", MODULES)
def test_a_package_is_ours_and_nobody_elses(module: str) -> None:
    found = importlib.util.find_spec(module)
    assert found is not None
    assert found.origin is not None
    assert Path(found.origin).resolve().is_relative_to(ROOT)
    owners = set(importlib.metadata.packages_distributions().get(module, ())) - {"berth"}
    assert not owners, f"{', '.join(owners)} has a package {module} too; ours could be taken for it"


def test_every_package_of_the_repository_is_in_the_wheel_and_under_the_import_contract() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "scripts", "bench"}
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    assert packages <= set(SHIPPED)
    assert packages == set(contracts["root_packages"])


def test_every_test_folder_is_a_package() -> None:
    """Otherwise pytest would put a test folder in the place of the package of the same name."""
    folders = {path.parent for path in (ROOT / "tests").rglob("*.py") if "__pycache__" not in path.parts}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").is_file()] == []


@cache
def _tracked() -> tuple[Path, ...]:
    """The files of the repository: those that git knows, or all of a tree without git."""
    if (ROOT / ".git").exists():
        command = ["git", "-c", f"safe.directory={ROOT}", "-C", str(ROOT), "ls-files", "-z"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        if done.returncode == 0:
            return tuple(path for name in done.stdout.split("\0") if name and (path := ROOT / name).is_file())
    skipped = {".git", ".venv", "node_modules", "__pycache__", "dist"}
    return tuple(p for p in ROOT.rglob("*") if p.is_file() and not skipped & set(p.relative_to(ROOT).parts))


def _sources() -> Iterator[tuple[str, ast.Module, int]]:
    """(path, syntax tree, lines) of the product's Python files."""
    for path in _tracked():
        name = path.relative_to(ROOT).as_posix()
        if path.suffix == ".py" and not name.startswith("tests/"):
            text = path.read_text(encoding="utf-8")
            yield name, ast.parse(text), len(text.splitlines())


def test_no_file_names_the_host_of_a_package_registry() -> None:
    """Where packages come from is the business of whoever installs them; pins and hashes are enough."""
    found = [
        f"{path.relative_to(ROOT)}: {host}"
        for path in _tracked()
        for text in [path.read_bytes().decode("utf-8", errors="replace")]
        for host in HOSTS
        if host in text
    ]
    assert found == []


def test_a_status_is_spelled_in_the_domain_only() -> None:
    words = {status.value for status in Status} - AMBIGUOUS
    allowed = ("domain/", "db/migrations/", "bench/", *OTHER_MEANINGS)
    found = [
        f"{name}:{node.lineno} {node.value!r}"
        for name, tree, _ in _sources()
        if not name.startswith(allowed)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in words
    ]
    assert found == [], "use domain.lifecycle.Status"


def test_files_stay_short() -> None:
    long = {name for name, _, lines in _sources() if lines > LONGEST_FILE}
    assert long == set(LONG_FILES), "split by responsibility, or say why not; drop what is short again"


def test_functions_stay_short() -> None:
    long = {name for name, tree, _ in _sources() for size in _bodies(tree) if size > LONGEST_BODY}
    assert long == set(LONG_BODIES), "split by responsibility, or say why not; drop what is short again"


def _bodies(tree: ast.Module) -> Iterator[int]:
    """Lines of each function, without its signature and docstring."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) and len(node.body) > 1 else node.body
            yield (node.end_lineno or 0) - body[0].lineno + 1


def test_every_module_says_what_it_is_for() -> None:
    silent = [name for name, tree, lines in _sources() if lines and ast.get_docstring(tree) is None]
    assert silent == []

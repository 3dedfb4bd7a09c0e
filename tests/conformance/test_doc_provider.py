"""docs/add-a-provider.md is true: its module and its one line, put in their places, pass the suite."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```(?:python|text)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_TABLE = "_MODULES = (\n"
_FEWEST_TESTS = 70


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what is touched, with what the page says put into it; the rest comes from the repository."""
    module, line, harness = _BLOCK.findall((ROOT / "docs" / "add-a-provider.md").read_text())
    leave = shutil.ignore_patterns("__pycache__", "*_harness.py")  # of others, with their daemons
    for folder in ("providers", "tests/conformance", "tests/support"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=leave)
    for file in ("pyproject.toml", "tests/__init__.py"):
        shutil.copy(ROOT / file, tmp_path / file)
    for package in {path.parent for path in ROOT.glob("*/__init__.py")}:
        if not (tmp_path / package.name).exists():
            (tmp_path / package.name).symlink_to(package)
    (tmp_path / "providers" / "notebook.py").write_text(module)
    (tmp_path / "tests" / "conformance" / "notebook_harness.py").write_text(harness)
    registry = tmp_path / "providers" / "registry.py"
    before = registry.read_text()
    assert (before.count(_TABLE), line.count("\n")) == (1, 1), "one line, and one place for it"
    registry.write_text(before.replace(_TABLE, _TABLE + line))
    return tmp_path


def run(tree: Path, *arguments: str) -> str:
    environment = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=tree,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    return done.stdout


def test_the_provider_of_the_page_passes_the_suite_with_its_one_line(tree: Path) -> None:
    said = run(tree, "pytest", "tests/conformance", "-k", "notebook", "-q", "-p", "no:cacheprovider")
    summary = said.strip().splitlines()[-1]
    passed = re.search(r"(\d+) passed", summary)
    assert passed is not None
    assert int(passed[1]) >= _FEWEST_TESTS
    assert not re.search(r"skipped|failed|error|xfailed", summary)


def test_a_provider_without_its_harness_fails_the_suite(tree: Path) -> None:
    (tree / "tests" / "conformance" / "notebook_harness.py").unlink()
    with pytest.raises(AssertionError, match=r"write tests/conformance/notebook_harness\.py"):
        run(tree, "pytest", "tests/conformance/test_table.py", "-k", "notebook", "-q", "-p", "no:cacheprovider")


def test_the_code_of_the_page_is_written_as_all_of_ours(tree: Path) -> None:
    files = ("providers/notebook.py", "tests/conformance/notebook_harness.py")
    run(tree, "ruff", "check", "--no-cache", *files)
    run(tree, "ruff", "format", "--check", "--no-cache", *files)

"""Makes every test of the suite once per provider, and prints what a provider says it cannot have.

A test asks for `harness`; and for one of `raw_state`, `bad_work`, `refusal` to be made once for each of those.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.conformance import crashing
from tests.conformance.base import REFUSALS, Can, Harness
from tests.conformance.harnesses import HARNESSES, MODULES

_EACH: dict[str, Callable[[type[Harness]], Iterator[tuple[str, Any]]]] = {
    "raw_state": lambda harness: ((state.name, state) for state in harness.raw_states),
    "bad_work": lambda harness: ((bad.name, bad) for bad in harness.bad_works),
    "refusal": lambda harness: ((kind.value, kind) for can, kind in REFUSALS.items() if can not in harness.lacks),
}
_ASKED = pytest.StashKey[frozenset[str]]()


def pytest_configure(config: pytest.Config) -> None:
    for name, module in MODULES.items():
        config.pluginmanager.register(module, f"{name} harness")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "harness" not in metafunc.fixturenames:
        return
    needed: frozenset[Can] = getattr(metafunc.function, "needs", frozenset())
    each = next((name for name in _EACH if name in metafunc.fixturenames), None)
    rows = []
    for name, harness in HARNESSES.items():
        if needed & harness.lacks.keys():
            continue
        if each is None:
            rows.append(pytest.param(name, id=name, marks=harness.marks))
            continue
        for label, value in _EACH[each](harness):
            rows.append(pytest.param(name, value, id=f"{name}-{label}", marks=harness.marks))
    names = ["harness"] if each is None else ["harness", each]
    metafunc.parametrize(names, rows, indirect=["harness"])


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Drop the tests that no provider here is able to have: what they lack is printed, nothing is skipped."""
    nobody = [item for item in items if (name := _harness_of(item)) is not None and name not in HARNESSES]
    items[:] = [item for item in items if item not in nobody]
    config.hook.pytest_deselected(items=nobody)


def pytest_collection_finish(session: pytest.Session) -> None:
    asked = frozenset(str(name) for item in session.items if (name := _harness_of(item)) is not None)
    session.config.stash[_ASKED] = asked
    crashing.prepare(asked)


def _harness_of(item: pytest.Item) -> Any:
    spec = getattr(item, "callspec", None)
    return None if spec is None else spec.params.get("harness")


@pytest.fixture
def harness(request: pytest.FixtureRequest) -> Harness:
    made: Harness = request.getfixturevalue(f"{request.param}_harness")
    return made


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    asked: frozenset[str] = config.stash.get(_ASKED, frozenset())
    lines = [
        f"{name}: not tested that {can.value}: {why}"
        for name in sorted(asked)
        for can, why in HARNESSES[name].lacks.items()
    ]
    if lines:
        terminalreporter.section("what providers say they cannot have")
        for line in lines:
            terminalreporter.write_line(line)

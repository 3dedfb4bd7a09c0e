"""Every harness, found by its file: `<provider>_harness.py` holds `HARNESS` and the fixture `<provider>_harness`.

The conftest registers these modules; what they stand on (a daemon, a cluster) is in tests/conftest.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType

from tests.conformance.base import Harness

_SUFFIX = "_harness"

MODULES: Mapping[str, ModuleType] = {
    path.stem.removesuffix(_SUFFIX): import_module(f"{__package__}.{path.stem}")
    for path in sorted(Path(__file__).parent.glob(f"*{_SUFFIX}.py"))
}
HARNESSES: Mapping[str, type[Harness]] = {name: module.HARNESS for name, module in MODULES.items()}

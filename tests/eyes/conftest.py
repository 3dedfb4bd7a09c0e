"""A whole Berth for the tests of what shows it: API, worker, records, Temporal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.eyes.breaking import SETTINGS
from tests.eyes.page import preamble
from tests.eyes.standing import Standing
from tests.support.api import Api, running_api
from tests.support.ports import free_ports
from tests.support.whole import MakeWhole, Whole, make_whole
from tests.support.workers import wait_for

__all__ = ["make_whole"]


@pytest.fixture(scope="module")
def whole(make_whole: MakeWhole) -> Whole:
    """With one worker."""
    return make_whole()


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, database_url: str) -> Iterator[Api]:
    """The API without Temporal and without a worker."""
    with running_api(tmp_path_factory.mktemp("api"), database_url) as running:
        yield running


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    """`berth up`, for what an operator does with it; purged afterwards."""
    berth = str(Path(sys.executable).with_name("berth"))
    data_dir = tmp_path_factory.mktemp("up") / "data"
    env = {key: os.environ[key] for key in ("HOME", "BERTH_CACHE_DIR", "BERTH_TEMPORAL_CLI") if key in os.environ}
    env |= {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", **SETTINGS}
    with (data_dir.parent / "up.log").open("wb") as log:
        up = subprocess.Popen(
            [berth, "up", "--data-dir", str(data_dir), "--port", str(free_ports(1)[0]), "--json"],
            env=env,
            stdout=subprocess.PIPE,
            stderr=log,
        )
    try:
        assert up.stdout is not None
        ready = json.loads(up.stdout.readline())
        made = Standing(data_dir, ready["url"])
        with closing(made):
            made.database_url = made.shell.run(f'{preamble()}\nprintf %s "$DATABASE_URL"').said
            wait_for(made.ready, 60, "it is not ready")
            yield made
    finally:
        subprocess.run(
            [berth, "down", "--data-dir", str(data_dir), "--purge", "--yes"],
            env=env,
            check=False,
            timeout=120,
            capture_output=True,
        )
        up.wait(120)
        assert up.stdout is not None
        up.stdout.close()

"""A whole Berth – records, Temporal, worker processes, API on a socket, the command line – for one test module."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.api import TOKEN, Api, running_api
from tests.support.postgres import PostgresServer
from tests.support.spine import Spine
from tests.support.temporal import TemporalServer
from tests.support.workers import wait_for

MakeWhole = Callable[..., "Whole"]


@dataclass
class Whole:
    """Its parts, and the words of somebody who uses it from outside."""

    spine: Spine
    api: Api

    def create(self, **body: Any) -> Any:
        """Ask for an instance; returns `{instance, operation}`."""
        answer = self.api.ask("POST", "/instances", body)
        assert answer.status_code == 202, answer.text
        return answer.json()

    def act(self, key: str, action: str, wanted: str = "succeeded", seconds: float = 60, **more: Any) -> Any:
        """An action to its end; returns the operation."""
        answer = self.api.act(key, action, **more)
        assert answer.status_code == 202, answer.text
        return self.done(answer.json(), wanted, seconds)

    def modify(self, key: str, patch: dict[str, Any], wanted: str = "succeeded") -> Any:
        tag = self.api.ask("GET", f"/instances/{key}").headers["ETag"]
        answer = self.api.ask("PATCH", f"/instances/{key}", patch, If_Match=tag)
        assert answer.status_code == 202, answer.text
        return self.done(answer.json(), wanted)

    def delete(self, key: str, wanted: str = "succeeded", seconds: float = 60) -> Any:
        answer = self.api.ask("DELETE", f"/instances/{key}")
        assert answer.status_code == 202, answer.text
        return self.done(answer.json(), wanted, seconds)

    def done(self, form: Any, wanted: str = "succeeded", seconds: float = 60) -> Any:
        """The operation of an answer, or of an id, once it is over."""
        operation_id = form if isinstance(form, str) else form["operation"]["id"]
        operation = self.api.get(f"/operations/{operation_id}")
        while operation["status"] in ("pending", "running") and seconds > 0:
            operation = self.api.get(f"/operations/{operation_id}?wait=10")
            seconds -= 10
        assert operation["status"] == wanted, json.dumps(operation, indent=1)
        return operation

    def instance(self, key: str) -> Any:
        return self.api.get(f"/instances/{key}")

    def wait_status(self, key: str, status: str, seconds: float = 30) -> Any:
        wait_for(
            lambda: self.instance(key)["status"] == status,
            seconds,
            lambda: f"{key} did not become {status}: {self.instance(key)}",
        )
        return self.instance(key)

    def inventory(self, provider: str) -> list[Any]:
        """What the provider holds of this Berth."""
        items = self.api.get(f"/providers/{provider}/inventory")["items"]
        return [item for item in items if item["owned"]]

    def berth(self, *words: str, code: int = 0) -> str:
        """The command line, as a user's shell runs it; returns what it printed."""
        ran = subprocess.run(
            [str(Path(sys.executable).with_name("berth")), *words],
            env={
                "PATH": "/usr/bin:/bin",
                "HOME": str(self.spine.folder),
                "LANG": "C.UTF-8",
                "BERTH_URL": self.api.url,
                "BERTH_TOKEN": TOKEN,
                "BERTH_DATA_DIR": str(self.spine.folder),
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert ran.returncode == code, f"{words}: {ran.returncode}\n{ran.stdout}\n{ran.stderr}"
        return ran.stdout

    def signal(self, operation: Any, name: str) -> None:
        """`temporal workflow signal`, as an operator types it."""
        self.spine.temporal.cli(
            self.spine.namespace,
            "workflow",
            "signal",
            "--workflow-id",
            operation["workflow_id"],
            "--name",
            name,
        )


@pytest.fixture(scope="module")
def make_whole(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer, temporal_server: TemporalServer
) -> Iterator[MakeWhole]:
    """Make a Berth with these settings of its worker and API, one worker already running."""
    with ExitStack() as stack:

        def make(*, worker: bool = True, **settings: str) -> Whole:
            folder = tmp_path_factory.mktemp("whole")
            spine = Spine(folder, postgres_server.new_database(), temporal_server, temporal_server.new_namespace())
            stack.callback(spine.close)
            spine.settings |= settings
            api = stack.enter_context(
                running_api(
                    folder,
                    spine.database_url,
                    TEMPORAL_ADDRESS=temporal_server.address,
                    TEMPORAL_NAMESPACE=spine.namespace,
                )
            )
            if worker:
                spine.start_worker()
            return Whole(spine, api)

        yield make

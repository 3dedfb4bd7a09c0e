"""A running `berth up`, as an operator has it: its shell, its API, its records, and a worker beside it."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import psycopg2

from tests.eyes.shell import Shell
from tests.support.workers import WorkerProcess, wait_for

_ROOT = Path(__file__).parents[2]
AGENT = "silent"
"""The name of the worker beside it, and of its host: the runbook takes that off the books."""


@dataclass
class Standing:
    """Closed by its fixture."""

    data_dir: Path
    url: str
    database_url: str = ""
    _number: int = 0
    _used: Shell | None = None
    _agent: WorkerProcess | None = None

    @property
    def pids(self) -> dict[str, int]:
        told = json.loads(self.shell.run("berth status --json").said)
        return {name: int(pid) for name, pid in told["pids"].items()}

    @property
    def shell(self) -> Shell:
        if self._used is None:
            env = {
                "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
                "HOME": str(self.data_dir),
                "LANG": "C.UTF-8",
                "BERTH_DATA_DIR": str(self.data_dir),
            }
            self._used = Shell(env, self.data_dir)
        return self._used

    def agent(self) -> WorkerProcess:
        """A worker for a host of its own, with a Docker daemon that does not answer."""
        if self._agent is None:
            folder = self.data_dir.parent / AGENT
            folder.mkdir(mode=0o700)
            shutil.copy(self.data_dir / "keys", folder)
            daemon = folder / "docker.sock"
            with socket.socket(socket.AF_UNIX) as nobody:
                nobody.bind(str(daemon))
            told = self.shell.run('printf "%s\\n%s\\n" "$TEMPORAL_ADDRESS" "$TEMPORAL_NAMESPACE"').said.split()
            env = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": str(folder), "BERTH_DATA_DIR": str(folder)}
            env |= {"DATABASE_URL": self.database_url, "BERTH_DOCKER_HOST": f"unix://{daemon}"}
            env |= dict(zip(("TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE"), told, strict=True))
            words = [sys.executable, "-m", "worker", "--provider", "docker", "--name", AGENT]
            log = folder / "worker.log"
            with log.open("wb") as sink:
                process = subprocess.Popen(words, env=env, cwd=_ROOT, stdout=sink, stderr=sink)
            self._agent = WorkerProcess(process, log)
        return self._agent

    def close(self) -> None:
        if self._agent is not None:
            self._agent.kill()
        if self._used is not None:
            self._used.close()

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {(self.data_dir / 'token').read_text().strip()}"}
        answer = httpx2.request(
            method, f"{self.url}/api/v1{path}", json=body, headers=headers, trust_env=False, timeout=60
        )
        assert answer.status_code < 300, answer.text
        return answer.json()

    def ready(self) -> bool:
        try:
            return httpx2.get(f"{self.url}/readyz", trust_env=False, timeout=5).status_code == 200
        except httpx2.HTTPError:
            time.sleep(0.2)
            return False

    def sql(self, statement: str) -> int:
        """How many rows it touched."""
        connection = psycopg2.connect(self.database_url, connect_timeout=30)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            touched = cursor.rowcount
        connection.close()
        return touched

    def launched(self, wanted: str | None = "succeeded", **simulate: Any) -> dict[str, str]:
        """A simulated instance; the placeholders that name it."""
        self._number += 1
        params = {"simulate": simulate} if simulate else {}
        name = f"thing-{self._number}"
        made = self.ask(
            "POST", "/instances", {"name": name, "blueprint": "web", "provider": "simulated", "params": params}
        )
        names = {
            "NAME": name,
            "OP": made["operation"]["id"],
            "D": made["instance"]["deployment_id"],
            "INSTANCE": made["instance"]["id"],
        }
        names |= {"deployment-D": f"deployment-{names['D']}"}
        if wanted is not None:
            self.ended(names["OP"], wanted)
        return names

    def ended(self, operation: str, wanted: str) -> None:
        wait_for(lambda: self.ask("GET", f"/operations/{operation}?wait=10")["done"], 60, "it does not end")
        told = self.ask("GET", f"/operations/{operation}")
        assert told["status"] == wanted, told

    def acted(self, names: dict[str, str], action: str, wanted: str | None = None) -> dict[str, str]:
        """The placeholders, with the operation of this action."""
        made = self.ask("POST", f"/instances/{names['NAME']}/actions", {"action": action})
        if wanted is not None:
            self.ended(made["operation"]["id"], wanted)
        else:
            wait_for(lambda: self.status(names) not in ("running", "stopped"), 20, "it did not begin")
        return {**names, "OP": made["operation"]["id"]}

    def status(self, names: dict[str, str]) -> str:
        """Of the instance; `gone` when it has ended."""
        rows = self.ask("GET", "/instances")["items"]
        return next((str(row["status"]) for row in rows if row["name"] == names["NAME"]), "gone")

    def is_in(self, names: dict[str, str], status: str) -> Callable[[], bool]:
        return lambda: self.status(names) == status

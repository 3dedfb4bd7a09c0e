"""A whole Berth, as `berth up` starts it, and the words of somebody who asks it beside the browser."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from providers.simulated import SimulatedProvider
from scripts.berth import Up, berth_up
from tests.support.billing import NEW_SECRET, Sender
from tests.support.calls import RecordingCall
from tests.support.workers import wait_for
from tests.support.works import a_work

_PATIENCE = 120.0


@dataclass(frozen=True)
class Berth:
    """The running Berth and an HTTP client that is signed in."""

    up: Up
    http: httpx2.Client

    @property
    def url(self) -> str:
        return self.up.url

    def get(self, path: str) -> Any:
        """A read that must work."""
        answer = self.http.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def create(self, name: str, *, wait: str | None = "succeeded", **body: Any) -> Any:
        """Something simulated unless told otherwise; returns the instance once its create is over."""
        body = {"name": name, "blueprint": "web", "provider": "simulated", **body}
        self._accepted(self.http.post("/instances", json=body), wait)
        return self.get(f"/instances/{name}")

    def act(self, name: str, action: str, wait: str | None = "succeeded", **more: Any) -> None:
        self._accepted(self.http.post(f"/instances/{name}/actions", json={"action": action, **more}), wait)

    def modify(self, name: str, **params: Any) -> None:
        """Asked again of a newer version: what the monitor tells of a new life makes one."""
        for _ in range(5):
            tag = self.http.get(f"/instances/{name}").headers["ETag"]
            answer = self.http.patch(f"/instances/{name}", json={"params": params}, headers={"If-Match": tag})
            if answer.status_code != 412:
                break
        self._accepted(answer, None)

    def delete(self, name: str, wait: str | None = "succeeded") -> None:
        self._accepted(self.http.delete(f"/instances/{name}"), wait)

    def _accepted(self, answer: httpx2.Response, wait: str | None) -> None:
        assert answer.status_code == 202, answer.text
        if wait is None:
            return
        operation, ends = answer.json()["operation"], time.monotonic() + _PATIENCE
        while not operation["done"] and time.monotonic() < ends:
            operation = self.get(f"/operations/{operation['id']}?wait=30")
        assert operation["status"] == wait, json.dumps(operation, indent=1)

    def fault(self, name: str, verb: str, fault: str, **more: Any) -> None:
        """Make the simulated provider misbehave for one instance from now on."""
        body = {"instance": name, "verb": verb, "fault": fault, **more}
        answers: list[httpx2.Response] = []

        def taken() -> bool:
            """Where a worker was killed, those that ask it are refused for a moment."""
            answers.append(self.http.put("/providers/simulated/faults", json=body))
            return answers[-1].status_code != 503

        wait_for(taken, 30, lambda: answers[-1].text)
        assert answers[-1].status_code == 200, answers[-1].text

    def billing_says(self, kind: str, instance_id: str) -> None:
        """A signed delivery from the billing system."""
        answer = Sender(self.url, NEW_SECRET).tell(kind, instance_id=instance_id)
        assert answer.status_code == 200, answer.text

    def leave_an_orphan(self) -> None:
        """Another Berth's object in the same place."""
        stranger = "another-berth-0001"
        provider = SimulatedProvider(self.up.data_dir / "simulated.db", stranger)
        provider.create(a_work(server_id=stranger), RecordingCall())
        provider.close()

    def status(self, name: str) -> str:
        return str(self.get(f"/instances/{name}")["status"])

    def wait_status(self, name: str, status: str, seconds: float = _PATIENCE) -> None:
        def reached() -> bool:
            time.sleep(0.05)
            return self.status(name) == status

        wait_for(reached, seconds, lambda: f"{name} did not become {status}: {self.get(f'/instances/{name}')}")

    def wait_gone(self, name: str) -> None:
        def gone() -> bool:
            time.sleep(0.05)
            return self.http.get(f"/instances/{name}").status_code == 404

        wait_for(gone, _PATIENCE, lambda: f"{name} is still there: {self.get(f'/instances/{name}')}")

    @property
    def worker(self) -> int:
        """The pid of the worker that runs now."""
        running = json.loads((self.up.data_dir / "up.json").read_text())
        return int(running["pids"]["worker"])

    def kill_worker(self) -> None:
        """SIGKILL; the supervisor starts another one."""
        os.kill(self.worker, signal.SIGKILL)

    @contextmanager
    def still(self) -> Iterator[None]:
        """The worker holds its breath: what is asked meanwhile begins when the block ends."""
        worker = self.worker
        os.kill(worker, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(worker, signal.SIGCONT)

    def errors_logged(self, about: str = "") -> list[str]:
        """What API and worker have logged as an error until now. `about`: leave out what is said of other
        deployments than this one, which other tests have left hanging."""
        lines = [
            line
            for name in ("api", "worker")
            for line in (self.up.data_dir / "logs" / f"{name}.log").read_text(errors="replace").splitlines()
        ]
        own = [line for line in lines if not about or "deployment-dep_" not in line or about in line]
        return [line for line in own if _is_error(line)]


def _is_error(line: str) -> bool:
    """A traceback is one at any level; what is no record was written by somebody who did not get that far."""
    try:
        return json.loads(line)["level"] in ("error", "critical") or "Traceback" in line
    except (ValueError, KeyError, TypeError):
        return bool(line.strip())


@contextmanager
def whole_berth(data_dir: Path, ui_dir: Path) -> Iterator[Berth]:
    """Everything on free ports until the block ends; serves the interface that lies in `ui_dir`."""
    settings = {
        "BERTH_UI_DIR": str(ui_dir),
        "BERTH_RUN_HOLD_SECONDS": "2",
        "BERTH_BILLING_SECRETS": NEW_SECRET,
    }
    with berth_up(data_dir, **settings) as up:
        headers = {"Authorization": f"Bearer {up.token}"}
        with httpx2.Client(base_url=f"{up.url}/api/v1", headers=headers, timeout=40, trust_env=False) as http:
            yield Berth(up, http)

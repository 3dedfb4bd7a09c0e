"""Lines of the log: JSON with the ids that lead from process to process, and no secret, whatever is handed in."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from system.masking import MASK, masked
from tests.support.api import TOKEN
from tests.support.ports import free_ports
from tests.support.whole import MakeWhole, Whole
from tests.support.workers import wait_for

SECRETS = {
    "in an address": "postgresql://berth:s3cr3t-value@127.0.0.1:5432/berth",
    "in a header": "Authorization: Bearer s3cr3t-value-of-mine",
    "in words": "the password=s3cr3t-value was wrong",
    "a signing key": "whsec_s3cr3tvalue0123456789ABCDEF",
    "a web token": "eyJhbGciOi.eyJzM2NyM3QtdmFsdWUi.c2lnbmF0dXJl",
}
_ROOT = Path(__file__).parents[2]
_SAYS = """
import structlog
from observability import configure_logging
import logging, sys
configure_logging("INFO", sys.argv[1])
log = structlog.get_logger("test")
log.info("hello", password="s3cr3t-value", nested={"token": "s3cr3t-value", "fine": 1}, secret_names=["a"])
for text in sys.argv[2:]:
    log.warning(text, why=text, several=[text])
    logging.getLogger("library").error("said %s", text)
try:
    raise ValueError("connecting to postgresql://u:s3cr3t-value@h/d")
except ValueError:
    log.exception("failed")
"""


@pytest.mark.unit
@pytest.mark.parametrize("form", ["json", "console"])
def test_no_form_of_the_log_lets_a_secret_through(form: str) -> None:
    said = subprocess.run(
        [sys.executable, "-c", _SAYS, form, *SECRETS.values()],
        cwd=_ROOT,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    ).stderr
    assert "s3cr3t" not in said.lower(), said
    assert "hello" in said
    if form == "json":
        lines = [json.loads(line) for line in said.splitlines()]
        assert lines[0]["password"] == MASK
        assert lines[0]["nested"] == {"token": MASK, "fine": 1}
        assert lines[0]["secret_names"] == ["a"]


@pytest.mark.unit
@pytest.mark.parametrize("text", SECRETS.values(), ids=SECRETS.keys())
def test_a_secret_is_known_by_its_shape(text: str) -> None:
    assert "s3cr3t" not in masked(text).lower()
    assert "eyJzM2Ny" not in masked(text)


@pytest.mark.unit
@pytest.mark.parametrize("text", ["http://127.0.0.1:8000/ui", "host-01 of 3", "token_id tok_1", "op_01jx"])
def test_what_is_no_secret_is_left_alone(text: str) -> None:
    assert masked(text) == text


@pytest.fixture(scope="module")
def logged(make_whole: MakeWhole, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Whole, str, Path]]:
    """A Berth whose API is a process of its own, with what it logs."""
    whole = make_whole()
    (port,) = free_ports(1)
    path = tmp_path_factory.mktemp("log") / "api.log"
    with path.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "api"],
            cwd=_ROOT,
            env=whole.spine.environment() | {"BERTH_API_PORT": str(port)},
            stderr=sink,
            stdout=sink,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: _lives(url), 30, path.read_text)
        yield whole, url, path
    finally:
        process.terminate()
        process.wait(60)


def _lives(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/livez", trust_env=False).status_code == 200
    except httpx2.HTTPError:
        time.sleep(0.1)
        return False


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.servers
def test_one_id_leads_through_the_logs_of_every_process(logged: tuple[Whole, str, Path]) -> None:
    whole, url, api_log = logged
    hidden = "correct-horse-battery"
    body = {
        "name": "told",
        "blueprint": "web",
        "provider": "simulated",
        "params": {"greeting": hidden, "simulate": {"create": {"fault": "invalid"}}},
    }
    answer = httpx2.post(
        f"{url}/api/v1/instances",
        json=body,
        headers={"Authorization": f"Bearer {TOKEN}"},
        timeout=60,
        trust_env=False,
    )
    assert answer.status_code == 202, answer.text
    operation = answer.json()["operation"]["id"]
    whole.done(operation, wanted="failed")
    trace_id = answer.headers["X-Request-ID"]

    asked = next(line for line in lines_of(api_log) if line.get("event") == "request" and line["status"] == 202)
    assert asked["trace_id"] == trace_id
    accepted = next(line for line in lines_of(api_log) if line.get("event") == "operation accepted")
    assert (accepted["operation"], accepted["trace_id"]) == (operation, trace_id)

    worker_log = whole.spine.workers[0].log
    wait_for(lambda: trace_id in worker_log.read_text(), 10, "the worker did not name the trace")
    mine = [line for line in lines_of(worker_log) if line.get("trace_id") == trace_id]
    failed = next(line for line in mine if line.get("event") == "attempt failed")
    assert failed["operation"] == operation
    assert failed["instance"].startswith("ins_")
    assert failed["workflow"].startswith("deployment-dep_")
    assert failed["deployment"].startswith("dep_")
    assert TOKEN not in api_log.read_text() + worker_log.read_text()
    assert hidden not in api_log.read_text() + worker_log.read_text()

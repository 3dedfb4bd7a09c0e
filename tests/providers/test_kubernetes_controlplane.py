"""`make kubernetes`: what it prints works, and nothing of it outlives it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.kubernetes import eventually, open_provider

pytestmark = [pytest.mark.servers, pytest.mark.kubernetes]
ROOT = Path(__file__).parents[2]


@contextmanager
def started() -> Iterator[tuple[subprocess.Popen[str], Path, list[int]]]:
    """It, the kubeconfig that it printed, and the processes that it started."""
    process = subprocess.Popen(
        [sys.executable, "-m", "scripts.controlplane"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    kubeconfig = Path()
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("export KUBECONFIG="):
                kubeconfig = Path(line.partition("=")[2].strip())
                break
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        yield process, kubeconfig, [int(pid) for pid in children]
    finally:
        process.kill()
        process.communicate()
        if kubeconfig.name:
            shutil.rmtree(kubeconfig.parent, ignore_errors=True)


def is_over(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in {"Z", "X"}
    except FileNotFoundError:
        return True


def test_it_prints_a_cluster_that_works_and_ctrl_c_ends_all_of_it() -> None:
    with started() as (process, kubeconfig, children):
        assert len(children) == 5
        assert kubeconfig.stat().st_mode & 0o777 == 0o600
        assert kubeconfig.parent.stat().st_mode & 0o077 == 0
        provider = open_provider(str(kubeconfig), "berth")
        assert provider.identity()
        provider.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(90) == 0
        assert all(is_over(pid) for pid in children)
        assert not kubeconfig.parent.exists()


@pytest.mark.crash
def test_a_killed_one_takes_its_parts_along() -> None:
    with started() as (process, _, children):
        os.kill(process.pid, signal.SIGKILL)
        eventually(lambda: all(is_over(pid) for pid in children))

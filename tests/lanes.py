"""Entry of `make test`: the whole suite in lanes beside each other, for much of it is waiting for servers.

Each lane is a pytest of its own, with its own temporary folder and servers. A lane is reported when it ends,
its failures last. With arguments of yours there is one lane: `make test ARGS="-m unit"`.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

_PYTEST = (sys.executable, "-m", "pytest", "-p", "tests.fast_first")
LANES = {
    "core": "not docker and not kubernetes and not ec2 and not browser and not crash",
    "deaths": "crash and not docker and not kubernetes and not ec2",
    "clusters and clouds": "kubernetes or ec2",
    # One after the other: every network that an engine makes or removes cuts the connections of a Chromium.
    "containers and screens": "(docker or browser) and not kubernetes and not ec2",
}
_REPORT_EVERY = 60.0


@dataclass
class Lane:
    """One running pytest; what it says goes into a file until it ends."""

    name: str
    folder: Path
    said: IO[bytes] = field(init=False)
    process: subprocess.Popen[bytes] = field(init=False)
    reported: bool = False

    def start(self) -> None:
        self.folder.mkdir()
        self.said = (self.folder / "log").open("wb+")
        words = ("-m", LANES[self.name], f"--basetemp={self.folder / 'tmp'}", "--durations=10")
        self.process = subprocess.Popen([*_PYTEST, *words], stdout=self.said, stderr=subprocess.STDOUT)

    def report(self) -> None:
        self.reported = True
        self.said.seek(0)
        print(f"\n===== {self.name}: {LANES[self.name]}", flush=True)
        sys.stdout.buffer.write(self.said.read())
        sys.stdout.flush()

    def last_words(self) -> str:
        """Where it is."""
        lines = (self.folder / "log").read_text(errors="replace").splitlines()
        return lines[-1].strip() if lines else ""


def main() -> int:
    if sys.argv[1:]:
        return subprocess.run([*_PYTEST, *sys.argv[1:]], check=False).returncode
    with tempfile.TemporaryDirectory(prefix="berth-tests-") as folder:
        lanes: list[Lane] = []
        # Before they start: what is handled here is not ignored there, also where a shell ignores it for its jobs.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda got, _: _pass_on(lanes, got))
        for place, name in enumerate(LANES):
            lanes.append(Lane(name, Path(folder, str(place))))
            lanes[-1].start()
        _watch(lanes)
    codes = {lane.name: lane.process.returncode for lane in lanes}
    print("\n===== " + ", ".join(f"{name}: {'passed' if code == 0 else code}" for name, code in codes.items()))
    return max(codes.values(), key=abs)


def _watch(lanes: list[Lane]) -> None:
    """Until every lane has ended; now and then say how far they are."""
    began = told = time.monotonic()
    while not all(lane.reported for lane in lanes):
        time.sleep(0.5)
        for lane in lanes:
            if not lane.reported and lane.process.poll() is not None:
                lane.report()
        if time.monotonic() - told > _REPORT_EVERY:
            told = time.monotonic()
            for lane in lanes:
                if not lane.reported:
                    print(f"{told - began:5.0f} s  {lane.name}: {lane.last_words()}", flush=True)


def _pass_on(lanes: list[Lane], got: int) -> None:
    for lane in lanes:
        if lane.process.poll() is None:
            lane.process.send_signal(got)


if __name__ == "__main__":
    sys.exit(main())

"""The report of `make bench-monitor`: raw figures, a plot, and a section of docs/performance.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib as mpl

from bench.report import quantile

mpl.use("Agg")
from matplotlib import pyplot as plt

BEGIN, END = "<!-- monitor: begin -->", "<!-- monitor: end -->"
_TITLES = {"simulated": "simulated (listed every second)", "process": "process (told by the kernel)"}
_HEAD = """## Watching

Written by `make bench-monitor`; raw figures: [performance/monitor.json](performance/monitor.json). One process,
composed as a worker is, observes everything; its CPU is its user and system time over the wall clock, as a share
of one core, and its memory is what it holds beyond the same process before the monitor began. *At rest* records
and objects are as they were left, and nothing happens but listings, probes, renewals and the refreshing of every
health; then instances are stopped or killed at random moments. *Noticed* is the time from that moment to the
commit of the event in the history.

Machine: {machine}; load average before the run: {load}; {when}.

| provider | instances | CPU at rest | CPU while hit | memory beyond bare | noticed p50 | p99 | most |
|---|---|---|---|---|---|---|---|
"""


def write_report(result: dict[str, Any], docs: Path) -> None:
    """docs/performance/monitor.json, monitor.svg, and the section, in place of the one before."""
    (docs / "performance").mkdir(parents=True, exist_ok=True)
    (docs / "performance" / "monitor.json").write_text(json.dumps(result, indent=1) + "\n")
    plot(result, docs / "performance" / "monitor.svg")
    page = docs / "performance.md"
    text = page.read_text(encoding="utf-8") if page.exists() else "# Performance\n"
    before, found, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    kept = before if found else before.rstrip() + "\n\n"
    page.write_text(f"{kept}{BEGIN}\n{section(result)}{END}{after or chr(10)}", encoding="utf-8")


def section(result: dict[str, Any]) -> str:
    """As Markdown."""
    head = _HEAD.format(machine=result["machine"], load=result["load_before"], when=result["when"])
    rows = "".join(_row(name, run) for name, run in result["runs"].items())
    return head + rows + "\n![Time from an end to its event](performance/monitor.svg)\n"


def _row(name: str, run: dict[str, Any]) -> str:
    noticed = run["noticed_seconds"]
    return (
        f"| {_TITLES[name]} | {run['instances']} | {run['cores_at_rest']:.1%} | {run['cores_while_hit']:.1%} "
        f"| {run['memory_beyond_mb']:.0f} MB | {quantile(noticed, 0.5):.2f} s | {quantile(noticed, 0.99):.2f} s "
        f"| {max(noticed):.2f} s |\n"
    )


def plot(result: dict[str, Any], path: Path) -> None:
    """How many were noticed within which time."""
    figure, axes = plt.subplots(figsize=(7, 3.5))
    for name, run in result["runs"].items():
        noticed = sorted(run["noticed_seconds"])
        shares = [(at + 1) / len(noticed) for at in range(len(noticed))]
        axes.step(noticed, shares, where="post", label=_TITLES[name])
    axes.set_xlabel("seconds from the end of an instance to its event")
    axes.set_ylabel("share noticed")
    axes.set_xlim(left=0)
    axes.set_ylim(0, 1.02)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)

"""What `bench.feed` found, for docs/performance.md: the section, the plot, the figures as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

BEGIN, END = "<!-- feed: written by `make bench-feed` -->", "<!-- /feed -->"
_HEAD = """
## The live feed

From just before the commit of an event to the client that got it on a socket, at {rate:.0f} events per second,
each event in a transaction of its own. The clients run on the same cores as Berth and check what they see: every
version of every instance once and in order. Written by `make bench-feed` on {when} ({machine}; load of the
machine over the quarter of an hour before: {load}); figures: [performance/feed.json](performance/feed.json).

| sockets, API processes | events delivered | p50 | p95 | p99 | longest | lost | out of order | cores of the API |
|---|---|---|---|---|---|---|---|---|
"""
_KILLED = """
In the last row one of two API processes is killed (SIGKILL) half-way: {cuts} sockets lose it and go on at the
other by their cursor. Sent again for a version that the client had already: {again}. `longest` holds what a client
of the dead process waited for its next event.

![From commit to client](performance/feed.svg)
"""


def write_report(result: dict[str, Any], docs: Path) -> None:
    """docs/performance/feed.json, feed.svg, and the section in performance.md, in place of the one before."""
    (docs / "performance").mkdir(exist_ok=True)
    (docs / "performance" / "feed.json").write_text(json.dumps(result, indent=1) + "\n")
    plot(result, docs / "performance" / "feed.svg")
    page = docs / "performance.md"
    text = page.read_text(encoding="utf-8") if page.exists() else "# Performance\n"
    page.write_text(with_section(text, section(result)), encoding="utf-8")


def with_section(text: str, written: str, begin: str = BEGIN, end: str = END) -> str:
    """`text` with the section replaced, or added at its end."""
    before, found, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before if found else before.rstrip() + chr(10) * 2}{begin}\n{written}{end}{after or chr(10)}"


def section(result: dict[str, Any]) -> str:
    """As Markdown."""
    head = _HEAD.format(
        rate=result["per_second"], when=result["when"], machine=result["machine"], load=result["load_before"]
    )
    rows = [_row(name, run) for name, run in result["runs"].items()]
    killed = result["runs"]["killed"]
    return head + "\n".join(rows) + "\n" + _KILLED.format(cuts=killed["cuts"], again=killed["again"])


def _row(name: str, run: dict[str, Any]) -> str:
    where = f"{run['sockets']:,}, {'2, one killed' if name == 'killed' else 1}"
    times = " | ".join(f"{run[key]:.0f} ms" for key in ("p50_ms", "p95_ms", "p99_ms", "max_ms"))
    cores = f"{run['api_cores']:.2f}" if "api_cores" in run else ""
    return f"| {where} | {run['deliveries']:,} | {times} | {run['lost']} | {run['out_of_order']} | {cores} |"


def plot(result: dict[str, Any], path: Path) -> None:
    """How late, by share of the deliveries, a line for each run."""
    mpl.rcParams["svg.hashsalt"] = "berth"
    figure, axes = plt.subplots(figsize=(7, 3.2))
    colours = ("#9aa5b1", "#5b8bb5", "#1f4e79", "#c0392b")
    for (name, run), colour in zip(result["runs"].items(), colours, strict=False):
        label = "2 processes, one killed" if name == "killed" else f"{run['sockets']:,} sockets"
        axes.plot(range(101), [max(value, 0.1) for value in run["percentiles_ms"]], color=colour, label=label)
    axes.set_yscale("log")
    axes.set_xlabel("% of deliveries")
    axes.set_ylabel("ms from commit to client")
    axes.grid(axis="y", color="#e6e9ed", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)

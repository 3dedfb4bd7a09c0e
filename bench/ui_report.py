"""What `bench.ui` found: the raw samples, a plot, and a table against what was promised."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

from bench.feed_report import with_section
from bench.report import quantile

Figures = dict[str, Any]
BEGIN, END = "<!-- ui: written by `make bench-ui` -->", "<!-- /ui -->"
_HEAD = """
## The web interface

A whole Berth and a Chromium on one machine; pages time themselves, by the clock that the writer of events uses.
{rows:,} rows stand in the records and nowhere else, so the monitor is off. Chromium draws without a graphics card;
the page alone is measured with its server played (`python -m bench.scroll`). Written by `make bench-ui` on {when}
({machine}; load of the machine over the quarter of an hour before: {load}); samples:
[performance/ui.json](performance/ui.json).

| what | p50 | p99 | worst | promised |
|---|---|---|---|---|
"""
_TAIL = "\n![The web interface](performance/ui.svg)\n"


def write_report(found: Figures, docs: Path) -> str:
    """Writes `ui.json`, `ui.svg` and the section in performance.md below `docs`; returns the section."""
    folder, page = docs / "performance", docs / "performance.md"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ui.json").write_text(json.dumps(_rounded(found)) + "\n")
    plot(found, folder / "ui.svg")
    facts = {key: found[key] for key in ("when", "machine", "load")}
    head = _HEAD.format(rows=found["scrolling"]["filled"], **facts)
    written = head + "\n".join(_row(*row) for row in _rows(found)) + "\n" + _TAIL
    text = page.read_text(encoding="utf-8") if page.exists() else "# Performance\n"
    page.write_text(with_section(text, written, BEGIN, END), encoding="utf-8")
    return written


def _rows(found: Figures) -> list[tuple[str, Sequence[float], str]]:
    load = found["first_load"]
    scripts = f"JavaScript of the first load, gzip: {load['javascript_gzip_bytes'] / 1000:.0f} kB"
    sent = f"{load['javascript_sent_bytes'] / 1000:.0f} kB on the wire"
    return [
        (f"{scripts} ({sent})", (), "≤ 200 kB"),
        ("interactive on loopback", load["interactive_ms"], "≤ 1 s"),
        ("click to badge, in the document", found["clicks"]["badge_ms"], "≤ 100 ms"),
        ("click to badge, painted", found["clicks"]["painted_ms"], "≤ 100 ms"),
        ("commit to screen, in the document", found["commits"]["screen_ms"], "p99 ≤ 150 ms"),
        ("commit to screen, painted", found["commits"]["painted_ms"], "p99 ≤ 150 ms"),
        ("frame, rows loading on the way", found["scrolling"]["loading_frames_ms"], "–"),
        ("frame, scrolling, 100 events/s, all on this machine", found["scrolling"]["frames_ms"], "≤ 50 ms"),
        ("frame, scrolling, 100 events/s, the page alone", found["page_alone"]["frames_ms"], "≤ 50 ms"),
        ("its tasks' CPU time", found["page_alone"]["tasks_ms"], "≤ 50 ms"),
    ]


def _row(what: str, values: Sequence[float], promised: str) -> str:
    if not values:
        return f"| {what} | | | | {promised} |"
    p50, p99, worst = statistics.median(values), quantile(values, 0.99), max(values)
    return f"| {what} | {p50:.0f} ms | {p99:.0f} ms | {worst:.0f} ms | {promised} |"


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return round(value, 1) if isinstance(value, float) else value


def plot(found: Figures, path: Path) -> None:
    """How many of the samples were at most so late: click to badge, commit to screen, frames."""
    mpl.rcParams["svg.hashsalt"] = "berth"
    figure, axes = plt.subplots(figsize=(7, 3.2))
    for name, values, colour in (
        ("click to badge, painted", found["clicks"]["painted_ms"], "#a3195b"),
        ("commit to screen, painted", found["commits"]["painted_ms"], "#1f4e79"),
        ("frame while scrolling, the page alone", found["page_alone"]["frames_ms"], "#7a8794"),
    ):
        ordered = sorted(values)
        shares = [(number + 1) / len(ordered) for number in range(len(ordered))]
        axes.step(ordered, shares, where="post", color=colour, label=name)
    axes.set_xscale("log")
    axes.set_xlabel("ms")
    axes.set_ylabel("share of samples")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right")
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)

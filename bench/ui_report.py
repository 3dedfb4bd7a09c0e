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

from bench.report import quantile

Figures = dict[str, Any]
_HEAD = "| what | p50 | p99 | worst | promised |"


def write_report(found: Figures, folder: Path) -> str:
    """Writes `ui.json` and `ui.svg`; returns the table."""
    (folder / "ui.json").write_text(json.dumps(_rounded(found), indent=1) + "\n")
    plot(found, folder / "ui.svg")
    lines = [
        f"Machine: {found['machine']}.",
        "",
        "| what | p50 | p99 | worst | promised |",
        "|---|---|---|---|---|",
    ]
    return "\n".join(lines + [_row(*row) for row in _rows(found)]) + "\n"


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
        ("frame, 10,000 rows loading on the way", found["scrolling"]["loading_frames_ms"], "–"),
        ("frame, 10,000 rows, 100 events/s", found["scrolling"]["frames_ms"], "≤ 50 ms"),
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
        ("frame while scrolling 10,000 rows", found["scrolling"]["frames_ms"], "#7a8794"),
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

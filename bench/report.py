"""The report of a benchmark run: docs/performance.md and its plot, from the raw samples."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

_HEAD = """# Performance

Written by `make bench`; raw samples: [performance/samples.json](performance/samples.json).

An operation of Berth is measured from the HTTP request to the answer of the long poll that says `succeeded`:
acceptance, dispatch, Plan, the provider's verb on `simulated` (which answers at once), Finish. The floor is a
*bare* workflow with the same graph (local activity, activity on another queue, local activity) whose activities do
nothing, started through the SDK on the same Temporal server, with its own worker process, in the same run, in
alternating blocks. Ratios are what counts: the absolute figures belong to the machine below.

The aim is a p50 of at most 1.5 times the floor's and at least 0.6 of its throughput. Where a run misses it, the
cost lies in our five transactions (accept, plan, begin, settle, finish), most of it CPU of the worker process.

"""


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of `values` lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def write_report(results: dict[str, Any], folder: Path) -> None:
    """Table and plot, beside the raw samples."""
    plot(results, folder / "latency.svg")
    text = _HEAD + f"Machine: {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}.\n\n"
    text += _latency_table(results) + "\n![Latency by concurrency](performance/latency.svg)\n\n"
    text += _operation_table(results) + _budget_table(results) + _rest(results)
    (folder.parent / "performance.md").write_text(text)


def _every(level: dict[str, Any]) -> list[float]:
    return [value for values in level["berth"].values() for value in values]


def _latency_table(results: dict[str, Any]) -> str:
    lines = [
        "## Against the floor",
        "",
        "| concurrent | bare p50 | bare p95 | Berth p50 | Berth p95 | p50 ratio | bare per s | Berth per s "
        "| throughput ratio |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for level in results["compare"]:
        ours, bare = _every(level), level["bare"]
        rate, floor = len(ours) / level["seconds"]["berth"], len(bare) / level["seconds"]["bare"]
        p50, p95 = (1000 * quantile(ours, q) for q in (0.5, 0.95))
        b50, b95 = (1000 * quantile(bare, q) for q in (0.5, 0.95))
        lines.append(
            f"| {level['concurrent']} | {b50:.0f} ms | {b95:.0f} ms | {p50:.0f} ms | {p95:.0f} ms "
            f"| {p50 / b50:.2f} | {floor:.1f} | {rate:.1f} | {rate / floor:.2f} |"
        )
    return "\n".join(lines) + "\n"


def _operation_table(results: dict[str, Any]) -> str:
    kinds = list(results["compare"][0]["berth"])
    lines = [
        "## By operation (p50 / p95, ms)",
        "",
        "| concurrent | " + " | ".join(kinds) + " |",
        "|---" * (len(kinds) + 1) + "|",
    ]
    for level in results["compare"]:
        cells = [
            f"{1000 * quantile(level['berth'][k], 0.5):.0f} / {1000 * quantile(level['berth'][k], 0.95):.0f}"
            for k in kinds
        ]
        lines.append(f"| {level['concurrent']} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n\n"


def _budget_table(results: dict[str, Any]) -> str:
    lines = [
        "## Events and state transitions of one operation (exact, asserted by the tests)",
        "",
        "| | events | transitions |",
        "|---|---|---|",
    ]
    lines += [f"| {k} | {v['events']} | {v['transitions']} |" for k, v in results["budgets"].items()]
    return "\n".join(lines) + "\n\n"


def _rest(results: dict[str, Any]) -> str:
    lines = ["## The list of instances", "", "| rows | p50 | p99 |", "|---|---|---|"]
    for rows, found in results["listing"].items():
        lines.append(f"| {int(rows):,} | {1000 * found['p50']:.1f} ms | {1000 * found['p99']:.1f} ms |")
    p99 = [found["p99"] for found in results["listing"].values()]
    lines.append(f"\np99 with many rows is {p99[-1] / p99[0]:.2f} times that with few.")
    lines.append(
        f"\n## Memory\n\nAPI and worker together, after the run: {results['memory_mb']:.0f} MB resident.\n"
    )
    return "\n".join(lines)


def plot(results: dict[str, Any], path: Path) -> None:
    """Median bars with their p95, bare beside Berth, one pair per concurrency."""
    mpl.rcParams["svg.hashsalt"] = "berth"
    figure, axes = plt.subplots(figsize=(7, 3.2))
    levels = results["compare"]
    for offset, name, colour in ((-0.2, "bare", "#9aa5b1"), (0.2, "Berth", "#1f4e79")):
        data = [level["bare"] if name == "bare" else _every(level) for level in levels]
        medians = [1000 * statistics.median(values) for values in data]
        tails = [1000 * quantile(values, 0.95) for values in data]
        places = [n + offset for n in range(len(levels))]
        axes.bar(places, medians, width=0.36, color=colour, label=f"{name}, p50")
        axes.scatter(places, tails, marker="_", s=160, color="black", label="p95" if name == "bare" else None)
    axes.set_xticks(range(len(levels)), [f"{level['concurrent']} concurrent" for level in levels])
    axes.set_ylabel("ms from request to settled")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})

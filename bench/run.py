"""`make bench`: Berth's operations against the floor, in one run, interleaved; then memory and list latency.

Writes raw samples to docs/performance/samples.json, the figures to docs/performance.md and a plot beside them.
Ratios of one run on one machine count; absolute figures belong to that machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Any

from temporalio.client import Client

from bench.listing import list_latency
from bench.report import write_report
from scripts.berth import CYCLE, Up, bare_worker, berth_up, clients, lanes, one_bare, one_cycle

CONCURRENT = (1, 8, 32)
DOCS = Path(__file__).parent.parent / "docs" / "performance"


def say(text: str) -> None:
    """Progress, for people."""
    print(text, file=sys.stderr, flush=True)


async def compare(up: Up, rounds: int, per_round: int) -> list[dict[str, Any]]:
    """For each concurrency: alternate blocks of bare runs and of our life cycles."""
    found = []
    async with clients(up) as (http, temporal):
        await lanes(4, 3, lambda lane, n: one_bare(temporal))
        await lanes(4, 2, lambda lane, n: one_cycle(http, f"warm-{lane}-{n}"))
        for concurrent in CONCURRENT:
            each = max(1, per_round // concurrent)
            bare: list[float] = []
            ours: dict[str, list[float]] = {kind: [] for kind in CYCLE}
            seconds = {"bare": 0.0, "berth": 0.0}
            for number in range(rounds):
                runs, taken = await lanes(concurrent, each * len(CYCLE), lambda lane, n: one_bare(temporal))
                bare += runs
                seconds["bare"] += taken
                tag = uuid.uuid4().hex[:6]
                cycles, taken = await lanes(
                    concurrent, each, lambda lane, n, tag=tag: one_cycle(http, f"b-{tag}-{lane}-{n}")
                )
                seconds["berth"] += taken
                for cycle in cycles:
                    for kind, value in cycle.items():
                        ours[kind].append(value)
                say(f"{concurrent} concurrent, round {number + 1} of {rounds}")
            found.append({"concurrent": concurrent, "bare": bare, "berth": ours, "seconds": seconds})
    return found


async def budgets(up: Up) -> dict[str, dict[str, int]]:
    """Events and state transitions of one operation of each kind, and of the bare run."""
    counts: dict[str, dict[str, int]] = {}
    async with clients(up) as (http, temporal):
        await one_cycle(http, "budget")
        await one_bare(temporal)
        async for run in temporal.list_workflows('WorkflowType != ""', page_size=200):
            kind = run.workflow_type.removesuffix("Workflow").lower()
            if kind not in counts:
                counts[kind] = await _counts(temporal, run.id, run.run_id)
    return {kind: counts[kind] for kind in ("bare", *CYCLE)}


async def _counts(temporal: Client, workflow_id: str, run_id: str) -> dict[str, int]:
    shown = await temporal.get_workflow_handle(workflow_id, run_id=run_id).describe()
    info = shown.raw_description.workflow_execution_info
    return {"events": info.history_length, "transitions": info.state_transition_count}


def main() -> None:
    """Run everything and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--per-round", type=int, default=32, help="life cycles of a round, over all lanes")
    parser.add_argument("--rows", type=int, default=100_000, help="instances for the list latency")
    parser.add_argument("--quick", action="store_true", help="a short run that writes nothing")
    given = parser.parse_args()
    if given.quick:
        given.rounds, given.per_round, given.rows = 1, 32, 2_000
    with tempfile.TemporaryDirectory(prefix="berth-bench-") as scratch, berth_up(Path(scratch) / "data") as up:
        with bare_worker(up.temporal_address):
            found = asyncio.run(compare(up, given.rounds, given.per_round))
            counts = asyncio.run(budgets(up))
        memory = up.memory_mb("api", "worker")
        say("list latency")
        listing = list_latency(up, (100, given.rows))
    results = {"compare": found, "budgets": counts, "memory_mb": memory, "listing": listing}
    if given.quick:
        say(json.dumps(summary(results), indent=2))
        return
    DOCS.mkdir(exist_ok=True)
    (DOCS / "samples.json").write_text(json.dumps(results))
    write_report(results, DOCS)
    say(f"written to {DOCS.parent / 'performance.md'}")


def summary(results: dict[str, Any]) -> dict[str, Any]:
    """The ratios, for a look."""
    rows = {}
    for level in results["compare"]:
        every = [v for values in level["berth"].values() for v in values]
        rows[level["concurrent"]] = {
            "bare_p50_ms": round(1000 * statistics.median(level["bare"]), 1),
            "berth_p50_ms": round(1000 * statistics.median(every), 1),
            "bare_per_s": round(len(level["bare"]) / level["seconds"]["bare"], 1),
            "berth_per_s": round(len(every) / level["seconds"]["berth"], 1),
        }
    listing = {rows: round(1000 * p["p99"], 1) for rows, p in results["listing"].items()}
    return {"compare": rows, "budgets": results["budgets"], "memory_mb": results["memory_mb"], "listing": listing}


if __name__ == "__main__":
    main()

"""Draws docs/pictures/trace.svg: the trace of one real launch, from the request to the calls of the provider.

`python -m scripts.trace_picture` starts a Berth of its own in a temporary folder, launches a web server as a
process, reads the trace from `/operations/{id}/trace`, and removes everything again. Times differ from run to run,
so the picture is made on purpose and not by `make docs`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import httpx2

from scripts.generated import ROOT

PICTURE = ROOT / "docs" / "pictures" / "trace.svg"
_LAST = "CompleteWorkflow:CreateWorkflow"
_ROW, _LEFT, _PLOT, _TOP, _RIGHT = 26, 330, 620, 64, 90
_COLOURS = {"api": "#2563eb", "worker": "#0d9488", "provider": "#ea580c"}
_SECONDS = 90.0


def picture(trace: dict[str, Any]) -> str:
    """The waterfall: parents above their children, a bar for each span's time."""
    rows = list(_ordered(trace["spans"]))
    whole = max(span["offset_ms"] + span["ms"] for span in trace["spans"])
    width, height = _LEFT + _PLOT + _RIGHT, _TOP + _ROW * len(rows) + 24
    parts = [_frame(width, height, trace["trace_id"], whole, len(rows))]
    parts += [_row(number, depth, span, whole) for number, (depth, span) in enumerate(rows)]
    return "\n".join([*parts, "</svg>", ""])


def _ordered(spans: list[Any]) -> Iterator[tuple[int, Any]]:
    known = {span["span_id"] for span in spans}

    def walk(parent: str | None, depth: int) -> Iterator[tuple[int, Any]]:
        for span in spans:
            if (span["parent_id"] if span["parent_id"] in known else None) == parent:
                yield depth, span
                yield from walk(span["span_id"], depth + 1)

    yield from walk(None, 0)


def _frame(width: int, height: int, trace_id: str, whole: float, rows: int) -> str:
    title = f"One launch, from the request to the provider: {whole:.0f} ms"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="system-ui, sans-serif" font-size="12" role="img">',
        f"<title>{title}</title>",
        f'<rect width="{width}" height="{height}" rx="8" fill="#ffffff" stroke="#cbd5e1"/>',
        f'<text x="16" y="24" font-size="14" font-weight="600" fill="#0f172a">{title}</text>',
        f'<text x="16" y="42" fill="#64748b">trace {trace_id}</text>',
    ]
    for number, (name, colour) in enumerate(_COLOURS.items()):
        x = width - 290 + 95 * number
        lines.append(f'<rect x="{x}" y="15" width="10" height="10" rx="2" fill="{colour}"/>')
        lines.append(f'<text x="{x + 15}" y="24" fill="#334155">{name}</text>')
    end = _TOP + _ROW * rows
    for tick in range(5):
        at, label = _LEFT + _PLOT * tick // 4, f"{whole * tick / 4:.0f} ms"
        lines.append(f'<line x1="{at}" y1="{_TOP - 6}" x2="{at}" y2="{end}" stroke="#e2e8f0"/>')
        lines.append(f'<text x="{at}" y="{end + 14}" text-anchor="middle" fill="#64748b">{label}</text>')
    return "\n".join(lines)


def _row(number: int, depth: int, span: Any, whole: float) -> str:
    y = _TOP + _ROW * number
    x = _LEFT + span["offset_ms"] / whole * _PLOT
    long = max(2.0, span["ms"] / whole * _PLOT)
    provider = span["attributes"].get("berth.provider") and span["name"] != "dispatch"
    colour = _COLOURS["provider" if provider else span["service"]]
    took = f"{span['ms']:.1f} ms" if span["ms"] else "mark"
    return (
        f'<text x="{16 + 12 * depth}" y="{y + 13}" fill="#0f172a">{escape(span["name"])}</text>\n'
        f'<rect x="{x:.1f}" y="{y + 3}" width="{long:.1f}" height="13" rx="3" fill="{colour}"/>\n'
        f'<text x="{x + long + 6:.1f}" y="{y + 13}" fill="#64748b">{took}</text>'
    )


def real_trace() -> dict[str, Any]:
    """Launch something in a Berth that lives for this alone. Raises `TimeoutError` when it takes too long."""
    berth = str(Path(sys.executable).with_name("berth"))
    with tempfile.TemporaryDirectory(prefix="berth-trace-") as folder:
        data = Path(folder) / "data"
        up = subprocess.Popen(
            [berth, "up", "--data-dir", str(data), "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        try:
            assert up.stdout is not None
            url = json.loads(up.stdout.readline())["url"]
            return _launch(url, (data / "token").read_text().strip())
        finally:
            subprocess.run([berth, "down", "--data-dir", str(data), "--purge", "--yes"], check=False, timeout=90)
            up.wait(90)


def _launch(url: str, token: str) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token}"}
    with httpx2.Client(base_url=f"{url}/api/v1", headers=headers, trust_env=False, timeout=40) as client:
        for name in ("warm", "shown"):
            body = {"name": name, "blueprint": "web", "provider": "process"}
            operation = client.post("/instances", json=body).raise_for_status().json()["operation"]["id"]
            client.get(f"/operations/{operation}", params={"wait": 30}).raise_for_status()
        deadline = time.monotonic() + _SECONDS
        while time.monotonic() < deadline:
            trace: dict[str, Any] = client.get(f"/operations/{operation}/trace").raise_for_status().json()
            if _LAST in {span["name"] for span in trace["spans"]}:
                return trace
            time.sleep(0.3)
    raise TimeoutError("the trace did not come to its end")


if __name__ == "__main__":
    PICTURE.write_text(picture(real_trace()))

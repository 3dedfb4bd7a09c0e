"""Writes deploy/monitoring/dashboard.json for Grafana from the table below. `--check` compares instead.

`make docs` runs it; tests/eyes holds every query against what is really served.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Any

from scripts.generated import ROOT, settle

PAGE = ROOT / "deploy" / "monitoring" / "dashboard.json"
_WIDTH, _HEIGHT = 8, 8


@dataclass(frozen=True)
class Panel:
    """One plot: its title, unit, and queries with their legends."""

    title: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    kind: str = "timeseries"


def _quantiles(name: str) -> tuple[tuple[str, str], ...]:
    return tuple(
        (
            f"histogram_quantile({share}, sum by (provider, le) (rate({name}_bucket[$__rate_interval])))",
            f"{{{{provider}}}} p{share * 100:.0f}",
        )
        for share in (0.5, 0.99)
    )


ROWS: tuple[tuple[str, tuple[Panel, ...]], ...] = (
    (
        "Now",
        (
            Panel("Instances by status", "short", (("max by (status) (berth_instances)", "{{status}}"),)),
            Panel("Checks of /readyz", "bool_on_off", (("min by (check) (berth_ready)", "{{check}}"),), "stat"),
            Panel(
                "Needs somebody",
                "short",
                (
                    ("sum(max by (kind, provider) (berth_operations_stuck))", "past their deadline"),
                    ("sum(max by (provider) (berth_operations_parked))", "wait for a retry"),
                    ("sum(max by (scope) (berth_orphans))", "orphans"),
                    ('max(berth_notifications{state="dead"})', "dead letters"),
                ),
                "stat",
            ),
        ),
    ),
    (
        "Lives",
        (
            Panel("Launch duration", "s", _quantiles("launch_duration")),
            Panel("Termination duration", "s", _quantiles("termination_duration")),
            Panel(
                "Longest in progress",
                "s",
                (("max by (status, provider) (berth_in_progress_oldest_seconds)", "{{status}} {{provider}}"),),
            ),
            Panel(
                "Timed out, share",
                "percentunit",
                (
                    ("max by (provider) (launch_timeout_rate)", "launch {{provider}}"),
                    ("max by (provider) (termination_timeout_rate)", "termination {{provider}}"),
                ),
            ),
            Panel("State transitions per second", "ops", (("max(state_transition_rate)", "transitions"),)),
            Panel(
                "Changes ended per minute, by outcome",
                "opm",
                (
                    (
                        "60 * sum by (operation, outcome) (max without (instance) "
                        "(rate(berth_changes_total[$__rate_interval])))",
                        "{{operation}} {{outcome}}",
                    ),
                ),
            ),
        ),
    ),
    (
        "Queue and loops",
        (
            Panel(
                "Operations",
                "short",
                (
                    ("sum(max by (kind, provider) (berth_operations_pending))", "pending"),
                    ("sum(max by (kind, provider) (berth_operations_running))", "running"),
                ),
            ),
            Panel(
                "Oldest that waits to begin",
                "s",
                (("max by (provider) (berth_operations_pending_oldest_seconds)", "{{provider}}"),),
            ),
            Panel(
                "Lag of the loops",
                "s",
                (
                    ("max(berth_keeper_lag_seconds)", "keeper"),
                    ("max by (scope) (berth_observer_lag_seconds)", "observer {{scope}}"),
                    ("berth_feed_lag_seconds", "feed {{instance}}"),
                ),
            ),
        ),
    ),
    (
        "API",
        (
            Panel(
                "Requests per second",
                "reqps",
                (
                    (
                        "sum by (status) (rate(berth_http_request_seconds_count[$__rate_interval]))",
                        "{{status}}",
                    ),
                ),
            ),
            Panel(
                "Slowest routes, p99",
                "s",
                (
                    (
                        "topk(8, histogram_quantile(0.99, sum by (route, le) "
                        "(rate(berth_http_request_seconds_bucket[$__rate_interval]))))",
                        "{{route}}",
                    ),
                ),
            ),
            Panel("Open WebSockets", "short", (("websocket_connections_active", "{{instance}}"),)),
        ),
    ),
    (
        "Workers and providers",
        (
            Panel(
                "Calls of providers, p99",
                "s",
                (
                    (
                        "histogram_quantile(0.99, sum by (provider, verb, le) "
                        "(rate(berth_provider_call_seconds_bucket[$__rate_interval])))",
                        "{{provider}} {{verb}}",
                    ),
                ),
            ),
            Panel(
                "Failed calls per second",
                "ops",
                (
                    (
                        "sum by (provider, outcome) "
                        '(rate(berth_provider_call_seconds_count{outcome!="ok"}[$__rate_interval]))',
                        "{{provider}} {{outcome}}",
                    ),
                ),
            ),
            Panel(
                "Silent for",
                "s",
                (
                    ("max by (host) (berth_host_silent_seconds)", "host {{host}}"),
                    ("min by (agent) (berth_agent_silent_seconds)", "worker {{agent}}"),
                ),
            ),
        ),
    ),
)


def page() -> str:
    """The dashboard, a panel's place following from its order."""
    panels: list[dict[str, Any]] = []
    top = 0
    for title, row in ROWS:
        panels.append(_placed({"type": "row", "title": title, "collapsed": False}, len(panels), 0, top, 24, 1))
        top += 1
        for number, panel in enumerate(row):
            left, down = number % 3 * _WIDTH, number // 3 * _HEIGHT
            panels.append(_placed(_form(panel), len(panels), left, top + down, _WIDTH, _HEIGHT))
        top += (len(row) + 2) // 3 * _HEIGHT
    return json.dumps({**_FRAME, "panels": panels}, indent=2) + "\n"


_SOURCE = {"type": "prometheus", "uid": "${source}"}
_FRAME: dict[str, Any] = {
    "uid": "berth",
    "title": "Berth",
    "tags": ["berth"],
    "schemaVersion": 39,
    "editable": True,
    "refresh": "30s",
    "time": {"from": "now-6h", "to": "now"},
    "templating": {
        "list": [{"name": "source", "type": "datasource", "query": "prometheus", "label": "Prometheus"}]
    },
}


def _placed(form: dict[str, Any], number: int, x: int, y: int, w: int, h: int) -> dict[str, Any]:
    return {"id": number + 1, **form, "gridPos": {"x": x, "y": y, "w": w, "h": h}}


def _form(panel: Panel) -> dict[str, Any]:
    return {
        "type": panel.kind,
        "title": panel.title,
        "datasource": _SOURCE,
        "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + n), "expr": query, "legendFormat": legend, "datasource": _SOURCE}
            for n, (query, legend) in enumerate(panel.queries)
        ],
    }


if __name__ == "__main__":
    sys.exit(settle({PAGE: page()}, check="--check" in sys.argv[1:]))

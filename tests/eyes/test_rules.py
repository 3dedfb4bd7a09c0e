"""Each alert fires for what it is for and for nothing else, by Prometheus' own test of rules; each has a page."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from domain.metrics import METRICS, USER_CODES, Kind, cause_of
from scripts import dashboard, monitoring_docs
from tests.eyes.alerting import FOLDER, RULES, names_in, program, rules

pytestmark = pytest.mark.unit

Series = dict[str, str]
UP: Series = {'berth_build_info{instance="a"}': "1x60"}


def failing(operation: str, outcome: str, cause: str, ok: str = "0+1x60") -> Series:
    labels = f'operation="{operation}",provider="ec2"'
    return {
        f'berth_changes_total{{{labels},outcome="{outcome}",cause="{cause}"}}': "0+2x60",
        f'berth_changes_total{{{labels},outcome="confirmed",cause="none"}}': ok,
    }


def slow(name: str, bound: str, below: str) -> Series:
    return {
        f'{name}_bucket{{provider="ec2",le="{below}"}}': "0x60",
        f'{name}_bucket{{provider="ec2",le="{bound}"}}': "0+1x60",
        f'{name}_bucket{{provider="ec2",le="+Inf"}}': "0+1x60",
    }


def oldest(status: str, seconds: int) -> Series:
    return {f'berth_in_progress_oldest_seconds{{status="{status}",provider="ec2",host="h"}}': f"{seconds}x60"}


REFUSED = 'berth_http_request_seconds_count{route="/api/v1/webhooks/billing",method="POST",status="401"}'
FIRES: dict[str, Series] = {
    "BerthLaunchSlow": slow("launch_duration", "600", "300"),
    "BerthTerminationSlow": slow("termination_duration", "1200", "600"),
    "BerthStuckLaunching": oldest("creating", 601),
    "BerthStuckTerminating": oldest("deleting", 901),
    "BerthStuckOtherwise": oldest("restarting", 1801),
    "BerthLaunchFailures": failing("launch", "timed_out", "provider"),
    "BerthTerminationFailures": failing("terminate", "failed", "berth"),
    "BerthPastDeadline": {'berth_operations_stuck{kind="stop",provider="ec2"}': "1x60"},
    "BerthParked": {'berth_operations_parked{provider="ec2"}': "1x60"},
    "BerthOrphans": {'berth_orphans{scope="ec2"}': "1x60"},
    "BerthDown": {},
    "BerthNoWorker": {"berth_workers_live": "0x60"},
    "BerthRecordsAway": {'berth_ready{check="database"}': "0x60"},
    "BerthTemporalAway": {'berth_ready{check="temporal"}': "0x60"},
    "BerthNotReady": {'berth_ready{check="migrations"}': "0x60"},
    "BerthKeeperSilent": {"berth_keeper_lag_seconds": "31x60"},
    "BerthQueueOld": {'berth_operations_pending_oldest_seconds{provider="ec2"}': "121x60"},
    "BerthObserverSilent": {'berth_observer_lag_seconds{scope="ec2"}': "121x60"},
    "BerthLedgerLag": {"berth_ledger_lag_events": "1001x60"},
    "BerthFeedLag": {'berth_feed_lag_seconds{instance="a"}': "11x60"},
    "BerthProviderOutage": {'berth_provider_available{provider="ec2",agent="a"}': "0x60"},
    "BerthHostSilent": {'berth_host_silent_seconds{host="h"}': "61x60"},
    "BerthDiskLow": {
        'berth_disk_free_ratio{instance="a"}': "0.09x60",
        'berth_disk_free_bytes{instance="a"}': "1e12x60",
    },
    "BerthErrors": {'berth_http_request_seconds_count{route="/x",method="GET",status="500"}': "0+2x60"},
    "BerthWebhooksRefused": {REFUSED: "0+1x60"},
    "BerthNotificationsDead": {'berth_notifications{state="dead"}': "1x60"},
}
FIRES_TOO: dict[str, tuple[str, Series]] = {
    "an observer that holds its place and sees nothing": (
        "BerthObserverSilent",
        {'berth_observer_lag_seconds{scope="ec2"}': "1x60", 'berth_observer_full_seconds{scope="ec2"}': "301x60"},
    ),
    "notifications that nobody takes": (
        "BerthNotificationsDead",
        {"berth_notification_oldest_seconds": "3601x60"},
    ),
}
QUIET: dict[str, tuple[str, Series]] = {
    "values that a user got wrong": ("BerthLaunchFailures", failing("launch", "failed", "user")),
    "one failure among many": ("BerthLaunchFailures", failing("launch", "failed", "provider", "0+50x60")),
    "a launch that takes its time": ("BerthStuckLaunching", oldest("creating", 599)),
    "another worker that reaches it": (
        "BerthProviderOutage",
        {'berth_provider_available{provider="ec2",agent="a"}': "0x60",
         'berth_provider_available{provider="ec2",agent="b"}': "1x60"},
    ),
    "requests that are refused": (
        "BerthErrors",
        {'berth_http_request_seconds_count{route="/x",method="GET",status="422"}': "0+60x60"},
    ),
    "another API process that sees the records": (
        "BerthRecordsAway",
        {'berth_ready{check="database",instance="a"}': "0x60",
         'berth_ready{check="database",instance="b"}': "1x60"},
    ),
}  # fmt: skip


def tried(tmp_path: Path, cases: list[tuple[str, Series, bool]]) -> None:
    """Run promtool's test: at the end of an hour, each alert fires or does not."""
    tests = [
        {
            "interval": "1m",
            "input_series": [{"series": name, "values": values} for name, values in (series | _up(alert)).items()],
            "promql_expr_test": [
                {
                    "expr": f'count(ALERTS{{alertname="{alert}",alertstate="firing"}}) > bool 0 or vector(0)',
                    "eval_time": "55m",
                    "exp_samples": [{"labels": "{}", "value": 1 if fires else 0}],
                }
            ],
        }
        for alert, series, fires in cases
    ]
    file = tmp_path / "tests.yml"
    file.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}))
    ran = subprocess.run(
        [program("promtool"), "test", "rules", str(file)], capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def _up(alert: str) -> Series:
    return {} if alert == "BerthDown" else UP


def test_promtool_and_amtool_find_nothing_wrong() -> None:
    subprocess.run([program("promtool"), "check", "rules", str(RULES)], check=True, timeout=30)
    subprocess.run([program("amtool"), "check-config", str(FOLDER / "alertmanager.yml")], check=True, timeout=30)


def test_every_alert_has_a_case() -> None:
    assert set(FIRES) == set(rules())


@pytest.mark.parametrize("alert", FIRES)
def test_it_fires(alert: str, tmp_path: Path) -> None:
    tried(tmp_path, [(alert, FIRES[alert], True)])


@pytest.mark.parametrize(("alert", "series"), FIRES_TOO.values(), ids=FIRES_TOO.keys())
def test_it_fires_too_for(alert: str, series: Series, tmp_path: Path) -> None:
    tried(tmp_path, [(alert, series, True)])


@pytest.mark.parametrize(("alert", "series"), QUIET.values(), ids=QUIET.keys())
def test_it_stays_quiet_for(alert: str, series: Series, tmp_path: Path) -> None:
    tried(tmp_path, [(alert, series, False)])


def test_nothing_fires_while_everything_is_well(tmp_path: Path) -> None:
    tried(tmp_path, [(alert, {}, False) for alert in FIRES if alert != "BerthDown"])


def test_every_alert_has_a_duration_a_severity_and_a_page_to_turn_to() -> None:
    runbook = (FOLDER.parents[1] / "docs" / "runbook.md").read_text()
    for name, rule in rules().items():
        assert rule["for"], name
        assert rule["labels"]["severity"] in ("page", "ticket"), name
        assert rule["annotations"]["runbook"] == f"docs/runbook.md#{name.lower()}", name
        assert f"\n### {name}\n" in runbook, name


def test_what_a_user_can_mend_never_pages() -> None:
    assert {cause_of(code) for code in USER_CODES} == {"user"}
    for name in ("BerthLaunchFailures", "BerthTerminationFailures"):
        assert rules()[name]["expr"].count('cause!="user"') == 3


def served() -> set[str]:
    """The names under which the catalogue's metrics appear."""
    names: set[str] = set()
    for metric in METRICS:
        if metric.kind is Kind.HISTOGRAM:
            names |= {f"{metric.name}{suffix}" for suffix in ("_bucket", "_sum", "_count")}
        else:
            names.add(f"{metric.name}_total" if metric.kind is Kind.COUNTER else metric.name)
    return names


def test_rules_and_dashboard_read_only_what_is_served() -> None:
    queries = [rule["expr"] for rule in rules().values()]
    panels: list[dict[str, Any]] = json.loads(dashboard.PAGE.read_text())["panels"]
    queries += [target["expr"] for panel in panels for target in panel.get("targets", ())]
    read = set().union(*(names_in(query) for query in queries))
    assert len(read) > 25
    assert read <= served(), read - served()


def test_the_dashboard_is_what_its_table_says() -> None:
    assert dashboard.PAGE.read_text() == dashboard.page()


def test_the_page_of_monitoring_is_what_catalogue_and_rules_say() -> None:
    assert monitoring_docs.PAGE.read_text() == monitoring_docs.page()

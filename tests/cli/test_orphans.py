"""`berth orphans` against a canned Berth: the report, what it asks before it removes, and how it ends."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.canned import CannedBerth, Reply
from tests.cli.conftest import Run

pytestmark = pytest.mark.unit


def line(number: int, **more: Any) -> dict[str, Any]:
    found = {
        "provider": "process",
        "host_id": "host_1",
        "provider_id": f"p{number}",
        "instance_id": f"ins_{number}",
        "state": "running",
        "name": "shop",
        "ended_at": None,
        "why": "finished life",
        "outcome": "remove",
        "reason": "its instance was terminated",
    }
    return {**found, **more}


def report(*items: dict[str, Any], dry_run: bool = True, **more: Any) -> Reply:
    form = {"dry_run": dry_run, "items": list(items), "unasked": [], "missing": [], "counts": {}}
    return Reply(200, {**form, **more})


UNKNOWN = line(2, why="unknown", outcome="keep", reason="no record knows it")

NOWHERE = {"provider": "process", "host_id": None, "reason": "it does not answer"}


def test_the_report_shows_what_would_go_and_names_who_was_not_asked(canned: CannedBerth, berth: Run) -> None:
    away = [{"provider": "docker", "host_id": None, "reason": "no daemon"}]
    canned.on("POST", "/orphans:sweep", report(line(1), UNKNOWN, unasked=away))
    ran = berth("orphans")
    assert ran.code == 0
    assert "finished life" in ran.out
    assert "unknown" in ran.out
    assert "not asked: docker: no daemon" in ran.err
    assert [seen.body for seen in canned.requests("POST")] == [{"dry_run": True}]
    assert berth("orphans", "-q").out == "p1\np2\n"


def test_without_a_terminal_nothing_is_removed_before_yes_is_said(canned: CannedBerth, berth: Run) -> None:
    canned.on("POST", "/orphans:sweep", report(line(1), UNKNOWN))
    ran = berth("orphans", "--remove")
    assert ran.code == 2
    assert "--yes" in ran.err
    assert all(seen.body["dry_run"] for seen in canned.requests("POST"))


def test_exactly_what_was_shown_is_removed(canned: CannedBerth, berth: Run) -> None:
    after = report(line(1, outcome="removed"), UNKNOWN, dry_run=False)
    canned.on("POST", "/orphans:sweep", report(line(1), UNKNOWN), after)
    ran = berth("orphans", "--remove", "--yes", "--json")
    assert ran.code == 0
    assert canned.requests("POST")[-1].body == {"dry_run": False, "ids": ["p1"]}
    assert ran.document["items"][0]["outcome"] == "removed"


def test_a_removal_that_failed_ends_with_code_1(canned: CannedBerth, berth: Run) -> None:
    after = report(line(1, outcome="failed", reason="the disk is gone"), dry_run=False)
    canned.on("POST", "/orphans:sweep", report(line(1)), after)
    ran = berth("orphans", "--remove", "--yes")
    assert (ran.code, "the disk is gone" in ran.out) == (1, True)


def test_what_should_have_gone_and_was_kept_ends_with_code_1(canned: CannedBerth, berth: Run) -> None:
    after = report(line(1, outcome="kept", reason="its time was over"), UNKNOWN, dry_run=False)
    canned.on("POST", "/orphans:sweep", report(line(1), UNKNOWN), after)
    assert berth("orphans", "--remove", "--yes").code == 1


def test_a_sweep_that_could_not_ask_a_provider_that_is_set_up_ends_with_code_1(
    canned: CannedBerth, berth: Run
) -> None:
    canned.on("POST", "/orphans:sweep", report(UNKNOWN, unasked=[{**NOWHERE, "provider": "docker"}]))
    for configured, code in ((True, 1), (False, 0)):
        canned.on("GET", "/providers", Reply(200, {"items": [{"name": "docker", "configured": configured}]}))
        assert berth("orphans", "--remove").code == code
    assert berth("orphans", "--remove", "--provider", "docker").code == 1
    canned.on("POST", "/orphans:sweep", report(UNKNOWN, unasked=[{**NOWHERE, "host_id": "host_1"}]))
    assert berth("orphans", "--remove").code == 1


def test_a_name_that_nobody_has_is_not_found_and_one_that_must_stay_is_a_conflict(
    canned: CannedBerth, berth: Run
) -> None:
    canned.on("POST", "/orphans:sweep", report(line(1, outcome="keep"), missing=["p9"]))
    assert berth("orphans", "--remove", "p9", "--yes").code == 4
    canned.on("POST", "/orphans:sweep", report(line(1, outcome="keep", why="not ours", reason="another Berth's")))
    ran = berth("orphans", "--remove", "p1", "--yes")
    assert (ran.code, "another Berth's" in ran.err) == (5, True)
    assert all(seen.body["dry_run"] for seen in canned.requests("POST"))


def test_nothing_to_remove_is_no_error_and_asks_nothing(canned: CannedBerth, berth: Run) -> None:
    canned.on("POST", "/orphans:sweep", report(UNKNOWN))
    assert berth("orphans", "--remove").code == 0
    assert len(canned.requests("POST")) == 1


def test_objects_are_named_only_to_be_removed(canned: CannedBerth, berth: Run) -> None:
    assert berth("orphans", "p1").code == 2
    assert canned.seen == []

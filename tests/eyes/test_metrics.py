"""`/metrics`: the names that were asked for, figures that are true, and no label without a bound."""

from __future__ import annotations

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import insert, text

from db.models import Observer
from db.queries.measuring import samples
from domain.lifecycle import Status
from domain.metrics import METRICS, OBSERVER_LAG, OLDEST, Kind
from services.upkeep.ledger import fold
from tests.eyes.scrape import scraped
from tests.support.api import Api, add_host

pytestmark = pytest.mark.servers

ASKED_FOR = (
    "launch_duration",
    "termination_duration",
    "launch_timeout_rate",
    "termination_timeout_rate",
    "state_transition_rate",
    "websocket_connections_active",
)


def test_it_has_the_names_that_were_asked_for_from_the_first_scrape_on(api: Api) -> None:
    families = scraped(api).families
    assert set(ASKED_FOR) <= families
    own = {m.name for m in METRICS if m.source.value.startswith("API")}
    assert own <= families | {"berth_events_last"}, own - families


def test_both_forms_are_served(api: Api) -> None:
    plain = api.client.get("/metrics")
    assert plain.headers["content-type"].startswith("text/plain; version=")
    modern = api.client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert modern.headers["content-type"].startswith("application/openmetrics-text")
    assert modern.text.endswith("# EOF\n")
    assert list(text_string_to_metric_families(plain.text))


def test_it_is_read_with_a_token_only(api: Api) -> None:
    answer = api.client.get("/metrics", headers={"Authorization": "Bearer wrong"})
    assert answer.status_code == 401


def test_requests_are_told_by_the_template_of_their_route(api: Api) -> None:
    api.ask("GET", "/instances/no-such-thing")
    api.ask("GET", "/nowhere/at/all")
    found = scraped(api)
    one = {"method": "GET", "route": "/api/v1/instances/{key}", "status": "404"}
    assert found.value("berth_http_request_seconds_count", **one) >= 1
    nowhere = {"method": "GET", "route": "none", "status": "404"}
    assert found.value("berth_http_request_seconds_count", **nowhere) >= 1
    assert "no-such-thing" not in found.text


def test_no_label_names_an_instance_a_deployment_or_an_operation(api: Api) -> None:
    name = api.an_instance(Status.ERROR)
    api.create()
    text = scraped(api, fresh=True).text
    assert name not in text
    assert not re.search(r"(ins|dep|op)_[0-9a-z]{26}", text)


def test_the_age_of_what_is_in_progress_is_told_by_status_and_place(api: Api) -> None:
    name = api.an_instance(Status.DELETING)
    with api.database.begin() as tx:
        tx.session.execute(
            text(
                "update operations set started_at = now() - interval '20 minutes', "
                "deadline_at = now() - interval '1 minute' where deployment_name = :name"
            ),
            {"name": name},
        )
    found = scraped(api, fresh=True)
    age = found.value("berth_in_progress_oldest_seconds", status="deleting", provider="simulated", host="")
    assert 1200 <= age < 1300
    assert found.value("berth_operations_stuck", kind="restart", provider="simulated") >= 1


def test_who_gave_it_more_time_is_alarmed_past_that_time_only(api: Api) -> None:
    name = api.an_instance(Status.UPDATING)
    change = (
        "with d as (update deployments set timeouts = '{\"launch_seconds\": 7200}' where name = :name) "
        "update operations set started_at = now() - interval '1 hour', "
        "deadline_at = now() + make_interval(secs => :s) where deployment_name = :name"
    )
    told = []
    for seconds in (3600, -1):
        with api.database.begin() as tx:
            tx.session.execute(text(change), {"name": name, "s": seconds})
        with api.database.read() as session:
            told.append(
                [n for metric, labels, n in samples(session) if metric is OLDEST and labels[0] == "updating"]
            )
    assert told[0] == []
    assert 3600 <= told[1][0] < 3700


def test_a_place_that_was_let_go_of_is_told_while_something_lives_there(api: Api) -> None:
    with api.database.begin() as tx:
        host = add_host(tx, "left")
        for scope in ("ec2", f"docker/{host}"):
            tx.run(insert(Observer).values(scope=scope, holder="", epoch=1, taken_at=tx.now, renewed_at=tx.now))
    api.an_instance(host_id=host, provider="docker")
    assert (f"docker/{host}" in watched(api), "ec2" in watched(api)) == (True, False)
    with api.database.begin() as tx:
        tx.session.execute(text("update hosts set last_seen_at = now() - interval '1 hour' where name = 'left'"))
    assert api.ask("DELETE", "/hosts/left?force=true").status_code == 204
    assert f"docker/{host}" not in watched(api), "nobody is to watch it any more"


def watched(api: Api) -> set[str]:
    """The places of which the records tell how long nobody has watched them."""
    with api.database.read() as session:
        return {labels[0] for metric, labels, _ in samples(session) if metric is OBSERVER_LAG}


def test_counters_are_folded_once_and_survive_every_process(api: Api) -> None:
    made = api.create()
    instance = made["instance"]["id"]
    with api.database.begin() as tx:
        tx.emit(
            project="default",
            event_type="LAUNCH_CONFIRMED",
            instance_id=instance,
            deployment_id=made["instance"]["deployment_id"],
            operation_id=made["operation"]["id"],
            version=9,
            status="running",
            from_status="creating",
            to_status="running",
            source="backend",
            reason=None,
            confirmation_method=None,
            actor="tester",
            cloud_instance_id=None,
            data={"launch_duration_seconds": 7.0},
        )
    with api.database.begin() as tx:
        assert fold(tx, notify=False) > 0
    with api.database.begin() as tx:
        assert fold(tx, notify=False) == 0
    found = scraped(api, fresh=True)
    assert found.value("launch_duration_bucket", provider="simulated", le="5.0") == 0
    assert found.value("launch_duration_bucket", provider="simulated", le="10.0") == 1
    assert found.value("launch_duration_bucket", provider="simulated", le="+Inf") == 1
    assert found.value("launch_duration_sum", provider="simulated") == 7.0
    moved = {"provider": "simulated", "from": "creating", "to": "running"}
    assert found.value("berth_transitions_total", **moved) == 1
    done = {"operation": "launch", "provider": "simulated", "outcome": "confirmed", "cause": "none"}
    assert found.value("berth_changes_total", **done) == 1
    assert found.value("berth_ledger_lag_events") == 0


def test_every_metric_of_the_catalogue_has_a_meaning_and_bounded_labels() -> None:
    allowed = {
        "provider", "status", "host", "kind", "scope", "agent", "state", "check", "method", "route",
        "operation", "outcome", "cause", "from", "to", "version", "verb", "activity",
    }  # fmt: skip
    for metric in METRICS:
        assert metric.help.endswith("."), metric.name
        assert set(metric.labels) <= allowed, metric.name
        assert (metric.kind is Kind.HISTOGRAM) == bool(metric.buckets), metric.name

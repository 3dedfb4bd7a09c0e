"""Hosts that nobody hears of, and providers that nobody has configured: refused with what helps, shown as such."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, update

from db.models import Meta, ProviderPlace
from tests.api.test_refusals import is_problem
from tests.support.api import Api, add_host

pytestmark = pytest.mark.servers


def ago(seconds: float) -> Any:
    return func.now() - func.make_interval(0, 0, 0, 0, 0, 0, seconds)


def held_by(api: Api, seconds: float) -> str:
    """An instance on a host that was seen last so long ago."""
    with api.database.begin() as tx:
        host_id = add_host(tx, name=f"host-{api.name()}", last_seen_at=ago(seconds))
    return api.an_instance(host_id=host_id, provider="process")


def offered(api: Api, name: str) -> dict[str, Any]:
    return {row["action"]: row for row in api.get(f"/instances/{name}")["allowed_actions"]}


def test_on_a_silent_host_only_what_takes_away_is_enabled(api: Api) -> None:
    name = held_by(api, 31)
    actions = offered(api, name)
    enabled = {action for action, row in actions.items() if row["enabled"]}
    assert enabled == {"delete", "maintenance_on", "suspend"}
    assert actions["restart"]["reason"].startswith("its host has not been seen for 30 s; start the worker there")
    assert actions["restart"]["button"], "it is shown, and says why not"
    form = is_problem(api.act(name, "restart"), 409, "host-unavailable")
    assert "berth-worker --host" in form["detail"]
    assert api.act(name, "delete").status_code == 202


def test_a_host_that_was_seen_just_now_takes_work_and_a_lost_one_may_be_forgotten(api: Api) -> None:
    assert offered(api, held_by(api, 0))["restart"]["enabled"]
    lost = held_by(api, 301)
    assert offered(api, lost)["forget"]["enabled"]
    assert not offered(api, lost)["restart"]["enabled"]
    assert api.act(lost, "forget").status_code in {200, 202}


def test_a_create_finds_no_host_where_all_are_silent(api: Api) -> None:
    with api.database.begin() as tx:
        add_host(tx, name="sleepy", providers=["docker"], last_seen_at=ago(40))
    body = {"name": api.name(), "blueprint": "web", "provider": "docker"}
    form = is_problem(api.ask("POST", "/instances", body), 409, "host-unavailable")
    assert re.search(r"sleepy was seen last, \d+ s ago", form["detail"])


def a_place(api: Api, provider: str, **columns: Any) -> None:
    known = {
        "provider": provider,
        "host_id": f"host_{api.name()}",
        "agent": "build7",
        "configured": True,
        "available": True,
        "checked_at": func.now(),
    }
    with api.database.begin() as tx:
        tx.session.execute(insert(ProviderPlace).values(**known | columns))


def provider(api: Api, name: str) -> Any:
    return next(row for row in api.get("/providers")["items"] if row["name"] == name)


def test_a_create_where_nobody_has_the_provider_configured_says_what_to_configure(api: Api) -> None:
    body = {"name": api.name(), "blueprint": "web", "provider": "kubernetes"}
    form = is_problem(api.ask("POST", "/instances", body), 409, "provider-unavailable")
    assert "berth-worker --provider kubernetes" in form["detail"]
    a_place(api, "kubernetes", configured=False, available=False, reason="set KUBECONFIG")
    form = is_problem(api.ask("POST", "/instances", body), 409, "provider-unavailable")
    assert form["detail"] == "The provider kubernetes cannot be used here: set KUBECONFIG."
    shown = provider(api, "kubernetes")
    assert (shown["available"], shown["configured"], shown["reason"]) == (False, False, "set KUBECONFIG")


def test_a_create_where_the_provider_is_configured_and_away_is_taken(api: Api) -> None:
    a_place(api, "kubernetes", available=False, reason="connection refused", agent="build8")
    body = {"name": api.name(), "blueprint": "web", "provider": "kubernetes"}
    assert api.ask("POST", "/instances", body).status_code == 202
    shown = provider(api, "kubernetes")
    assert (shown["available"], shown["configured"], shown["reason"]) == (False, True, "connection refused")


def test_a_create_at_another_place_than_the_recorded_one_is_refused_with_its_words(api: Api) -> None:
    a_place(api, "ec2", available=False, reason="it is another one", identity="2/eu-west-1", host_id="h-swapped")
    with api.database.begin() as tx:
        tx.session.execute(insert(Meta).values(key="provider_identity/ec2", value="1/eu-west-1"))
    body = {"name": api.name(), "blueprint": "vm", "provider": "ec2", "params": {"instance_type": "t3.micro"}}
    try:
        form = is_problem(api.ask("POST", "/instances", body), 409, "provider-unavailable")
        assert form["detail"] == "The provider ec2 cannot be used here: it is another one."
        with api.database.begin() as tx:
            tx.session.execute(update(Meta).values(value="2/eu-west-1").where(Meta.key == "provider_identity/ec2"))
        assert api.ask("POST", "/instances", body).status_code == 202
    finally:
        with api.database.begin() as tx:
            tx.session.execute(delete(Meta).where(Meta.key == "provider_identity/ec2"))
            tx.session.execute(delete(ProviderPlace).where(ProviderPlace.host_id == "h-swapped"))


def test_a_report_of_a_worker_that_is_gone_is_not_believed(api: Api) -> None:
    a_place(api, "ec2", agent="old", checked_at=ago(600))
    shown = provider(api, "ec2")
    assert (shown["available"], shown["reason"]) == (False, "old, which serves it, was last heard of 10 min ago")


def test_a_host_is_closed_to_new_ones_and_opened_again(api: Api) -> None:
    with api.database.begin() as tx:
        host_id = add_host(tx, name="closing")
    for action, closed in (("cordon", True), ("cordon", True), ("uncordon", False)):
        answer = api.ask("POST", f"/hosts/closing/{action}")
        assert (answer.status_code, answer.json()["id"], answer.json()["cordoned"]) == (200, host_id, closed)
    assert api.ask("POST", "/hosts/nobody/cordon").status_code == 404


def test_only_a_host_that_is_gone_and_empty_is_removed_the_rest_by_force(api: Api) -> None:
    with api.database.begin() as tx:
        add_host(tx, name="alive")
        add_host(tx, name="empty", last_seen_at=ago(60))
        full = add_host(tx, name="full", last_seen_at=ago(60))
    name = api.an_instance(host_id=full, provider="process")
    assert (
        "is alive" in is_problem(api.ask("DELETE", "/hosts/alive?force=true"), 409, "invalid-transition")["detail"]
    )
    assert api.ask("DELETE", "/hosts/empty").status_code == 204
    refused = is_problem(api.ask("DELETE", "/hosts/full"), 409, "invalid-transition")
    assert "holds 1 instances" in refused["detail"]
    assert api.ask("DELETE", "/hosts/full?force=true").status_code == 204
    assert {"empty", "full"}.isdisjoint(host["name"] for host in api.get("/hosts")["items"])
    assert offered(api, name)["forget"]["enabled"] or offered(api, name)["delete"]["enabled"]

"""Which servers are ours, and what the children are given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from db.grants import ROLE
from embedded import cluster
from embedded.errors import NotUsableError
from embedded.installation import Installation
from embedded.plan import Plan, make_plan, python_child
from providers.registry import PROVIDERS
from settings import Settings

pytestmark = pytest.mark.unit
INSTALLATION = Installation(Path("/nonexistent/berth"), "0123456789abcdef")


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "BERTH_INSTANCE_ROOT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def plans() -> Iterator[list[Plan]]:
    made: list[Plan] = []
    yield made
    for plan in made:
        for held in plan.ports.values():
            held.socket.close()


def _plan(plans: list[Plan], remembered: dict[str, int] | None = None) -> Plan:
    plans.append(make_plan(Settings(), INSTALLATION, None, remembered or {}))
    return plans[-1]


def test_with_nothing_set_both_servers_are_ours(plans: list[Plan]) -> None:
    plan = _plan(plans)
    assert (plan.own_records, plan.own_temporal) == (True, True)
    assert list(plan.ports) == ["api", "temporal", "temporal_ui", "temporal_http"]


def test_servers_that_the_user_names_are_used(plans: list[Plan], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://berth:geheim@db.internal/berth")
    monkeypatch.setenv("TEMPORAL_ADDRESS", "temporal.internal:7233")
    plan = _plan(plans)
    assert (plan.own_records, plan.own_temporal) == (False, False)
    assert list(plan.ports) == ["api"]
    environment = plan.environment(fresh_temporal=False)
    assert environment["TEMPORAL_ADDRESS"] == "temporal.internal:7233"
    assert environment["DATABASE_URL"].endswith("berth:geheim@db.internal/berth")


def test_a_shell_with_our_own_exports_does_not_make_our_servers_foreign(
    plans: list[Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", cluster.database_url(INSTALLATION))
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:17999")
    plan = _plan(plans, remembered={"temporal": 17999})
    assert (plan.own_records, plan.own_temporal) == (True, True)


def test_a_shell_with_the_exports_of_another_berth_is_refused(
    plans: list[Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Installation(Path("/nonexistent/other"), "fedcba9876543210")
    monkeypatch.setenv("DATABASE_URL", cluster.database_url(other))
    with pytest.raises(NotUsableError, match="unset DATABASE_URL TEMPORAL_ADDRESS"):
        _plan(plans)


def test_only_the_worker_gets_what_leads_to_the_providers_and_no_child_the_rest_of_the_shell(
    plans: list[Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    of_providers = {
        "AWS_PROFILE": "staging",
        "BERTH_DOCKER_HOST_ADDRESS": "127.0.0.1",
        "BERTH_EC2_REGION": "eu-west-1",
        "BERTH_KUBERNETES_CONTEXT": "c",
        "DOCKER_HOST": "unix:///run/docker.sock",
        "KUBECONFIG": "/root/.kube/config",
    }
    for name, value in of_providers.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PGPASSWORD", "x")
    monkeypatch.setenv("PYTHONPATH", "/tmp/other")
    plan = _plan(plans)
    children = {
        name: python_child(plan, name, "x:y", fresh_temporal=True).env for name in ("schema", "api", "worker")
    }
    ours = tuple(f"BERTH_{name.upper()}_" for name in PROVIDERS)
    known = {name for name in of_providers if not name.startswith("BERTH_") or name.startswith(ours)}
    assert known <= set(children["worker"])
    assert not known & (set(children["schema"]) | set(children["api"]))
    for environment in children.values():
        _holds_nothing_else(environment)


def test_only_the_api_is_no_owner_of_our_records(plans: list[Plan]) -> None:
    plan = _plan(plans)
    urls = {
        name: python_child(plan, name, "x:y", fresh_temporal=False).env["DATABASE_URL"]
        for name in ("schema", "api", "worker")
    }
    assert urls["schema"] == urls["worker"] == cluster.database_url(INSTALLATION)
    assert urls["api"] == urls["worker"].replace("//berth@", f"//{ROLE}@")


def _holds_nothing_else(environment: Mapping[str, str]) -> None:
    assert not {"PGPASSWORD", "PYTHONPATH"} & set(environment)
    assert environment["BERTH_TEMPORAL_FRESH"] == "1"
    assert environment["BERTH_INSTANCE_ROOT"] == str(INSTALLATION.instance_root)

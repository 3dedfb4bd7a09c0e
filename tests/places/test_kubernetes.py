"""The document on provisioning retry on a real scheduler: a node of 2 CPUs, an instance that asks 8."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from db.models import DatabaseAllocation
from tests.support.kubernetes import Cluster
from tests.support.whole import MakeWhole, Whole
from tests.support.works import an_id

pytestmark = [pytest.mark.servers, pytest.mark.kubernetes]
CANARY = "c4nary-Admin-Passw0rd-9"
PREFIX = f"s3{an_id('x')[2:10]}"
NAMESPACE = f"{PREFIX}-default"


@pytest.fixture(scope="module")
def whole(cluster: Cluster, make_whole: MakeWhole) -> Iterator[Whole]:
    made = make_whole(
        BERTH_KUBERNETES_KUBECONFIG=cluster.kubeconfig,
        BERTH_KUBERNETES_NAMESPACE_PREFIX=PREFIX,
    )
    yield made
    cluster.clear(PREFIX)


def ask(name: str, **more: Any) -> dict[str, Any]:
    """An instance that needs more than the node has, on a database server of its own."""
    return {
        "name": name,
        "blueprint": "odoo",
        "provider": "kubernetes",
        "params": {"admin_email": "admin@example.com", "admin_password": CANARY},
        "resources": {"cpu": 8, "memory_mb": 512, "disk_gb": 1},
        "database": {"mode": "dedicated"},
        "timeouts": {"launch_seconds": 40},
        **more,
    }


@dataclass(frozen=True)
class Objects:
    """What the cluster holds of one instance, by its name."""

    cluster: Cluster

    def of(self, instance: Any) -> list[str]:
        about = {"label_selector": f"berth.dev/instance-id={instance['id']}", "_request_timeout": 10}
        core, apps = self.cluster.core, self.cluster.apps
        listers: dict[str, Any] = {
            "deployment": apps.list_namespaced_deployment,
            "pod": core.list_namespaced_pod,
            "claim": core.list_namespaced_persistent_volume_claim,
            "secret": core.list_namespaced_secret,
            "service": core.list_namespaced_service,
        }
        return [kind for kind, lister in listers.items() for _ in lister(NAMESPACE, **about).items]


def password_of(whole: Whole, key: str) -> str:
    """The database password of what is called `key`, as its owner may see it."""
    revealed = whole.api.ask("POST", f"/instances/{key}/secrets:reveal").json()
    values = {item["name"]: str(item["value"]) for item in revealed["items"]}
    return values["password"]


def test_too_few_resources_then_more_and_a_retry_by_every_door(whole: Whole, cluster: Cluster) -> None:
    objects = Objects(cluster)
    doors = ("api", "legacy", "cli", "signal")
    failed: dict[str, Any] = {}
    asked = {door: whole.create(**ask(f"odoo-{door}")) for door in doors}
    for door, made in asked.items():
        failed[door] = whole.done(made, "failed", seconds=120)

    for door in doors:
        name = f"odoo-{door}"
        instance = whole.instance(name)
        assert (instance["status"], instance["provisioning_status"]) == ("error", "failed")
        assert "Insufficient cpu" in instance["error_message"], instance["error_message"]
        assert objects.of(instance) == [], "the compute is cleaned up"
        assert any(f"{name}-db" in kept for kept in failed[door]["error"]["kept"]), failed[door]["error"]
        assert failed[door]["error"]["cleaned"]
        database = whole.instance(f"{name}-db")
        assert database["status"] == "running"
        assert set(objects.of(database)) >= {"deployment", "pod", "claim", "secret", "service"}
        assert (instance["db_type"], instance["db_server_id"]) == ("dedicated", database["id"])
    passwords = {door: password_of(whole, f"odoo-{door}-db") for door in doors}
    databases = {door: whole.instance(f"odoo-{door}-db")["id"] for door in doors}

    with cluster.node("node-large", "40", "16Gi"):
        whole.act("odoo-api", "retry", seconds=90)
        answer = whole.api.client.post("/api/instance/admin/retry-instance/odoo-legacy")
        assert answer.status_code == 200, answer.text
        assert set(answer.json()) == {"message", "instance_id", "job_id"}
        whole.done(answer.json()["job_id"], seconds=90)
        whole.berth("retry", "odoo-cli", "--wait", "--timeout", "90")
        whole.signal(failed["signal"], "retry")
        whole.wait_status("odoo-signal", "running", seconds=90)

        for door in doors:
            name = f"odoo-{door}"
            assert whole.instance(name)["status"] == "running"
            assert whole.instance(name)["provisioning_status"] == "completed"
            assert whole.instance(f"{name}-db")["id"] == databases[door], "the same server"
            assert password_of(whole, f"{name}-db") == passwords[door], "with the same credentials"
        again = whole.api.client.post("/admin/retry-instance/odoo-api")
        assert (again.status_code, again.json()["current_status"]) == (400, "running")

        _nothing_is_told(whole, [CANARY, *passwords.values()])
        for door in doors:
            whole.delete(f"odoo-{door}", seconds=120)
    assert whole.inventory("kubernetes") == []
    with whole.spine.database.read() as session:
        assert session.query(DatabaseAllocation).count() == 0


def _nothing_is_told(whole: Whole, secrets: list[str]) -> None:
    """No secret in any answer, event, or line of the worker's log."""
    told = [
        whole.api.ask("GET", path).text
        for path in (
            "/instances",
            "/deployments",
            "/operations",
            "/events?limit=1000",
            "/providers/kubernetes/inventory",
        )
    ]
    told += [worker.log.read_text() for worker in whole.spine.workers]
    assert not [secret for secret in secrets for text in told if secret in text]

"""What the kubernetes provider can do with the rules of deploy/kubernetes alone, and what it says without them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client

from domain.errors import ProviderError, ProviderErrorKind
from domain.work import Seen
from tests.support.calls import RecordingCall
from tests.support.kubernetes import Cluster, Yard, container_work, eventually
from tests.support.works import an_id

pytestmark = [pytest.mark.servers, pytest.mark.kubernetes]
RULES = Path(__file__).parents[2] / "deploy" / "kubernetes"


def prepare(cluster: Cluster, yard: Yard, project: str = "default") -> None:
    """What an administrator does: the rules once, then the project's namespace."""
    documents = list(yaml.safe_load_all((RULES / "rbac.yaml").read_text()))
    text = (RULES / "project.yaml").read_text().replace("berth-default", f"{yard.prefix}-{project}")
    for document in documents + list(yaml.safe_load_all(text)):
        apply(cluster, document)
    # The API server acts upon rules a moment after it has taken them.
    eventually(lambda: allowed(cluster, f"{yard.prefix}-{project}", "apps", "deployments", "create"))
    eventually(lambda: allowed(cluster, "", "", "namespaces", "get"))


def apply(cluster: Cluster, document: dict[str, Any]) -> None:
    """As `kubectl apply` does, on the server's side."""
    plural = {"NetworkPolicy": "networkpolicies"}.get(document["kind"], document["kind"].lower() + "s")
    version, metadata = document["apiVersion"], document["metadata"]
    root = "/api/v1" if version == "v1" else f"/apis/{version}"
    inside = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
    api: Any = cluster.api
    parts = api.param_serialize(
        "PATCH",
        f"{root}{inside}/{plural}/{metadata['name']}",
        query_params=[("fieldManager", "admin"), ("force", "true")],
        header_params={"Content-Type": "application/apply-patch+yaml", "Accept": "application/json"},
        body=document,
        auth_settings=["BearerToken"],
    )
    answer: Any = api.call_api(*parts[:4], _request_timeout=10)
    assert answer.status < 300, answer.read()


def test_an_account_with_our_rules_alone_can_do_all_that_is_needed(
    yard: Yard, cluster: Cluster, tmp_path: Path
) -> None:
    prepare(cluster, yard)
    provider = yard.another(cluster.kubeconfig_for("berth", "berth-system", tmp_path))
    work, call = container_work(), RecordingCall()
    assert provider.identity()
    for verb in ("create", "stop", "start", "restart", "modify"):
        assert getattr(provider, verb)(work, call).confirmed, verb
    assert provider.observe(work).seen is Seen.UP
    assert len(provider.inventory()) == 1
    provider.logs(work, 5)
    assert provider.delete(work, call).confirmed
    assert yard.names(work) == []
    orphan = container_work()
    provider.create(orphan, call)
    gone: Any = {"propagationPolicy": "Orphan"}
    place = yard.place(orphan)
    cluster.apps.delete_namespaced_deployment(place.name, place.namespace, body=gone)
    eventually(lambda: provider.observe(orphan).seen is Seen.CRASHED)
    provider.remove(place.provider_id, call)
    assert yard.names(orphan) == []


def test_an_account_with_our_rules_alone_can_do_nothing_else(yard: Yard, cluster: Cluster, tmp_path: Path) -> None:
    prepare(cluster, yard)
    cluster.make_namespace(f"{yard.prefix}-strange", **{"app.kubernetes.io/managed-by": "berth"})
    provider = yard.another(cluster.kubeconfig_for("berth", "berth-system", tmp_path))
    with pytest.raises(ProviderError, match=r"prepare it as in deploy/kubernetes/project\.yaml") as caught:
        provider.create(container_work(project="new"), RecordingCall())
    assert caught.value.kind is ProviderErrorKind.AUTH
    with pytest.raises(ProviderError, match=r"deploy/kubernetes/rbac\.yaml") as caught:
        provider.create(container_work(project="strange"), RecordingCall())
    assert caught.value.kind is ProviderErrorKind.AUTH
    for group, resource, verb in (
        ("", "secrets", "list"),
        ("", "pods/exec", "create"),
        ("", "pods", "create"),
        ("", "nodes", "get"),
        ("", "serviceaccounts", "get"),
        ("", "resourcequotas", "patch"),
        ("networking.k8s.io", "networkpolicies", "patch"),
        ("rbac.authorization.k8s.io", "rolebindings", "create"),
        ("apps", "daemonsets", "create"),
    ):
        assert not allowed(cluster, f"{yard.prefix}-default", group, resource, verb), (resource, verb)
    assert not allowed(cluster, "kube-system", "apps", "deployments", "create")
    assert allowed(cluster, f"{yard.prefix}-default", "apps", "deployments", "create")


def allowed(cluster: Cluster, namespace: str, group: str, resource: str, verb: str) -> bool:
    what, _, part = resource.partition("/")
    attributes = {"namespace": namespace, "group": group, "resource": what, "subresource": part, "verb": verb}
    body: Any = {"spec": {"user": "system:serviceaccount:berth-system:berth", "resourceAttributes": attributes}}
    answer: Any = client.AuthorizationV1Api(cluster.api).create_subject_access_review(body)
    return bool(answer.status.allowed)


def test_bad_credentials_are_an_error_of_their_own(yard: Yard, cluster: Cluster, tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    settings = yaml.safe_load(Path(cluster.kubeconfig).read_text())
    settings["users"][0]["user"]["token"] = an_id("x")
    path.write_text(yaml.safe_dump(settings))
    provider = yard.another(str(path))
    with pytest.raises(ProviderError) as caught:
        provider.create(container_work(), RecordingCall())
    assert caught.value.kind is ProviderErrorKind.AUTH
    seen = provider.observe(container_work())
    assert seen.seen is Seen.NO_EVIDENCE


def test_a_namespace_that_is_not_berths_is_refused(yard: Yard, cluster: Cluster) -> None:
    cluster.make_namespace(f"{yard.prefix}-taken")
    with pytest.raises(ProviderError, match="is not Berth's") as caught:
        yard.provider.create(container_work(project="taken"), RecordingCall())
    assert caught.value.kind is ProviderErrorKind.INVALID

"""What an installation says about its cluster, and the pure decisions of the kubernetes provider."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from domain.errors import ProviderErrorKind
from domain.work import Seen
from providers.entry import Setup, Unconfigured
from providers.kubernetes import ENTRY
from providers.kubernetes.errors import kind_of
from providers.kubernetes.judge import judge
from providers.kubernetes.manifests import Manifests
from providers.kubernetes.naming import Place, namespace_of, user_annotations
from providers.kubernetes.options import Options
from tests.support.kubernetes import RECIPE, container_work
from tests.support.works import verify

pytestmark = pytest.mark.unit


def opened(folder: Path, **options: str) -> None:
    ENTRY.open(Setup(options, folder, folder, "server", "host", verify))


def test_dollars_mean_themselves_in_the_environment_and_the_arguments() -> None:
    recipe = replace(RECIPE, environment={"PRICE": "$$5 $(TOKEN)"}, arguments=("--say", "$(ADMIN_PASSWORD) $HOME"))
    work, options = container_work(recipe), Options.of({})
    made = Manifests(work, recipe, Place.of(work.identity, options.namespace_prefix), options)
    (container,) = made.deployment(replicas=1, secrets_version=None)["spec"]["template"]["spec"]["containers"]
    assert container["env"][0] == {"name": "PRICE", "value": "$$$$5 $$(TOKEN)"}
    assert container["args"] == ["--say", "$$(ADMIN_PASSWORD) $$HOME"]
    assert container["env"][1]["valueFrom"]["secretKeyRef"]["key"] == "ADMIN_PASSWORD"


def test_without_a_cluster_it_says_what_to_configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none"))
    with pytest.raises(Unconfigured, match="set BERTH_KUBERNETES_KUBECONFIG"):
        opened(tmp_path)


def test_a_bad_kubeconfig_is_named(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    with pytest.raises(Unconfigured, match=str(path)):
        opened(tmp_path, kubeconfig=str(path))
    path.write_text("{}")
    with pytest.raises(Unconfigured, match=str(path)):
        opened(tmp_path, kubeconfig=str(path))
    path.write_text(": [")
    with pytest.raises(Unconfigured, match=str(path)):
        opened(tmp_path, kubeconfig=str(path))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"colour": "red"}, "BERTH_KUBERNETES_COLOUR is unknown"),
        ({"namespace_prefix": "Berth_"}, "NAMESPACE_PREFIX must be"),
        ({"node_selector": "disk"}, "NODE_SELECTOR must be written"),
    ],
)
def test_a_bad_option_is_named(tmp_path: Path, options: dict[str, str], says: str) -> None:
    with pytest.raises(Unconfigured, match=says):
        opened(tmp_path, **options)


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        (403, 'pods "x" is forbidden: exceeded quota: berth, requested: limits.cpu=8', ProviderErrorKind.QUOTA),
        (403, 'User "u" cannot get resource "pods" in API group ""', ProviderErrorKind.AUTH),
        (403, 'pods "x" is forbidden: violates PodSecurity "restricted:latest"', ProviderErrorKind.INVALID),
        (403, "unable to create new content in namespace x because it is being terminated", "transient"),
        (401, "Unauthorized", ProviderErrorKind.AUTH),
        (409, "the object has been modified", ProviderErrorKind.TRANSIENT),
        (422, "spec.x: Invalid value", ProviderErrorKind.INVALID),
        (429, "slow down", ProviderErrorKind.THROTTLED),
        (500, "etcdserver: request timed out", ProviderErrorKind.TRANSIENT),
    ],
)
def test_every_refusal_has_its_kind(status: int, text: str, kind: str) -> None:
    assert kind_of(status, text) == kind


def test_projects_have_namespaces_of_their_own_whatever_their_names() -> None:
    names = ["default", "Default", "a_b", "a-b", "x" * 70, "x" * 71, "--"]
    found = [namespace_of("berth", name) for name in names]
    assert len(set(found)) == len(names)
    assert found[0] == "berth-default"
    assert all(len(name) <= 63 for name in found)


def test_odd_label_keys_stay_apart() -> None:
    assert len(user_annotations({"a/b": "1", "a b": "2", "a_b": "3", "": "4"})) == 4


def test_a_pod_that_crashes_is_told_from_one_that_is_prepared() -> None:
    deployment = {
        "metadata": {"generation": 1},
        "spec": {"replicas": 1},
        "status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1},
    }
    pod = {"metadata": {"name": "p", "creationTimestamp": "1"}, "spec": {}, "status": {"phase": "Pending"}}
    assert judge(deployment, [pod], []).seen is Seen.TRANSIENT
    last = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    state = {"waiting": {"reason": "CrashLoopBackOff"}}
    container = {"image": "x", "restartCount": 4, "state": state, "lastState": last}
    found = judge(deployment, [{**pod, "status": {"containerStatuses": [container]}}], [])
    assert found.seen is Seen.CRASHED
    assert found.detail is not None
    assert "exit code 137 (OOMKilled)" in found.detail

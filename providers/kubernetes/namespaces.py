"""The namespace of a project: made with restricted pod security, closed to other namespaces, and with its quota.

An administrator may prepare it instead (deploy/kubernetes/project.yaml); then Berth needs rights inside it only.
"""

from __future__ import annotations

from domain.errors import ProviderError, ProviderErrorKind
from domain.work import Call, Work
from providers.kubernetes.api import Api
from providers.kubernetes.naming import PROJECT, namespace_of
from providers.kubernetes.options import Options
from providers.kubernetes.resources import NAMESPACE, POLICY, QUOTA, Json

MANAGED = {"app.kubernetes.io/managed-by": "berth"}
MANAGED_SELECTOR = "app.kubernetes.io/managed-by=berth"
_NAME = "berth"
_RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
_SAME_NAMESPACE: Json = {"podSelector": {}}
_DNS: Json = {
    "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}],
    "ports": [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")],
}


def ensure_namespace(api: Api, options: Options, work: Work, call: Call) -> None:
    """Make it where it is not there; refuse one that is somebody else's."""
    project = work.identity.project
    name = namespace_of(options.namespace_prefix, project)
    found = api.get(NAMESPACE, None, name)
    if found is None:
        call.guard()
        _create(api, name, project)
    else:
        _require_ours(found, project)
    if api.get(POLICY, name, _NAME) is None:
        call.guard()
        api.create(POLICY, _policy(name))
    if options.quota and api.get(QUOTA, name, _NAME) is None:
        call.guard()
        body = {"metadata": {"name": _NAME, "namespace": name, "labels": MANAGED}}
        api.create(QUOTA, body | {"spec": {"hard": dict(options.quota)}})


def _create(api: Api, name: str, project: str) -> None:
    labels = MANAGED | _RESTRICTED
    try:
        api.create(NAMESPACE, {"metadata": {"name": name, "labels": labels, "annotations": {PROJECT: project}}})
    except ProviderError as error:
        if error.kind is not ProviderErrorKind.AUTH:
            raise
        raise ProviderError(
            ProviderErrorKind.AUTH,
            f"the namespace {name} is not there, and Berth's account may not make it; prepare it as in "
            "deploy/kubernetes/project.yaml",
        ) from None


def _require_ours(found: Json, project: str) -> None:
    metadata = found["metadata"]
    name = metadata["name"]
    if "deletionTimestamp" in metadata:
        raise ProviderError(ProviderErrorKind.TRANSIENT, f"the namespace {name} is being deleted")
    label, value = next(iter(MANAGED.items()))
    if (metadata.get("labels") or {}).get(label) != value:
        raise ProviderError(
            ProviderErrorKind.INVALID,
            f"the namespace {name} is not Berth's: label it {label}={value}, or choose another "
            "BERTH_KUBERNETES_NAMESPACE_PREFIX",
        )
    owner = (metadata.get("annotations") or {}).get(PROJECT, project)
    if owner != project:
        raise ProviderError(ProviderErrorKind.INVALID, f"the namespace {name} belongs to project {owner}")


def _policy(namespace: str) -> Json:
    """Nobody from outside; to the outside only names are resolved. More is an administrator's further policy."""
    return {
        "metadata": {"name": _NAME, "namespace": namespace, "labels": MANAGED},
        "spec": {
            "podSelector": {},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [_SAME_NAMESPACE]}],
            "egress": [{"to": [_SAME_NAMESPACE]}, _DNS],
        },
    }

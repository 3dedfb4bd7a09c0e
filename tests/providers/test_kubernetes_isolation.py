"""What a pod of Berth may not do, read from the real pod; and that secrets are in the Secret alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.calls import RecordingCall
from tests.support.kubernetes import CANARY, Yard, container_work

pytestmark = [pytest.mark.servers, pytest.mark.kubernetes]


def test_a_pod_has_no_privileges_no_token_and_no_host(yard: Yard) -> None:
    work = container_work()
    assert yard.provider.create(work, RecordingCall()).confirmed
    (pod,) = yard.cluster.pods(yard.place(work))
    spec = yard.cluster.plain(pod)["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert not [volume for volume in spec["volumes"] if "persistentVolumeClaim" not in volume]
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers", "ephemeralContainers"} & spec.keys()
    assert spec["securityContext"] == {
        "fsGroup": 10001,
        "runAsGroup": 10001,
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    (container,) = spec["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "privileged": False,
    }
    assert all("hostPort" not in port for port in container["ports"])
    service: Any = yard.cluster.core.read_namespaced_service(yard.place(work).name, yard.place(work).namespace)
    assert service.spec.type == "ClusterIP"


def test_a_namespace_is_restricted_and_closed_to_others(yard: Yard) -> None:
    work = container_work(project="Große Firma")
    assert yard.provider.create(work, RecordingCall()).confirmed
    place = yard.place(work)
    assert place.namespace.startswith(f"{yard.prefix}-gro-e-firma-")
    namespace: Any = yard.cluster.core.read_namespace(place.namespace)
    assert namespace.metadata.labels["pod-security.kubernetes.io/enforce"] == "restricted"
    policy = yard.cluster.policy(place.namespace)
    assert policy["podSelector"] == {}
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy["ingress"] == [{"from": [{"podSelector": {}}]}]


def test_a_secret_is_in_the_secret_alone(yard: Yard) -> None:
    work = container_work()
    yard.provider.create(work, RecordingCall())
    place = yard.place(work)
    secret: Any = yard.cluster.core.read_namespaced_secret(place.name, place.namespace)
    assert set(secret.data) == {"ADMIN_PASSWORD"}
    for shown in (
        yard.cluster.deployment(place),
        *yard.cluster.pods(place),
        yard.cluster.core.read_namespaced_service(place.name, place.namespace),
        *yard.cluster.core.list_namespaced_event(place.namespace).items,
    ):
        assert CANARY not in json.dumps(yard.cluster.plain(shown))
    assert CANARY not in str(secret.metadata)
    assert CANARY not in repr(work)

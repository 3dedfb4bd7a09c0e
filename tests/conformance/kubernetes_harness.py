"""The Kubernetes provider's place: a real control plane with simulated nodes, behind a proxy that fails as told.

The truth is read and changed with the administrator's client, never through the proxy.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import pytest

from blueprints.base import BlueprintBase
from domain.errors import ProviderErrorKind
from domain.work import ContainerRecipe, Resources, Secrets, Seen, Work
from providers.base import Provider
from tests.conformance.base import CANARY, BadWork, Can, Foreign, Harness, RawState, Verb
from tests.support.faulty_proxy import FaultyProxy
from tests.support.kubernetes import Cluster, eventually, open_provider
from tests.support.works import a_work, an_id, signed

__all__ = ["HARNESS", "kubernetes_harness", "kubernetes_proxied"]

_CHANGES = "POST|PATCH|DELETE"
_IMAGE = "berth-test/plain:1"
_PORT = 8080
_FIRST_CHANGE: Mapping[Verb, tuple[str, str]] = {
    "create": ("POST", "/deployments"),
    "start": ("PATCH", "/deployments/"),
    "stop": ("PATCH", "/deployments/"),
    "restart": ("PATCH", "/deployments/"),
    "modify": ("PATCH", "/deployments/"),
    "delete": ("DELETE", "/deployments/"),
}
_REFUSALS = {
    ProviderErrorKind.TRANSIENT: (503, "the server is currently unable to handle the request"),
    ProviderErrorKind.THROTTLED: (429, "too many requests, please try again later"),
    ProviderErrorKind.QUOTA: (403, 'persistentvolumeclaims "x" is forbidden: exceeded quota: berth'),
    ProviderErrorKind.AUTH: (403, 'deployments.apps is forbidden: User "x" cannot create resource "deployments"'),
}


class Lantern(BlueprintBase):
    """The least that a container can be."""

    name = "lantern"

    def container_recipe(self, work: Work) -> ContainerRecipe:
        return ContainerRecipe(
            image=work.params.get("image", _IMAGE),
            secrets=Secrets(PASSWORD=work.secrets["password"]),
            port=_PORT,
            volumes={"data": PurePosixPath("/data")},
            stop_seconds=3.0,
            user=work.params.get("user"),
        )


class KubernetesHarness(Harness):
    name = "kubernetes"
    marks = (pytest.mark.servers, pytest.mark.kubernetes)
    preload = ("tests.conformance.kubernetes_harness",)
    rings_to_begin = 3  # the watch itself, its deployments and its pods
    lacks: ClassVar[Mapping[Can, str]] = {
        Can.REFUSE_NO_CAPACITY: "a pod without room is accepted and waits for a node",
    }

    def __init__(self, cluster: Cluster, proxy: FaultyProxy, kubeconfig: str) -> None:
        self._cluster = cluster
        self._proxy = proxy
        self._kubeconfig = kubeconfig
        self.prefix = f"t{an_id('x')[2:12]}"

    def opener(self, server_id: str) -> Callable[[], Provider]:
        return partial(open_provider, self._kubeconfig, self.prefix, server_id)

    def work(self, **changes: Any) -> Work:
        given = {
            "blueprint": "lantern",
            "recipes": Lantern(),
            "secrets": Secrets(password=CANARY),
            "resources": Resources(0.05, 32, 1),
            **changes,
        }
        return a_work(**given)

    def changed(self, work: Work) -> Work:
        return replace(work, resources=Resources(0.1, 48, 1))

    def objects(self, work: Work) -> Sequence[str]:
        """Deployments by label or in its place, and pods that have none."""
        found = self._deployments(work)
        strays = [] if found else self._pods(work)
        return sorted(one["metadata"]["uid"] for one in (found or strays))

    def remains(self, work: Work) -> Sequence[str]:
        return self._cluster.names(self._namespace(work), work.instance_id)

    def fingerprint(self, work: Work) -> object:
        """Specs as they are stored, but not what the cluster itself counts and adds."""
        found = [*self._deployments(work), *self._written(work)]
        return sorted(json.dumps([one["metadata"]["uid"], *_written(one)], sort_keys=True) for one in found)

    def shows(self, work: Work) -> bool:
        wanted = {"cpu": f"{round((work.resources.cpu or 0) * 1000)}m", "memory": f"{work.resources.memory_mb}Mi"}
        pods = self._pods(work) or [one["spec"]["template"] for one in self._deployments(work)]
        return all(pod["spec"]["containers"][0]["resources"]["limits"] == wanted for pod in pods)

    def exposed(self, work: Work) -> str:
        namespace = self._namespace(work)
        secret = self._plain(self._cluster.core.read_namespaced_secret(_name(work), namespace))
        events = self._plain(self._cluster.core.list_namespaced_event(namespace))
        shown = [*self._deployments(work), *self._pods(work), *self._written(work), secret["metadata"], events]
        return repr([one for one in shown if one.get("kind") != "Secret" and "data" not in one])

    def run_id(self, work: Work) -> str:
        (pod,) = self._pods(work)
        return str(pod["metadata"]["uid"])

    def write(self, work: Work, text: str) -> None:
        (self._volume(work) / "kept").write_text(text)

    def read(self, work: Work) -> str:
        return (self._volume(work) / "kept").read_text()

    def chatty(self) -> Work:
        lines = "".join(f"2026-01-01T00:00:00.{n:09d}Z stdout F line {n}\n" for n in range(1, 51))
        self._cluster.plane.pod_log.write_text(lines)
        return self.work()

    def leads_to(self, work: Work, host: str, port: int) -> bool:
        """A simulated pod serves nothing; the cluster's own list of where the address leads must name it."""
        name, namespace, _ = host.split(".")
        service: Any = self._cluster.core.read_namespaced_service(name, namespace)
        (pod,) = self._pods(work)

        def leads() -> bool:
            return self._cluster.endpoints(name, namespace) == [(pod["status"]["podIP"], _PORT)]

        eventually(leads)
        return bool(service.spec.ports[0].port == port and namespace == self._namespace(work))

    def vanish(self, work: Work) -> None:
        self._cluster.apps.delete_namespaced_deployment(
            _name(work), self._namespace(work), propagation_policy="Foreground"
        )
        eventually(lambda: not self.remains(work))

    def plant(self, work: Work, kind: Foreign) -> None:
        identity = work.identity
        self._cluster.make_managed(self._namespace(work))
        other = signed(replace(identity, instance_id=an_id("ins")))
        stolen = {"signature": other.signature, "project": identity.project, "generation": "1"}
        stolen |= {"deployment-id": identity.deployment_id, **_ids(work)}
        given = stolen if kind is Foreign.STOLEN else {}
        self._plant(work, _name(work), {f"berth.dev/{key}": value for key, value in given.items()})

    def add_twin(self, work: Work) -> None:
        (own,) = self._deployments(work)
        self._plant(work, f"{_name(work)}-twin", own["metadata"]["annotations"])

    @contextmanager
    def lose_answer(self, verb: Verb, work: Work) -> Iterator[None]:
        method, path = _FIRST_CHANGE[verb]
        with self._rule(self._proxy.lose_answer(method=method, path=path, times=1)) as rule:
            yield
            assert self._proxy.applied(rule) == 1, f"{verb} never came to {method} {path}"

    @contextmanager
    def refuse(self, verb: Verb, work: Work, kind: ProviderErrorKind, times: int = 1) -> Iterator[None]:
        status, said = _REFUSALS[kind]
        answer = {"kind": "Status", "code": status, "message": said}
        with self._rule(self._proxy.refuse(status, answer, method=_CHANGES, times=times)):
            yield

    @contextmanager
    def hang(self, verb: Verb, work: Work) -> Iterator[None]:
        method = "GET" if verb in {"observe", "inventory"} else _CHANGES
        with self._rule(self._proxy.hang(method=method, times=-1)):
            yield  # a cancel may come before the first change does

    @contextmanager
    def unreachable(self) -> Iterator[None]:
        with self._rule(self._proxy.close_connections(times=-1)) as rule:
            yield
            assert self._proxy.applied(rule) >= 1

    @contextmanager
    def _rule(self, rule: int) -> Iterator[int]:
        try:
            yield rule
        finally:
            self._proxy.drop(rule)

    def become(self, work: Work, **change: Any) -> None:
        """Change the running object by hand, as `kubectl patch` does."""
        container = {"name": "main", **change}
        body: Any = {"spec": {"template": {"spec": {"containers": [container]}}}}
        self._cluster.apps.patch_namespaced_deployment(_name(work), self._namespace(work), body)

    def scale_to_nothing(self, work: Work) -> None:
        body: Any = {"spec": {"replicas": 0}}
        self._cluster.apps.patch_namespaced_deployment(_name(work), self._namespace(work), body)

    def lose_the_deployment(self, work: Work) -> None:
        self._cluster.apps.delete_namespaced_deployment(
            _name(work), self._namespace(work), propagation_policy="Orphan"
        )
        eventually(lambda: not self._deployments(work))

    def close(self) -> None:
        self._cluster.clear(self.prefix)

    def _namespace(self, work: Work) -> str:
        return f"{self.prefix}-{work.identity.project}"

    def _plain(self, found: object) -> Any:
        return self._cluster.plain(found)

    def _deployments(self, work: Work) -> list[Any]:
        found = self._plain(self._cluster.apps.list_namespaced_deployment(self._namespace(work)))["items"]
        return [one for one in found if _is_of(one, work) or one["metadata"]["name"] == _name(work)]

    def _pods(self, work: Work) -> list[Any]:
        found = self._plain(self._cluster.core.list_namespaced_pod(self._namespace(work)))["items"]
        return [one for one in found if _is_of(one, work) and "deletionTimestamp" not in one["metadata"]]

    def _written(self, work: Work) -> list[Any]:
        """What the provider's calls make beside the Deployment."""
        core, namespace = self._cluster.core, self._namespace(work)
        found = [
            *self._plain(core.list_namespaced_service(namespace))["items"],
            *self._plain(core.list_namespaced_secret(namespace))["items"],
            *self._plain(core.list_namespaced_persistent_volume_claim(namespace))["items"],
        ]
        return [one for one in found if _is_of(one, work)]

    def _volume(self, work: Work) -> Path:
        """Where the cluster keeps its volume: a folder of this machine."""
        claim: Any = self._cluster.core.read_namespaced_persistent_volume_claim(
            f"{_name(work)}-data", self._namespace(work)
        )
        volume: Any = self._cluster.core.read_persistent_volume(claim.spec.volume_name)
        return Path(volume.spec.host_path.path)

    def _plant(self, work: Work, name: str, annotations: Mapping[str, str]) -> None:
        labels = {f"berth.dev/{key}": value for key, value in _ids(work).items()}
        container = {"name": "main", "image": _IMAGE}
        body: Any = {
            "metadata": {"name": name, "labels": labels, "annotations": dict(annotations)},
            "spec": {
                "replicas": 0,
                "selector": {"matchLabels": {"planted": name}},
                "template": {"metadata": {"labels": {"planted": name}}, "spec": {"containers": [container]}},
            },
        }
        self._cluster.apps.create_namespaced_deployment(self._namespace(work), body)

    raw_states: ClassVar[Sequence[RawState]] = (
        RawState(
            "unschedulable",
            Seen.TRANSIENT,
            lambda h, w: h.become(w, resources={"requests": {"cpu": "64"}, "limits": {"cpu": "64"}}),
            "Insufficient cpu",
        ),
        RawState(
            "image-gone",
            Seen.TRANSIENT,
            lambda h, w: h.become(w, image="berth-test/missing:3"),
            "",
        ),
        RawState("scaled-to-nothing", Seen.DOWN, scale_to_nothing, "Stopped"),
        RawState(
            "crash-looping", Seen.CRASHED, lambda h, w: h.become(w, image="berth-test/crashing:1"), "exit code 3"
        ),
        RawState("deployment-lost", Seen.CRASHED, lose_the_deployment, "its Deployment is gone"),
    )
    bad_works: ClassVar[Sequence[BadWork]] = (
        BadWork(
            "no-such-image",
            ProviderErrorKind.INVALID,
            lambda h: h.work(params={"image": "berth-test/missing:7"}),
            "image berth-test/missing:7 cannot be pulled",
        ),
        BadWork("root", ProviderErrorKind.INVALID, lambda h: h.work(params={"user": 0}), "root"),
        BadWork("too-many-cpus", None, lambda h: h.work(resources=Resources(64, 32, 1)), "Insufficient cpu"),
    )


def _name(work: Work) -> str:
    return f"berth-{work.instance_id.replace('_', '-')}"


def _ids(work: Work) -> dict[str, str]:
    return {"server-id": work.identity.server_id, "instance-id": work.instance_id}


def _is_of(found: Any, work: Work) -> bool:
    labels = found["metadata"].get("labels") or {}
    return all(labels.get(f"berth.dev/{key}") == value for key, value in _ids(work).items())


def _written(found: Any) -> list[Any]:
    annotations = found["metadata"].get("annotations") or {}
    ours = {key: value for key, value in annotations.items() if "berth.dev/" in key}
    spec = {key: value for key, value in found.get("spec", {}).items() if key != "volumeName"}
    return [found["metadata"].get("labels"), ours, spec, found.get("data")]


@pytest.fixture(scope="session")
def kubernetes_proxied(
    cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[FaultyProxy, str]]:
    with FaultyProxy.start(cluster.plane.server) as proxy:
        yield proxy, cluster.proxied(proxy.url, tmp_path_factory.mktemp("kubeconfig"))


@pytest.fixture
def kubernetes_harness(
    cluster: Cluster, kubernetes_proxied: tuple[FaultyProxy, str]
) -> Iterator[KubernetesHarness]:
    harness = KubernetesHarness(cluster, *kubernetes_proxied)
    yield harness
    kubernetes_proxied[0].clear()
    harness.close()


HARNESS = KubernetesHarness

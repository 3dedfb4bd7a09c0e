"""A real Kubernetes control plane per test session, with simulated nodes. Import `cluster` in a folder's conftest.

It is built once into the cache (scripts/controlplane); a first run on a new machine takes some minutes longer.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from blueprints.base import BlueprintBase
from domain.work import ContainerRecipe, HealthCheck, Resources, Secrets, Work
from providers.kubernetes.connection import connect
from providers.kubernetes.naming import INSTANCE, Place
from providers.kubernetes.options import Options
from providers.kubernetes.provider import _SETTLE_SECONDS, _STUCK_SECONDS, KubernetesProvider
from scripts.controlplane.build import ControlPlaneError, etcd_program, obtain
from scripts.controlplane.cluster import ControlPlane
from scripts.controlplane.credentials import kubeconfig
from scripts.controlplane.objects import add_node, add_storage, open_api
from settings import Settings
from tests.support.works import SERVER_ID, a_work, an_id, verify

_SECONDS = 10
CANARY = "c4nary-of-a-Secret-31"


RECIPE = ContainerRecipe(
    image="berth-test/plain:1",
    environment={"GREETING": "hello"},
    secrets=Secrets(ADMIN_PASSWORD=CANARY),
    port=8069,
    health=HealthCheck("http", "/health"),
    volumes={"data": PurePosixPath("/data")},
)


@dataclass(frozen=True)
class AsContainer(BlueprintBase):
    """A blueprint that is nothing but this recipe."""

    name: ClassVar[str] = "container"
    recipe: ContainerRecipe = RECIPE

    def container_recipe(self, work: Work) -> ContainerRecipe:
        return self.recipe


def container_work(recipe: ContainerRecipe | None = None, **changes: Any) -> Work:
    """A small container's work."""
    blueprint = AsContainer() if recipe is None else AsContainer(recipe)
    given = {"recipes": blueprint, "blueprint": "container", "resources": Resources(0.1, 64, 1)}
    return a_work(**{**given, **changes})


def open_provider(path: str, prefix: str, server_id: str = SERVER_ID, **options: str) -> KubernetesProvider:
    """As a worker opens it. At module level: crash tests call it in processes of their own."""
    chosen = Options.of({"kubeconfig": path, "namespace_prefix": prefix, **options})
    return KubernetesProvider(connect(chosen), chosen, server_id, verify)


@dataclass
class Cluster:
    """The running control plane and the administrator's view of it."""

    plane: ControlPlane
    api: client.ApiClient
    core: client.CoreV1Api = field(init=False)
    apps: client.AppsV1Api = field(init=False)

    def __post_init__(self) -> None:
        self.core = client.CoreV1Api(self.api)
        self.apps = client.AppsV1Api(self.api)

    @property
    def kubeconfig(self) -> str:
        return str(self.plane.kubeconfig)

    @contextlib.contextmanager
    def node(self, name: str, cpu: str, memory: str = "8Gi") -> Iterator[None]:
        """A further node, ready, for a while."""
        self.add_node(name, cpu, memory)
        try:
            yield
        finally:
            self.core.delete_node(name, _request_timeout=_SECONDS)

    def add_node(self, name: str, cpu: str, memory: str = "8Gi") -> None:
        add_node(self.api, name, cpu, memory)
        eventually(lambda: self._node_is_ready(name))

    def kubeconfig_for(self, account: str, namespace: str, folder: Path) -> str:
        """A kubeconfig of a service account."""
        body: Any = {"spec": {"expirationSeconds": 3600}}
        made: Any = self.core.create_namespaced_service_account_token(
            account, namespace, body, _request_timeout=_SECONDS
        )
        path = folder / f"{account}.kubeconfig"
        path.write_text(kubeconfig(self.plane.server, self.plane.credentials.authority, made.status.token))
        return str(path)

    def proxied(self, url: str, folder: Path) -> str:
        """A kubeconfig of the administrator through a plain HTTP proxy."""
        path = folder / "proxied.kubeconfig"
        text = Path(self.kubeconfig).read_text()
        path.write_text(text.replace(self.plane.server, url))
        return str(path)

    def names(self, namespace: str, instance_id: str) -> list[str]:
        """Everything that exists because of the instance, whoever made it: `kind/name`."""
        about = {"label_selector": f"{INSTANCE}={instance_id}", "_request_timeout": _SECONDS}
        name = f"berth-{instance_id.replace('_', '-')}"
        listers: dict[str, Any] = {
            "deployment": self.apps.list_namespaced_deployment,
            "replicaset": self.apps.list_namespaced_replica_set,
            "pod": self.core.list_namespaced_pod,
            "service": self.core.list_namespaced_service,
            "secret": self.core.list_namespaced_secret,
            "claim": self.core.list_namespaced_persistent_volume_claim,
        }
        found = [
            f"{kind}/{one.metadata.name}"
            for kind, lister in listers.items()
            for one in lister(namespace, **about).items
        ]
        volumes: Any = self.core.list_persistent_volume(_request_timeout=_SECONDS)
        return found + [
            f"volume/{one.metadata.name}"
            for one in volumes.items
            if one.spec.claim_ref.namespace == namespace and one.spec.claim_ref.name.startswith(name)
        ]

    def pods(self, place: Place) -> list[Any]:
        about = f"{INSTANCE}={place.instance_id}"
        found: Any = self.core.list_namespaced_pod(
            place.namespace, label_selector=about, _request_timeout=_SECONDS
        )
        return list(found.items)

    def deployment(self, place: Place) -> Any:
        return self.apps.read_namespaced_deployment(place.name, place.namespace, _request_timeout=_SECONDS)

    def policy(self, namespace: str) -> Any:
        found: Any = client.NetworkingV1Api(self.api).read_namespaced_network_policy("berth", namespace)
        return self.plain(found)["spec"]

    def plain(self, found: object) -> Any:
        """An object of the SDK as JSON."""
        api: Any = self.api
        return api.sanitize_for_serialization(found)

    def endpoints(self, service: str, namespace: str) -> list[tuple[str, int]]:
        """Where a service leads now."""
        about = f"kubernetes.io/service-name={service}"
        slices: Any = client.DiscoveryV1Api(self.api).list_namespaced_endpoint_slice(
            namespace, label_selector=about, _request_timeout=_SECONDS
        )
        return [
            (address, port.port)
            for one in slices.items
            for end in one.endpoints or []
            if end.conditions.ready
            for address in end.addresses
            for port in one.ports
        ]

    def make_managed(self, name: str) -> None:
        """A namespace as Berth makes it, unless it is there."""
        with contextlib.suppress(ApiException):
            self.make_namespace(name, **{"app.kubernetes.io/managed-by": "berth"})

    def make_namespace(self, name: str, **labels: str) -> None:
        body: Any = {"metadata": {"name": name, "labels": labels}}
        self.core.create_namespace(body, _request_timeout=_SECONDS)

    def clear(self, prefix: str) -> None:
        """Drop what a test left: its namespaces and what is in them."""
        found: Any = self.core.list_namespace(_request_timeout=_SECONDS)
        for one in found.items:
            if one.metadata.name.startswith(f"{prefix}-"):
                with contextlib.suppress(ApiException):
                    self.core.delete_namespace(one.metadata.name, _request_timeout=_SECONDS)

    def _node_is_ready(self, name: str) -> bool:
        node: Any = self.core.read_node(name, _request_timeout=_SECONDS)
        states = {one.type: one.status for one in node.status.conditions or []}
        return states.get("Ready") == "True" and not node.spec.taints


def eventually(holds: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    try:
        etcd_program()
        programs = obtain(Settings().cache_dir, lambda text: None)
    except ControlPlaneError as error:
        pytest.skip(str(error))
    with tempfile.TemporaryDirectory(prefix="berth-kubernetes-") as folder:
        plane = ControlPlane(programs, Path(folder))
        plane.start()
        try:
            made = Cluster(plane, open_api(plane.kubeconfig))
            add_storage(made.api)
            made.add_node("node-1", "2", "4Gi")
            yield made
            made.api.rest_client.close()
        finally:
            plane.stop()


@dataclass
class Yard:
    """One test's own namespaces in the cluster, and a provider that knows nothing from before."""

    cluster: Cluster
    prefix: str
    provider: KubernetesProvider
    _more: list[KubernetesProvider] = field(default_factory=list)

    def another(self, path: str | None = None, server_id: str = SERVER_ID, **options: str) -> KubernetesProvider:
        made = open_provider(path or self.cluster.kubeconfig, self.prefix, server_id, **options)
        self._more.append(made)
        return made

    def place(self, work: Work) -> Place:
        return Place.of(work.identity, self.prefix)

    def names(self, work: Work) -> list[str]:
        return self.cluster.names(self.place(work).namespace, work.instance_id)

    def close(self) -> None:
        for provider in (self.provider, *self._more):
            provider.close()
        self.cluster.clear(self.prefix)


@pytest.fixture
def yard(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Yard]:
    """Its verbs wait for what they asked for as long as a slow machine needs; see `brief`."""
    for name in ("_SETTLE_SECONDS", "_STUCK_SECONDS"):
        monkeypatch.setattr(f"providers.kubernetes.provider.{name}", 60.0)
    prefix = f"t{an_id('x')[2:12]}"
    made = Yard(cluster, prefix, open_provider(cluster.kubeconfig, prefix))
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def brief(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    """For what is not to come about: the verbs wait no longer than they really do."""
    monkeypatch.setattr("providers.kubernetes.provider._SETTLE_SECONDS", _SETTLE_SECONDS)
    monkeypatch.setattr("providers.kubernetes.provider._STUCK_SECONDS", _STUCK_SECONDS)

"""The Docker provider's place: a real engine, behind a proxy that loses, refuses and delays what it is told to."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import PurePosixPath
from typing import Any, ClassVar

import pytest
from docker.errors import ContainerError, NotFound
from docker.models.containers import Container

from blueprints.base import BlueprintBase
from domain.errors import ProviderErrorKind
from domain.work import ContainerRecipe, Resources, Secrets, Seen, Work
from providers.base import Provider
from providers.docker.labels import INSTANCE, PROJECT, SERVER, container_name, identity_labels
from providers.docker.options import read_options
from providers.docker.provider import DockerProvider
from tests.conformance.base import CANARY, BadWork, Can, Foreign, Harness, RawState, Verb
from tests.support.docker import DockerEngine
from tests.support.docker_instances import WEB, WEB_PORT, wait_until
from tests.support.faulty_proxy import FaultyProxy
from tests.support.instances import free_port
from tests.support.works import a_work, an_id, signed, verify

__all__ = ["HARNESS", "docker_harness", "docker_proxy"]

_CHANGES = "POST|DELETE"
_KEPT = "/data/kept"
_FIRST_CHANGE: Mapping[Verb, tuple[str, str]] = {
    "create": ("POST", "/containers/create"),
    "start": ("POST", "/containers/[^/]+/start"),
    "stop": ("POST", "/containers/[^/]+/kill"),
    "restart": ("POST", "/containers/[^/]+/kill"),
    "modify": ("POST", "/containers/[^/]+/update"),
    "delete": ("DELETE", "/containers/"),
}
_REFUSALS = {
    ProviderErrorKind.TRANSIENT: (500, "the daemon is not itself"),
    ProviderErrorKind.THROTTLED: (429, "too many requests"),
    ProviderErrorKind.NO_CAPACITY: (500, "mkdir /var/lib/docker/overlay2/x: no space left on device"),
    ProviderErrorKind.AUTH: (403, "authorization denied by plugin"),
}
# As a person would run it: it knows its id, ends cleanly when asked, and badly when told to.
_SCRIPT = """
trap 'kill $server; exit 0' TERM
trap 'exit 3' USR1
seq 1 $LINES | sed 's/^/line /'
echo -n $ID >/www/id
httpd -f -p 8080 -h /www &
server=$!
while :; do wait $server; done
"""


class Lantern(BlueprintBase):
    """The least that a container can be: it tells whoever asks its id."""

    name = "lantern"

    def container_recipe(self, work: Work) -> ContainerRecipe:
        return ContainerRecipe(
            image=work.params.get("image", WEB),
            arguments=("sh", "-c", _SCRIPT),
            environment={"ID": work.instance_id, "LINES": str(work.params.get("lines", 0))},
            secrets=Secrets(PASSWORD=work.secrets["password"]),
            port=WEB_PORT,
            volumes={"data": PurePosixPath("/data")},
            stop_seconds=15.0,  # nobody is to be killed because the machine stood still
        )


_SECONDS, _CUT_SECONDS = (20, 60), (2, 4)
"""Time-outs of looks and changes: as a rule, and where they are to be met."""


def open_docker(host: str, seconds: tuple[int, int], server_id: str) -> Provider:
    look, act = seconds
    options = replace(read_options({"host": host}), look_seconds=look, act_seconds=act)
    return DockerProvider(options, server_id=server_id, verify=verify)


class DockerHarness(Harness):
    name = "docker"
    marks = (pytest.mark.processes, pytest.mark.docker)
    preload = ("tests.conformance.docker_harness",)
    lacks: ClassVar[Mapping[Can, str]] = {Can.REFUSE_QUOTA: "a Docker Engine counts nobody's objects"}

    def __init__(self, engine: DockerEngine, proxy: FaultyProxy) -> None:
        self._engine = engine
        self._client = engine.client
        self._proxy = proxy
        self._seconds = _SECONDS

    def opener(self, server_id: str) -> Callable[[], Provider]:
        return partial(open_docker, self._proxy.url, self._seconds, server_id)

    def work(self, **changes: Any) -> Work:
        given = {
            "blueprint": "lantern",
            "recipes": Lantern(),
            "port": free_port(),
            "secrets": Secrets(password=CANARY),
            "resources": Resources(memory_mb=64),
            **changes,
        }
        return a_work(**given)

    def changed(self, work: Work) -> Work:
        return replace(work, resources=Resources(cpu=0.5, memory_mb=96))

    def objects(self, work: Work) -> Sequence[str]:
        return sorted(str(container.id) for container in self._containers(work))

    def remains(self, work: Work) -> Sequence[str]:
        """The network counts while nobody else of the project is there."""
        own = self._containers(work)
        names = [str(container.name) for container in own] + [volume.name for volume in self._volumes(work)]
        networks = self._networks(work)
        neighbours = self._client.containers.list(all=True, filters={"label": _labels(work, PROJECT)})
        return names if len(neighbours) > len(own) else names + [str(network.name) for network in networks]

    def fingerprint(self, work: Work) -> object:
        return (
            [_facts(container) for container in self._containers(work)],
            sorted((volume.name, volume.attrs["CreatedAt"]) for volume in self._volumes(work)),
            sorted(str(network.id) for network in self._networks(work)),
        )

    def shows(self, work: Work) -> bool:
        host = self._only(work).attrs["HostConfig"]
        wanted = (round((work.resources.cpu or 0) * 1e9), (work.resources.memory_mb or 0) << 20)
        return (host["NanoCpus"], host["Memory"]) == wanted

    def exposed(self, work: Work) -> str:
        attributes = json.loads(json.dumps(self._only(work).attrs))
        del attributes["Config"]["Env"]
        rest = [one.attrs for one in (*self._volumes(work), *self._networks(work))]
        return repr((attributes, rest, self._only(work).top(), self._client.api.containers(all=True)))

    def run_id(self, work: Work) -> str:
        state = self._only(work).attrs["State"]
        return f"{state['Pid']} {state['StartedAt']}"

    def write(self, work: Work, text: str) -> None:
        code, said = self._only(work).exec_run(["sh", "-c", 'echo -n "$0" >"$1"', text, _KEPT])
        assert code == 0, said

    def read(self, work: Work) -> str:
        pieces, _ = self._only(work).get_archive(_KEPT)
        with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as tar:
            found = tar.extractfile("kept")
            assert found is not None
            return found.read().decode()

    def chatty(self) -> Work:
        return self.work(params={"lines": 50})

    def leads_to(self, work: Work, host: str, port: int) -> bool:
        """Asked by another container of the project."""

        def asked() -> str | None:
            try:
                said = self._client.containers.run(WEB, asking, network=network, remove=True)
            except ContainerError:
                return None
            return str(said.decode())

        asking = ["timeout", "20", "wget", "-qO-", f"http://{host}:{port}/id"]
        (network,) = [str(network.name) for network in self._networks(work)]
        return bool(wait_until(asked) == work.instance_id)

    def vanish(self, work: Work) -> None:
        """With its data: with data left a start makes it anew."""
        found = self._only(work)
        found.remove(force=True)

        def gone() -> bool:
            try:
                found.reload()
            except NotFound:
                return True
            return False

        wait_until(gone)
        for volume in self._volumes(work):
            volume.remove()

    def plant(self, work: Work, kind: Foreign) -> None:
        other = signed(replace(work.identity, instance_id=an_id("ins")))
        labels = identity_labels(replace(work, identity=replace(work.identity, signature=other.signature)))
        if kind is Foreign.UNSIGNED:
            labels = {name: labels[name] for name in (SERVER, INSTANCE)}
        self._client.containers.create(WEB, name=container_name(work.instance_id), labels=labels)

    def add_twin(self, work: Work) -> None:
        own = self._only(work)
        self._client.containers.create(WEB, name=f"{own.name}-twin", labels=own.labels)

    @contextmanager
    def lose_answer(self, verb: Verb, work: Work) -> Iterator[None]:
        method, path = _FIRST_CHANGE[verb]
        with self._rule(self._proxy.lose_answer(method=method, path=path, times=1)) as rule:
            yield
            assert self._proxy.applied(rule) == 1, f"{verb} never came to {method} {path}"

    @contextmanager
    def refuse(self, verb: Verb, work: Work, kind: ProviderErrorKind, times: int = 1) -> Iterator[None]:
        status, said = _REFUSALS[kind]
        with self._rule(self._proxy.refuse(status, {"message": said}, method=_CHANGES, times=times)):
            yield

    @contextmanager
    def hang(self, verb: Verb, work: Work) -> Iterator[None]:
        method = "GET" if verb in {"observe", "inventory"} else _CHANGES
        self._seconds = _CUT_SECONDS
        with self._rule(self._proxy.hang(method=method, times=-1)) as rule:
            yield
            assert self._proxy.applied(rule) >= 1
        self._seconds = _SECONDS

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

    def signalled(self, work: Work, name: str) -> None:
        found = self._only(work)
        found.kill(name)
        wait_until(lambda: self._only(work).status == "exited")

    def _only(self, work: Work) -> Container:
        return self._client.containers.get(container_name(work.instance_id))

    def _containers(self, work: Work) -> list[Container]:
        """By its labels, or in its place."""
        found = self._client.containers.list(
            all=True, filters={"label": _labels(work, INSTANCE)}, ignore_removed=True
        )
        name = container_name(work.instance_id)
        for one in self._client.containers.list(all=True, filters={"name": f"^/{name}$"}, ignore_removed=True):
            if one.id not in {container.id for container in found} and SERVER not in one.labels:
                found.append(one)
        return sorted(found, key=lambda container: str(container.id))

    def _volumes(self, work: Work) -> list[Any]:
        return self._client.volumes.list(filters={"label": _labels(work, INSTANCE)})

    def _networks(self, work: Work) -> list[Any]:
        return self._client.networks.list(filters={"label": _labels(work, PROJECT)})

    raw_states: ClassVar[Sequence[RawState]] = (
        RawState("paused", Seen.TRANSIENT, lambda h, w: h._only(w).pause(), "paused"),
        RawState("stopped", Seen.DOWN, lambda h, w: h._only(w).stop(timeout=5), "exit code 0"),
        RawState("killed", Seen.DOWN, lambda h, w: h.signalled(w, "SIGKILL"), "exit code 137"),
        RawState("failed", Seen.CRASHED, lambda h, w: h.signalled(w, "SIGUSR1"), "exit code 3"),
    )
    bad_works: ClassVar[Sequence[BadWork]] = (
        BadWork(
            "no-such-image",
            ProviderErrorKind.INVALID,
            lambda h: h.work(params={"image": "berth-test/none:7"}),
            "image berth-test/none:7 is not on this host",
        ),
        BadWork(
            "too-little-memory",
            ProviderErrorKind.INVALID,
            lambda h: h.work(resources=Resources(memory_mb=2)),
            "memory_mb is 2",
        ),
        BadWork(
            "too-many-cpus",
            ProviderErrorKind.NO_CAPACITY,
            lambda h: h.work(resources=Resources(cpu=5000)),
            "CPUs",
        ),
    )


def _labels(work: Work, selects: str) -> list[str]:
    value = work.identity.instance_id if selects == INSTANCE else work.identity.project
    return [f"{SERVER}={work.identity.server_id}", f"{selects}={value}"]


def _facts(container: Container) -> object:
    about = container.attrs
    state = {name: about["State"][name] for name in ("Status", "Pid", "StartedAt", "ExitCode")}
    return about["Id"], about["Name"], state, about["Config"], about["HostConfig"], about["Mounts"]


@pytest.fixture(scope="session")
def docker_proxy(docker_engine: DockerEngine) -> Iterator[FaultyProxy]:
    with FaultyProxy.start(docker_engine.host, socket=docker_engine.folder / "proxy.sock") as proxy:
        yield proxy


@pytest.fixture
def docker_harness(docker_engine: DockerEngine, docker_proxy: FaultyProxy) -> Iterator[DockerHarness]:
    yield DockerHarness(docker_engine, docker_proxy)
    docker_proxy.clear()
    docker_engine.clear()


HARNESS = DockerHarness

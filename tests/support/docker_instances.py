"""Containers for tests: works with small recipes, a provider on the session's engine, and the truth beside it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.models.containers import Container

from blueprints.base import BlueprintBase
from domain.work import ContainerRecipe, Work
from providers.docker.labels import container_name
from providers.docker.options import Options, read_options
from providers.docker.provider import DockerProvider
from tests.support.calls import RecordingCall
from tests.support.docker import DockerEngine
from tests.support.instances import free_port
from tests.support.works import a_work, verify

WEB, WEB_PORT = "berth-test/web:1", 8080


@dataclass
class AsContainer(BlueprintBase):
    """A blueprint that is nothing but this recipe."""

    recipe: ContainerRecipe

    def container_recipe(self, work: Work) -> ContainerRecipe:
        return self.recipe


def with_recipe(work: Work, **changes: Any) -> Work:
    """The same work with another recipe."""
    assert isinstance(work.recipes, AsContainer)
    return replace(work, recipes=AsContainer(replace(work.recipes.recipe, **changes)))


def a_web(**recipe: Any) -> ContainerRecipe:
    return replace(ContainerRecipe(WEB, port=WEB_PORT, stop_seconds=5), **recipe)


def a_command(*arguments: str, **recipe: Any) -> ContainerRecipe:
    """Busybox runs this, and nothing listens."""
    return replace(ContainerRecipe(WEB, arguments=arguments, stop_seconds=1), **recipe)


@dataclass
class Dock:
    """A Berth of its own at the session's engine."""

    engine: DockerEngine
    server_id: str
    options: Options
    call: RecordingCall = field(default_factory=RecordingCall)

    @property
    def client(self) -> docker.DockerClient:
        return self.engine.client

    @property
    def provider(self) -> DockerProvider:
        """A fresh one: it knows only what the engine says."""
        return DockerProvider(self.options, server_id=self.server_id, verify=verify)

    def work(self, recipe: ContainerRecipe | None = None, **changes: Any) -> Work:
        made = a_web() if recipe is None else recipe
        port = free_port() if made.port is not None else None
        given = {"server_id": self.server_id, "port": port, "recipes": AsContainer(made), **changes}
        return a_work(**given)

    def created(self, recipe: ContainerRecipe | None = None, **changes: Any) -> Work:
        work = self.work(recipe, **changes)
        self.provider.create(work, self.call)
        return work

    def container(self, work: Work) -> Container:
        return self.client.containers.get(container_name(work.instance_id))

    def inspected(self, work: Work) -> dict[str, Any]:
        found: dict[str, Any] = self.client.api.inspect_container(container_name(work.instance_id))
        return found

    def containers(self, work: Work) -> list[Container]:
        label = f"berth.dev/instance-id={work.instance_id}"
        return self.client.containers.list(all=True, filters={"label": label})

    def volumes(self, work: Work) -> list[str]:
        label = f"berth.dev/instance-id={work.instance_id}"
        return sorted(volume.name for volume in self.client.volumes.list(filters={"label": label}))

    def execute(self, work: Work, *command: str) -> str:
        code, output = self.container(work).exec_run(list(command))
        assert code == 0, output
        assert isinstance(output, bytes)
        return output.decode().strip()


def wait_until(done: Callable[[], Any], seconds: float = 60.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := done()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)
    return found


def options_for(host: str) -> Options:
    """With patience: what a test does not make slow on purpose may take its time."""
    return replace(read_options({"host": host}), look_seconds=20, act_seconds=60)


@pytest.fixture
def dock(docker_engine: DockerEngine) -> Iterator[Dock]:
    """Whatever the test made is removed."""
    yield Dock(docker_engine, os.urandom(8).hex(), options_for(docker_engine.host))
    docker_engine.clear()


def socket_of(engine: DockerEngine) -> Path:
    return Path(engine.host.removeprefix("unix://"))

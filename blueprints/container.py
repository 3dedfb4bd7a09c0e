"""Any image: the person who asks says how it is run, and Berth keeps it confined, watched and found again."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from blueprints import http_probe
from blueprints.base import BlueprintBase, Parameters
from blueprints.kinds import (
    RESTART,
    WRITE_ONLY,
    Environment,
    Image,
    Line,
    MountPath,
    UrlPath,
    host_port,
    refused,
)
from domain.work import ContainerRecipe, Form, HealthCheck, Secrets, Work

_PREFIX = "secret_environment."
_VOLUME_NAME = r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$"


class ContainerParameters(Parameters):
    image: Image = Field(
        description="What to run, such as registry.example/team/shop:1.4", json_schema_extra=RESTART
    )
    arguments: list[Annotated[Line, Field(max_length=4096)]] = Field(
        default_factory=list,
        max_length=100,
        description="Instead of the image's own command, behind its entrypoint; no shell reads them",
        json_schema_extra=RESTART,
    )
    environment: Environment = Field(
        default_factory=dict,
        description="Environment variables that may be shown",
        json_schema_extra=RESTART,
    )
    secret_environment: Environment = Field(
        default_factory=dict,
        description="Environment variables that are stored encrypted and never shown with the instance",
        json_schema_extra=WRITE_ONLY,
    )
    container_port: int | None = Field(
        None, ge=1, le=65535, description="TCP port that it serves inside", json_schema_extra=RESTART
    )
    port: int | None = host_port()
    health_path: UrlPath | None = Field(
        None,
        description="It serves when GET of this answers 200 to 399; without it, when its port takes connections",
        json_schema_extra=RESTART,
    )
    volumes: dict[Annotated[str, Field(pattern=_VOLUME_NAME)], MountPath] = Field(
        default_factory=dict,
        max_length=10,
        description="Name and absolute mount path of what is kept over restarts; fixed for life",
    )
    user: int | None = Field(
        None,
        ge=1,
        le=65534,
        description="User and group id to run as; by default the image's own, and never root on kubernetes",
        json_schema_extra=RESTART,
    )

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        twice = sorted(set(self.environment) & set(self.secret_environment))
        if twice:
            raise refused("twice", f"environment and secret_environment both have {', '.join(twice)}")
        if self.container_port is None and (self.health_path is not None or self.port is not None):
            raise refused("no_port", "health_path and port need a container_port")
        if len(set(self.volumes.values())) < len(self.volumes):
            raise refused("twice", "two volumes cannot have one mount path")
        return self


class ContainerBlueprint(BlueprintBase):
    name: ClassVar[str] = "container"
    title: ClassVar[str] = "Container"
    description: ClassVar[str] = "Any container image, with its environment, volumes and health check."
    parameters: ClassVar[type[Parameters]] = ContainerParameters
    max_members: ClassVar[int] = 10
    forms: ClassVar[frozenset[Form]] = frozenset({Form.CONTAINER})
    fixed: ClassVar[frozenset[str]] = frozenset({"port", "volumes"})
    secret_params: ClassVar[frozenset[str]] = frozenset({"secret_environment"})

    def container_recipe(self, work: Work) -> ContainerRecipe:
        params = work.params
        return ContainerRecipe(
            image=params["image"],
            arguments=tuple(params.get("arguments", ())),
            environment=params.get("environment", {}),
            secrets=Secrets(
                {n.removeprefix(_PREFIX): v for n, v in work.secrets.items() if n.startswith(_PREFIX)}
            ),
            port=params.get("container_port"),
            health=_health(work),
            volumes={name: PurePosixPath(path) for name, path in params.get("volumes", {}).items()},
            user=params.get("user"),
        )

    def probe(self, work: Work, timeout_seconds: float) -> None:
        """Without a port nothing tells more than that it runs."""
        health = _health(work)
        if health is None:
            return
        if health.kind == "http":
            http_probe.check(work, health.path, timeout_seconds)
        else:
            http_probe.check_tcp(work, timeout_seconds)

    def endpoint(self, work: Work) -> str | None:
        health = _health(work)
        if health is None or work.port is None:
            return None
        return f"{'http' if health.kind == 'http' else 'tcp'}://127.0.0.1:{work.port}"


def _health(work: Work) -> HealthCheck | None:
    if work.params.get("container_port") is None:
        return None
    path = work.params.get("health_path")
    return HealthCheck("tcp") if path is None else HealthCheck("http", path)

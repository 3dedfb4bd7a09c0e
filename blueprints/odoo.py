"""Odoo, in a container, on a database that Berth allocates for it."""

from __future__ import annotations

import re
import secrets
from pathlib import PurePosixPath
from typing import Annotated, ClassVar, Final, Literal

from pydantic import AfterValidator, Field

from blueprints import http_probe
from blueprints.base import BlueprintBase, Parameters
from blueprints.kinds import RESTART, WRITE_ONLY, Image, Line, host_port, refused
from domain.errors import ProviderError, ProviderErrorKind
from domain.work import ContainerRecipe, DatabaseAccess, Form, HealthCheck, Secrets, Work

DEFAULT_VERSION: Final = "17.0"
HEALTH_PATH = "/web/health"
PORT, UID = 8069, 101
_STOP_SECONDS = 30.0
_EMAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")


def _email(text: str) -> str:
    if len(text) > 254 or not _EMAIL.fullmatch(text):
        raise refused("email", "must be an e-mail address like admin@example.com")
    return text


class OdooParameters(Parameters):
    admin_email: Annotated[str, AfterValidator(_email)] = Field(
        description="Login of the first administrator", json_schema_extra=RESTART
    )
    admin_password: Line | None = Field(
        None,
        min_length=8,
        max_length=128,
        description="Password of the first administrator; drawn by Berth when absent",
        json_schema_extra=WRITE_ONLY,
    )
    odoo_version: Literal["16.0", "17.0", "18.0"] = Field(
        DEFAULT_VERSION, description="Version; fixed for life, for its data follows it"
    )
    database_name: str | None = Field(
        None,
        pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,62}$",
        description="Wanted name of its database on a shared server; fixed for life",
    )
    port: int | None = host_port()
    image: Image | None = Field(
        None,
        description="Container image that serves as odoo:VERSION does; by default that one",
        json_schema_extra=RESTART,
    )


class OdooBlueprint(BlueprintBase):
    name: ClassVar[str] = "odoo"
    title: ClassVar[str] = "Odoo"
    description: ClassVar[str] = "Odoo with a filestore and a PostgreSQL database of its own."
    parameters: ClassVar[type[Parameters]] = OdooParameters
    forms: ClassVar[frozenset[Form]] = frozenset({Form.CONTAINER})
    needs_database: ClassVar[bool] = True
    fixed: ClassVar[frozenset[str]] = frozenset({"port", "odoo_version", "database_name"})
    secret_params: ClassVar[frozenset[str]] = frozenset({"admin_password"})

    def new_secrets(self) -> Secrets:
        return Secrets(admin_password=secrets.token_urlsafe(24))

    def container_recipe(self, work: Work) -> ContainerRecipe:
        database = _database(work)
        return ContainerRecipe(
            image=work.params.get("image") or f"odoo:{work.params.get('odoo_version', DEFAULT_VERSION)}",
            environment={
                "HOST": database.host,
                "PORT": str(database.port),
                "USER": database.user,
                "DATABASE_NAME": database.name,
                "ADMIN_EMAIL": work.params["admin_email"],
            },
            secrets=Secrets(PASSWORD=database.password, ADMIN_PASSWORD=work.secrets["admin_password"]),
            port=PORT,
            health=HealthCheck("http", HEALTH_PATH),
            volumes={"filestore": PurePosixPath("/var/lib/odoo")},
            user=UID,
            stop_seconds=_STOP_SECONDS,
        )

    def probe(self, work: Work, timeout_seconds: float) -> None:
        http_probe.check(work, HEALTH_PATH, timeout_seconds)

    def endpoint(self, work: Work) -> str | None:
        return None if work.port is None else f"http://127.0.0.1:{work.port}/"


def _database(work: Work) -> DatabaseAccess:
    if work.database is None:
        raise ProviderError(
            ProviderErrorKind.INVALID,
            f"{work.name} has no database: none was allocated, or it was released; retry allocates one",
        )
    return work.database

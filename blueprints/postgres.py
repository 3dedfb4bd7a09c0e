"""Real PostgreSQL servers. Users get the database and role `app`; the superuser stays with Berth."""

from __future__ import annotations

import secrets
import signal
import time
from typing import ClassVar, Final, Literal
from urllib.parse import quote

from pydantic import Field

from blueprints import postgres_container, postgres_sql
from blueprints.base import BlueprintBase, Disruption, Parameters
from blueprints.kinds import RESTART, Image, host_port, on_forms
from blueprints.postgres_settings import PostgresSettings, as_configuration, same_value
from blueprints.postgres_sql import ADMIN, APP
from domain.errors import ProviderError, ProviderErrorKind
from domain.work import Call, Command, ContainerRecipe, Form, Home, ProcessRecipe, Secrets, Work

DEFAULT_VERSION: Final = 18
_INITDB_SECONDS = 60.0
_STOP_SECONDS = 20.0
_RELOAD_SECONDS, _RELOAD_STEP_SECONDS = 2.0, 0.02
# Only by password, only over the loopback interface: the two roles, and those of allocated databases in their own.
_HBA = f"""\
local all all reject
host all {ADMIN} 127.0.0.1/32 scram-sha-256
host {APP} {APP} 127.0.0.1/32 scram-sha-256
host sameuser all 127.0.0.1/32 scram-sha-256
host all all all reject
"""


class _OfTheServer(Parameters):
    version: Literal[16, 18] = Field(DEFAULT_VERSION, description="Major version; fixed for life")
    port: int | None = host_port()
    image: Image | None = Field(
        None,
        description="Container image that serves as postgres:VERSION does; by default that one",
        json_schema_extra=on_forms(RESTART, Form.CONTAINER),
    )


class PostgresParameters(PostgresSettings, _OfTheServer):
    """What a user may say of a PostgreSQL server."""


class PostgresBlueprint(BlueprintBase):
    name: ClassVar[str] = "postgres"
    title: ClassVar[str] = "PostgreSQL"
    description: ClassVar[str] = "A PostgreSQL server of its own, with database and role app."
    parameters: ClassVar[type[Parameters]] = PostgresParameters
    forms: ClassVar[frozenset[Form]] = frozenset({Form.PROCESS, Form.CONTAINER})
    fixed: ClassVar[frozenset[str]] = frozenset({"version", "port"})

    def new_secrets(self) -> Secrets:
        return Secrets(password=secrets.token_urlsafe(24), admin_password=secrets.token_urlsafe(24))

    def process_recipe(self, work: Work, home: Home) -> ProcessRecipe:
        version = work.params.get("version", DEFAULT_VERSION)
        configuration = home.conf / "postgresql.conf"
        return ProcessRecipe(
            runtime=f"postgresql-{version}",
            run=Command("postgres", ("-D", str(home.data), "-c", f"config_file={configuration}")),
            files={
                "postgresql.conf": _configuration(work, home, version),
                "pg_hba.conf": _HBA,
                "pg_ident.conf": "",
            },
            initialise=(_initdb(work, home, version),),
            stop_signal=signal.SIGINT,  # fast: sessions end, data is written
            stop_seconds=_STOP_SECONDS,
            reload_signal=signal.SIGHUP,
            abort_signal=signal.SIGQUIT,
            pid_file="postmaster.pid",
            free_disk_mb=200,
        )

    def container_recipe(self, work: Work) -> ContainerRecipe:
        return postgres_container.recipe(work, work.params.get("version", DEFAULT_VERSION))

    def prepare(self, work: Work, call: Call) -> None:
        """Make role and database `app` exist; every attempt of a create calls it before the probe."""
        call.guard()
        postgres_sql.prepare(work)

    def probe(self, work: Work, timeout_seconds: float) -> None:
        postgres_sql.probe(work, timeout_seconds)

    def needs_restart(self, work: Work) -> bool:
        """Compares the settings themselves: `pending_restart` is right only once the reload has been handled.

        A container is replaced by one that was started with the new settings: nothing is left to do.
        """
        if work.form is Form.CONTAINER:
            return False
        deadline = time.monotonic() + _RELOAD_SECONDS
        while differing := _differing(work):
            if any(self.disruption(name, None, work) is Disruption.RESTART for name in differing):
                return True
            if time.monotonic() > deadline:
                names = ", ".join(differing)
                raise ProviderError(ProviderErrorKind.NOT_READY, f"the server has not taken over {names} yet")
            time.sleep(_RELOAD_STEP_SECONDS)
        return False

    def endpoint(self, work: Work) -> str | None:
        return None if work.port is None else f"postgresql://{APP}@127.0.0.1:{work.port}/{APP}"

    def connection_uri(self, work: Work, address: str | None = None) -> str | None:
        reached = address if work.port is None else f"127.0.0.1:{work.port}"
        if reached is None:
            return None
        return f"postgresql://{APP}:{quote(work.secrets['password'], safe='')}@{reached}/{APP}"


def _differing(work: Work) -> list[str]:
    """The settings that the running server has otherwise than `work` says."""
    wanted = {
        name: field.default if work.params.get(name) is None else work.params[name]
        for name, field in PostgresSettings.model_fields.items()
        if name not in postgres_sql.OWN_SETTINGS
    }
    found = postgres_sql.settings(work, list(wanted))
    return [name for name, value in wanted.items() if not same_value(value, *found[name])]


def _initdb(work: Work, home: Home, version: int) -> Command:
    # Case and sorting by code point, the same on every host; 16 has no provider of its own for that.
    locale = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8") if version >= 18 else ()
    return Command(
        "initdb",
        (
            "-D",
            str(home.data),
            f"--username={ADMIN}",
            "--pwfile=/dev/stdin",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            *locale,
            "--data-checksums",
            "--no-instructions",
        ),
        stdin=work.secrets["admin_password"],
        timeout_seconds=_INITDB_SECONDS,
    )


def _configuration(work: Work, home: Home, version: int) -> str:
    """The whole file, so that a parameter that was taken back falls to the server's default."""
    fixed: dict[str, object] = {
        "data_directory": str(home.data),
        "hba_file": str(home.conf / "pg_hba.conf"),
        "ident_file": str(home.conf / "pg_ident.conf"),
        "listen_addresses": "127.0.0.1",
        "port": work.port,
        "unix_socket_directories": "",
        "cluster_name": work.instance_id,
        "password_encryption": "scram-sha-256",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "lc_messages": "C",
        "log_destination": "stderr",
        "logging_collector": False,
        "log_line_prefix": "%m [%p] %q%u@%d ",
        "dynamic_shared_memory_type": "posix",
    }
    if version >= 17:
        fixed["allow_alter_system"] = False  # what runs is what Berth shows
    chosen = {
        name: work.params[name] for name in PostgresSettings.model_fields if work.params.get(name) is not None
    }
    return "".join(as_configuration(name, value) + "\n" for name, value in {**fixed, **chosen}.items())

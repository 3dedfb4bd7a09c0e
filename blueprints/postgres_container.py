"""How a PostgreSQL server runs in a container: the official image, or one that takes the same environment.

One recipe serves where Berth can reach the server and where it cannot. The image's own initialisation yields role
and database `app` with its password, which is all that a user needs; the image has no way to make that role less
than the server's superuser, so in a container the server is the user's own, and the container is what confines
it. Where Berth reaches it, `postgres_sql.prepare` adds the administrator that rotates passwords.
"""

from __future__ import annotations

import signal
from pathlib import PurePosixPath

from blueprints.postgres_settings import PostgresSettings
from blueprints.postgres_sql import APP
from domain.work import ContainerRecipe, HealthCheck, Secrets, Work

PORT, UID = 5432, 999
STOP_SECONDS = 30.0
_FIRST_WITH_FOLDERS = 18


def recipe(work: Work, version: int) -> ContainerRecipe:
    """Settings are arguments: a container whose arguments have changed is replaced, and its data kept."""
    volume, data = _folders(version)
    return ContainerRecipe(
        image=work.params.get("image") or f"postgres:{version}",
        arguments=_arguments(work, version),
        environment={
            "POSTGRES_USER": APP,
            "POSTGRES_DB": APP,
            "POSTGRES_INITDB_ARGS": _initdb_arguments(version),
            "PGDATA": str(data),
        },
        secrets=Secrets(POSTGRES_PASSWORD=work.secrets["password"]),
        port=PORT,
        health=HealthCheck("tcp"),
        volumes={"data": volume},
        user=UID,
        stop_signal=signal.SIGINT,  # fast: sessions end, data is written
        stop_seconds=STOP_SECONDS,
    )


def _folders(version: int) -> tuple[PurePosixPath, PurePosixPath]:
    """Mount point and data directory: since 18 the official image keeps a folder for each major version.

    Never the mount point itself: a file system's `lost+found` would make initdb refuse.
    """
    root = PurePosixPath("/var/lib/postgresql")
    if version >= _FIRST_WITH_FOLDERS:
        return root, root / str(version) / "docker"
    return root / "data", root / "data" / "pgdata"


def _initdb_arguments(version: int) -> str:
    """As a server that runs as a process has it: sorting by code point, checksums, no login without a password."""
    locale = " --locale-provider=builtin --builtin-locale=C.UTF-8" if version >= _FIRST_WITH_FOLDERS else ""
    return f"--auth=scram-sha-256 --data-checksums --encoding=UTF8 --locale=C{locale}"


def _arguments(work: Work, version: int) -> tuple[str, ...]:
    fixed: dict[str, object] = {
        "listen_addresses": "*",
        "cluster_name": work.instance_id,
        "password_encryption": "scram-sha-256",
        "timezone": "UTC",
        "log_timezone": "UTC",
        # /dev/shm of a container holds 64 MB, and a parallel query that needs more would fail.
        "dynamic_shared_memory_type": "sysv",
    }
    if version >= _FIRST_WITH_FOLDERS:
        fixed["allow_alter_system"] = False  # what runs is what Berth shows
    chosen = {
        name: work.params[name] for name in PostgresSettings.model_fields if work.params.get(name) is not None
    }
    settings = [("-c", f"{name}={_text(value)}") for name, value in {**fixed, **chosen}.items()]
    return ("postgres", *(word for pair in settings for word in pair))


def _text(value: object) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)

"""`berth env`: what a shell needs to use the running Berth, Temporal and the records with their own tools."""

from __future__ import annotations

import shlex
from pathlib import Path

from embedded import cluster
from embedded.installation import Installation
from embedded.state import State
from settings import Settings
from system.postgres_runtime import PostgresRuntime


def link_programs(installation: Installation, temporal: Path | None, runtime: PostgresRuntime | None) -> None:
    """A folder for PATH on which `temporal` and `psql` are the ones that fit our own servers."""
    installation.bin.mkdir(mode=0o700, exist_ok=True)
    if temporal is not None and temporal.parent != installation.bin:
        _link(installation.bin / "temporal", temporal)
    if runtime is not None:
        _link(installation.bin / "psql", runtime.program("psql"))


def exports(installation: Installation, state: State, settings: Settings) -> dict[str, str]:
    """`settings` lead to what is not embedded: the user's own records, the user's own Temporal."""
    url = cluster.database_url(installation) if state.own_database else settings.database_url
    return {
        "BERTH_URL": state.url,
        "BERTH_TOKEN": installation.token_file.read_text().strip(),
        "DATABASE_URL": url.replace("postgresql+psycopg2://", "postgresql://"),
        "TEMPORAL_ADDRESS": state.temporal_address,
        "TEMPORAL_NAMESPACE": state.temporal_namespace,
        **({} if "temporal" in state.children else way_to_temporal(settings)),
    }


def way_to_temporal(settings: Settings) -> dict[str, str]:
    """TLS as the program `temporal` reads it from the environment, with the files that Berth itself uses."""
    files = {
        "TEMPORAL_TLS_SERVER_CA_CERT_PATH": settings.temporal_tls_ca,
        "TEMPORAL_TLS_CLIENT_CERT_PATH": settings.temporal_tls_cert,
        "TEMPORAL_TLS_CLIENT_KEY_PATH": settings.temporal_tls_key,
    }
    words = {
        "TEMPORAL_TLS": "true" if settings.temporal_tls else "",
        "TEMPORAL_TLS_SERVER_NAME": settings.temporal_tls_server_name,
        "TEMPORAL_API_KEY": settings.temporal_api_key.get_secret_value(),
    }
    given = words | {name: str(path.absolute()) for name, path in files.items() if path}
    return {name: value for name, value in given.items() if value}


def script(installation: Installation, values: dict[str, str]) -> str:
    """Lines for `eval`. PATH is extended, not replaced."""
    lines = [f"export {name}={shlex.quote(value)}" for name, value in values.items() if value]
    return "\n".join([*lines, f'export PATH={shlex.quote(str(installation.bin))}:"$PATH"'])


def _link(link: Path, target: Path) -> None:
    if link.is_symlink() and link.readlink() == target:
        return
    unfinished = link.with_name(f".{link.name}")
    unfinished.unlink(missing_ok=True)
    unfinished.symlink_to(target)
    unfinished.replace(link)

"""The only reader of the environment. One frozen `Settings`, built in the entry points and handed down.

Entry points: `worker.py`, `api/app.py` (its factory), `embedded/` (the supervisor) and `db/migrations/env.py`.
Nothing else reads an environment variable.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


def default_data_dir() -> Path:
    """The platform's per-user data directory for Berth."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "berth"
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "berth"


def psycopg2_url(url: str) -> str:
    """`postgres://` and `postgresql://` mean other drivers to SQLAlchemy 2.1; name ours."""
    for prefix in ("postgres://", "postgresql://"):
        if url.startswith(prefix):
            return "postgresql+psycopg2://" + url.removeprefix(prefix)
    return url


_TIMEOUTS = ("launch_seconds", "termination_seconds")
_ACCEPT_IDENTITY = "accept_identity"
_OF_EVERY_PROVIDER = frozenset({*_TIMEOUTS, _ACCEPT_IDENTITY})


def _given(provider: str) -> dict[str, str]:
    prefix = f"BERTH_{provider.upper()}_"
    return {k.removeprefix(prefix).lower(): v for k, v in os.environ.items() if k.startswith(prefix)}


def _seconds(provider: str, key: str, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= 86_400:
        raise ValueError(
            f"BERTH_{provider.upper()}_{key.upper()}={text} must be a number of seconds from 1 to 86400"
        )
    return seconds


class Settings(BaseSettings):
    """Every knob of a Berth process. Times are seconds."""

    model_config = SettingsConfigDict(env_prefix="BERTH_", frozen=True, extra="ignore")

    data_dir: Path = Field(default_factory=default_data_dir)
    database_url: str = Field(default="", validation_alias="DATABASE_URL")
    temporal_address: str = Field(default="127.0.0.1:7233", validation_alias="TEMPORAL_ADDRESS")
    temporal_namespace: str = Field(default="default", validation_alias="TEMPORAL_NAMESPACE")
    temporal_ui_url: str = ""
    temporal_fresh: bool = False
    """`berth up` has just made this Temporal database: its new namespace id needs no acknowledgement."""
    temporal_cli: str = ""
    """The Temporal program for `berth up`; empty: look for it on PATH and in the cache, else get it."""
    cache_dir: Path = Field(default_factory=lambda: Path.home() / ".cache" / "berth")
    api_host: str = "127.0.0.1"
    api_port: int = 8000
    ui_dir: Path = Path(__file__).parent / "ui" / "dist"
    """The built web interface; where there is none, the API serves none."""
    allowed_hosts: str = ""
    """Host names, separated by commas, under which the API is reached beside the loopback names."""
    local_mode: bool = True
    """Fault injection and `params.simulate` exist only in local mode."""

    instance_root: Path | None = None
    """Where instances of `process` live: another OS user must be able to reach it."""
    port_first: int = 15000
    port_last: int = 15999

    shared_database_url: SecretStr = SecretStr("")
    """For the worker: a PostgreSQL server, as its administrator, on which deployments get shared databases."""

    odoo_provider: str = ""
    """Where `POST /instances` at the root makes an Odoo; empty: docker or kubernetes, as they are there."""

    park_seconds: float = 3600.0
    """How long the run of a failed operation listens for `retry`; 0 closes it at once."""
    keeper_interval_seconds: float = 1.0
    gone_look_seconds: float = 5.0
    """Distance between the two looks that must agree before a run counts as gone."""
    run_hold_seconds: float = 10.0
    """A run that did not close by itself keeps its lock this long: heartbeat time-out + longest call."""
    cancel_grace_seconds: float = 30.0
    """A cancelled or overdue run that has not closed by then (plus its clean-up) is terminated."""
    log_level: str = "INFO"
    agent_name: str = ""
    """How people see this worker; unique among those that live. Empty: the machine's name and the host's id."""

    def provider_options(self, name: str) -> dict[str, str]:
        """The `BERTH_<NAME>_*` variables that only this provider knows, in lower case without that prefix."""
        return {key: value for key, value in _given(name).items() if key not in _OF_EVERY_PROVIDER}

    def provider_timeouts(self, name: str) -> dict[str, float]:
        """`BERTH_<NAME>_LAUNCH_SECONDS` and `_TERMINATION_SECONDS`, where they are set."""
        given = _given(name)
        return {key: _seconds(name, key, given[key]) for key in _TIMEOUTS if given.get(key)}

    def accepted_identity(self, name: str) -> str | None:
        """`BERTH_<NAME>_ACCEPT_IDENTITY`: the place that an operator acknowledges as the provider from now on."""
        return _given(name).get(_ACCEPT_IDENTITY) or None

    @field_validator("database_url")
    @classmethod
    def _with_driver(cls, url: str) -> str:
        return psycopg2_url(url)

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        return path.expanduser().absolute()

"""The only reader of the environment. One frozen `Settings`, built in the entry points and handed down.

Entry points: `worker.py`, `api/app.py` (its factory), `embedded/` (the supervisor) and `db/migrations/env.py`.
Nothing else reads an environment variable.
"""

from __future__ import annotations

import os
import sys
from ipaddress import ip_network
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


_ADDRESS = r"^([A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\]):[0-9]{1,5}$|^$"
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


_ISSUER = r"^(https://[^\s?#]+|http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?(/[^\s?#]*)?)?$"
_ALGORITHMS = r"^(RS256|ES256|EdDSA)(,(RS256|ES256|EdDSA))*$"


class Settings(BaseSettings):
    """Every knob of a Berth process. Times are seconds."""

    model_config = SettingsConfigDict(env_prefix="BERTH_", frozen=True, extra="ignore")

    data_dir: Path = Field(default_factory=default_data_dir)
    database_url: str = Field(default="", validation_alias="DATABASE_URL")
    temporal_address: str = Field(default="127.0.0.1:7233", validation_alias="TEMPORAL_ADDRESS")
    temporal_namespace: str = Field(default="default", validation_alias="TEMPORAL_NAMESPACE")
    temporal_tls: bool = False
    """Reach Temporal with TLS. Any of the settings below implies it."""
    temporal_tls_ca: Path | None = None
    """PEM file of the authorities that its certificate may come from; none: those of the system."""
    temporal_tls_cert: Path | None = None
    """PEM file of our certificate, with `temporal_tls_key`: mutual TLS."""
    temporal_tls_key: Path | None = None
    temporal_tls_server_name: str = ""
    """The name in its certificate, where it is not the host of the address."""
    temporal_api_key: SecretStr = SecretStr("")
    """Sent as a bearer token, by TLS alone."""
    temporal_ui_url: str = ""
    temporal_fresh: bool = False
    """`berth up` has just made this Temporal database: its new namespace id needs no acknowledgement."""
    temporal_cli: str = ""
    """The Temporal program for `berth up`; empty: look for it on PATH and in the cache, else get it."""
    cache_dir: Path = Field(default_factory=lambda: Path.home() / ".cache" / "berth")
    api_host: str = "127.0.0.1"
    api_port: int = 8000
    public_url: str = ""
    """Where people reach the API and the web interface: for links back from Temporal. Empty: no such links."""
    ui_dir: Path = Path(__file__).parent / "ui" / "dist"
    """The built web interface; where there is none, the API serves none."""
    allowed_hosts: str = ""
    """Host names, separated by commas, under which the API is reached beside the loopback names."""
    trusted_proxies: str = ""
    """Addresses or networks, separated by commas, of proxies whose X-Forwarded-For and -Proto are believed.

    Empty: nobody's.
    """
    local_mode: bool = True
    """Fault injection and `params.simulate` exist only in local mode."""

    access: str = Field(default="", pattern="^(|local|tokens|oidc)$")
    """Who is believed: `local` the token of the data directory, `tokens` API tokens too, `oidc` an issuer's, too.

    Empty: `oidc` where an issuer is named, else `local`, which never listens beyond the loopback.
    """
    oidc_issuer: str = Field(default="", pattern=_ISSUER)
    oidc_audience: str = "berth"
    oidc_algorithms: str = Field(default="RS256,ES256,EdDSA", pattern=_ALGORITHMS)
    oidc_name_claim: str = "sub"
    oidc_role_claim: str = "roles"
    """Dots lead into objects: `realm_access.roles`."""
    oidc_roles: str = Field(default="viewer=viewer,operator=operator,admin=admin,service=service")
    """`VALUE=ROLE` pairs: which value of the role claim makes what here. The strongest counts."""
    oidc_project_claim: str = "projects"
    """Empty: everybody belongs to `default`."""

    rate_reads: int = Field(default=60_000, ge=1)
    """Reads a minute of one principal, over all API processes."""
    rate_writes: int = Field(default=12_000, ge=1)
    rate_actions: int = Field(default=3_000, ge=1)
    """How often a minute one principal may ask for one kind of operation on one deployment."""
    rate_strangers: int = Field(default=1_200, ge=1)
    """Requests a minute without a valid token, of one address and one API process."""
    limit_instances: int = Field(default=-1, ge=-1)
    """What one project may have at once, unless its own limits say otherwise; -1: no limit."""
    limit_cpu: float = Field(default=-1, ge=-1)
    limit_memory_mb: int = Field(default=-1, ge=-1)
    limit_disk_gb: int = Field(default=-1, ge=-1)
    limit_unfinished_operations: int = Field(default=-1, ge=-1)
    limit_sockets: int = Field(default=2_000, ge=-1)
    """Live streams of one project, over all API processes."""
    low_disk_mb: int = Field(default=200, ge=0)
    """With less room in the data directory nothing new is accepted but what makes room."""

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
    monitor: bool = True
    """Whether this worker observes what it can reach; where none does, every health reads as unknown."""
    gone_look_seconds: float = 5.0
    """Distance between the two looks that must agree before a run counts as gone."""
    run_hold_seconds: float = 10.0
    """A run that did not close by itself keeps its lock this long: heartbeat time-out + longest call."""
    cancel_grace_seconds: float = 30.0
    """A cancelled or overdue run that has not closed by then (plus its clean-up) is terminated."""
    log_level: str = "INFO"
    log_form: str = Field(default="auto", pattern="^(auto|json|console)$")
    """`console`: lines for people; auto: those on a terminal, else one JSON object a line."""
    otlp_endpoint: str = ""
    """Base address of an OpenTelemetry collector (OTLP over HTTP); empty: traces are kept in the records alone."""
    worker_metrics: str = Field(default="", pattern=_ADDRESS)
    """`HOST:PORT` where a worker serves `/metrics`, without a token: a loopback address. Empty: nowhere."""
    temporal_metrics: str = Field(default="", pattern=_ADDRESS)
    """`HOST:PORT` where a worker serves the metrics of Temporal's SDK. Empty: nowhere."""

    keep_idempotency_hours: float = Field(default=48, gt=0)
    keep_deliveries_days: float = Field(default=30, gt=0)
    keep_events_days: float = Field(default=90, gt=0)
    keep_history_days: float = Field(default=400, gt=0)
    """Finished operations, finished lives and the audit."""
    keep_traces_days: float = Field(default=7, gt=0)
    purge_seconds: float = Field(default=60, gt=0)
    """How often what is too old is looked for."""
    purge_batch: int = Field(default=1000, ge=1, le=10_000)
    """Most rows of one table that one look removes."""

    billing_secrets: SecretStr = SecretStr("")
    """Verify what billing sends: one or more of `whsec_` and base64, separated by commas; the old one stays in the
    list while a new one is introduced. Empty: every delivery is refused."""
    billing_delete_after_days: float = Field(default=30, ge=0, le=3650)
    """A suspension for want of payment is followed by a delete after so long; 0: never."""

    notify_url: str = Field(default="", pattern=r"^(https?://\S+)?$")
    """Where signed notifications go (instance ready, failed, operation stuck). Empty: nowhere."""
    notify_secret: SecretStr = SecretStr("")
    """Signs them: `whsec_` and base64, as Standard Webhooks has it."""
    notify_attempts: int = Field(default=10, ge=1, le=50)
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

    @property
    def access_mode(self) -> str:
        """`local`, `tokens` or `oidc`."""
        return self.access or ("oidc" if self.oidc_issuer else "local")

    @field_validator("database_url")
    @classmethod
    def _with_driver(cls, url: str) -> str:
        return psycopg2_url(url)

    @field_validator("trusted_proxies")
    @classmethod
    def _named_proxies(cls, text: str) -> str:
        """Without spaces. Each is an address: whoever is believed chooses what the audit trail has of them."""
        names = [part.strip() for part in text.split(",")] if text.strip() else []
        for name in names:
            try:
                everybody = ip_network(name).prefixlen == 0
            except ValueError as error:
                raise ValueError(f"BERTH_TRUSTED_PROXIES: {name!r} is no IP address or network: {error}") from None
            if everybody:
                raise ValueError(f"BERTH_TRUSTED_PROXIES: {name} is everybody; name the proxies")
        return ",".join(names)

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        return path.expanduser().absolute()

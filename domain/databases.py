"""Words and names of database allocation: modes, states, what steps do, and what a database may be called."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

from domain.limits import NAME_LENGTH


class DatabaseMode(StrEnum):
    """Whether a deployment gets a server of its own or a database on a common one."""

    SHARED = "shared"
    DEDICATED = "dedicated"


class AllocationState(StrEnum):
    """How far an allocation has come. Rotating: its server may still have the former password."""

    PENDING = "pending"
    READY = "ready"
    ROTATING = "rotating"
    RELEASING = "releasing"


class Purpose(StrEnum):
    """What Berth makes a deployment for by itself."""

    DEDICATED = "dedicated-database"
    SHARED = "shared-database"


class DatabaseStep(StrEnum):
    """The steps of an operation that are about the deployment's database."""

    ALLOCATE = "allocate"
    RELEASE = "release"


SHARED_SERVER = "shared-postgres"
DEFAULT_MODE = DatabaseMode.DEDICATED
_SERVER_SUFFIX = "-db"
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,62}\Z")
_NEVER = frozenset({"postgres", "template0", "template1", "app", "berth_admin", "public", "none"})
_UNIQUE = 8
_FORM = (
    "must look like postgresql://admin:password@host:5432/postgres, with %-codes for /, @, : and # in the password"
)


def server_name(consumer: str) -> str:
    """The name of the server that only `consumer` uses."""
    return consumer + _SERVER_SUFFIX


def consumer_name(server: str) -> str | None:
    """Whose dedicated server has this name, if a server's it is."""
    found = server.removesuffix(_SERVER_SUFFIX)
    return found if found and found != server else None


def database_names(consumer: str, deployment_id: str, wished: str | None) -> list[str]:
    """What its database on a shared server may be called, best first; the last one nobody else has."""
    plain = consumer.replace("-", "_")
    names = [wished] if wished else []
    names += [plain, f"{plain[: NAME_LENGTH - _UNIQUE - 1]}_{deployment_id[-_UNIQUE:]}"]
    return [name for name in dict.fromkeys(names) if _is_usable(name)]


def _is_usable(name: str) -> bool:
    return _PLAIN.match(name) is not None and name.lower() not in _NEVER and not name.lower().startswith("pg_")


@dataclass(frozen=True)
class ServerAddress:
    """Where a PostgreSQL server is reached, without any credentials."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    @classmethod
    def read(cls, text: str) -> ServerAddress:
        """What `str` made of one."""
        host, _, port = text.rpartition(":")
        return cls(host, int(port))

    @property
    def is_loopback(self) -> bool:
        """Whether it leads every machine, and every container, to itself."""
        if self.host.lower().rstrip(".") == "localhost":
            return True
        try:
            found = ip_address(self.host)
        except ValueError:
            return False
        return found.is_loopback or found.is_unspecified


def address_of(url: str) -> ServerAddress:
    """Host and port in the URL of a server. Raises `ValueError`, which quotes nothing of it."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # its words hold what stands where the port should: with a "/" in it, the password
        raise ValueError(_FORM) from None
    if parts.scheme not in {"postgres", "postgresql"} or not parts.hostname:
        raise ValueError(_FORM)
    return ServerAddress(unquote(parts.hostname), port or 5432)

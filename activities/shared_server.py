"""The PostgreSQL server that is configured for shared databases, as its administrator logs in to it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

from activities.database_sql import Administrator
from domain.databases import ServerAddress, address_of


@dataclass(frozen=True)
class SharedServer:
    """The server of `BERTH_SHARED_DATABASE_URL`, with its administrator's credentials."""

    address: ServerAddress
    administrator: Administrator

    @classmethod
    def of(cls, url: str) -> SharedServer | None:
        """None without a URL. Raises `ValueError`, which quotes nothing of it."""
        if not url:
            return None
        address, parts = address_of(url), urlsplit(url)
        if not parts.username:
            raise ValueError("must name the administrator that makes databases and roles")
        return cls(
            address,
            Administrator(
                address.host,
                address.port,
                unquote(parts.username),
                unquote(parts.password or ""),
                unquote(parts.path.lstrip("/")) or "postgres",
                tuple(parse_qsl(parts.query)),
            ),
        )

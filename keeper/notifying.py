"""Sends notifications: signed, with a time-out, to one address that the operator has set, and nowhere else.

No redirect is followed. The name is resolved first, a link-local address (where clouds keep their credentials) is
refused, and the connection goes to the very address that was looked at.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx2
import structlog
from standardwebhooks.webhooks import Webhook

from db.models import Notification
from db.session import Database
from services.upkeep.notices import due, sent

log = structlog.get_logger("keeper")
_AT_ONCE = 8
_SECONDS = 5.0
_FAULT_LENGTH = 200


class RefusedTargetError(Exception):
    """The address must not be asked."""


def safe_address(host: str, port: int) -> str:
    """The first address of `host`. Raises `RefusedTargetError` where any is one that nobody means to notify."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise RefusedTargetError(f"its name does not resolve ({error.strerror})") from None
    except (UnicodeError, OverflowError):
        raise RefusedTargetError(f"{host!r} and port {port} are no address") from None
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    for address in addresses:
        plain = getattr(address, "ipv4_mapped", None) or address
        if plain.is_link_local or plain.is_multicast or plain.is_unspecified:
            raise RefusedTargetError(f"{plain} is no address to notify")
    return str(addresses[0])


@dataclass(frozen=True)
class Notifier:
    """Built by the worker where an address is set."""

    database: Database
    url: str
    webhook: Webhook
    attempts: int = 10

    @classmethod
    def of(cls, database: Database, url: str, secret: str, attempts: int) -> Notifier | None:
        """None without an address. Raises `ValueError` for a secret that cannot sign."""
        if not url:
            return None
        try:
            return cls(database, url, Webhook(secret), attempts)
        except (RuntimeError, ValueError):
            raise ValueError("BERTH_NOTIFY_SECRET must be `whsec_` and base64, beside BERTH_NOTIFY_URL") from None

    async def send_due(self) -> bool:
        """Send what waits; whether there may be more at once."""
        rows = await asyncio.to_thread(self._due)
        if not rows:
            return False
        places = asyncio.Semaphore(_AT_ONCE)
        async with httpx2.AsyncClient(timeout=_SECONDS, follow_redirects=False, trust_env=False) as client:
            await asyncio.gather(*(self._deliver(client, row, places) for row in rows))
        return len(rows) == 2 * _AT_ONCE

    def _due(self) -> Sequence[Notification]:
        with self.database.begin() as tx:
            return due(tx, 2 * _AT_ONCE)

    async def _deliver(self, client: httpx2.AsyncClient, row: Notification, places: asyncio.Semaphore) -> None:
        async with places:
            fault = await self._fault(client, row.id, row.payload)
        if fault is not None:
            log.warning("notification not delivered", notification=row.id, attempt=row.attempts + 1, why=fault)
        await asyncio.to_thread(self._sent, row.id, fault)

    async def _fault(self, client: httpx2.AsyncClient, message_id: str, payload: dict[str, Any]) -> str | None:
        """Post it; why that did not work. 2xx alone counts as delivered."""
        body = json.dumps(payload, separators=(",", ":"))
        now = datetime.now(UTC)
        target = httpx2.URL(self.url)
        headers = {
            "Content-Type": "application/json",
            "Host": target.netloc.decode(),
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self.webhook.sign(message_id, now, body),
        }
        try:
            async with asyncio.timeout(2 * _SECONDS):
                port = target.port or (443 if target.scheme == "https" else 80)
                address = await asyncio.to_thread(safe_address, target.host, port)
                extensions = {"sni_hostname": target.host}
                place = target.copy_with(host=address)
                async with client.stream(
                    "POST", place, content=body, headers=headers, extensions=extensions
                ) as answer:
                    return None if answer.is_success else f"answered {answer.status_code}"
        except RefusedTargetError as refused:
            return str(refused)[:_FAULT_LENGTH]
        except Exception as error:  # noqa: BLE001 - whatever an address or a receiver does is one failed attempt
            return f"no answer ({type(error).__name__})"

    def _sent(self, message_id: str, fault: str | None) -> None:
        with self.database.begin() as tx:
            sent(tx, message_id, fault, self.attempts)

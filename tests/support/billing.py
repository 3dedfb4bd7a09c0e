"""A billing system that signs what it sends, and strangers who do not know how."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2

NEW_SECRET = "whsec_" + base64.b64encode(b"n" * 32).decode()
OLD_SECRET = "whsec_" + base64.b64encode(b"o" * 32).decode()
OTHER_SECRET = "whsec_" + base64.b64encode(b"x" * 32).decode()
PATH = "/api/v1/webhooks/billing"
_NUMBERS = itertools.count(1)


def signature(secret: str, webhook_id: str, timestamp: str, body: bytes) -> str:
    """As Standard Webhooks signs, written out: the tests must not believe the library that they test."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = webhook_id.encode() + b"." + timestamp.encode() + b"." + body
    return "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()


def ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


@dataclass
class Sender:
    """Sends through a client without any bearer token."""

    url: str
    secret: str = NEW_SECRET
    sent: Iterator[int] = field(default_factory=lambda: _NUMBERS)

    def new_id(self) -> str:
        return f"msg_{next(self.sent)}"

    def payload(self, kind: str, at: datetime | None = None, **data: str) -> bytes:
        moment = (at or datetime.now(UTC)).isoformat()
        return json.dumps({"type": kind, "timestamp": moment, "data": data}).encode()

    def tell(
        self, kind: str, at: datetime | None = None, webhook_id: str | None = None, **data: str
    ) -> httpx2.Response:
        """A signed delivery of a fact that happened at `at`."""
        return self.send(self.payload(kind, at, **data), webhook_id)

    def send(
        self, body: bytes, known_as: str | None = None, sent_at: datetime | None = None, **headers: Any
    ) -> httpx2.Response:
        name = known_as or self.new_id()
        timestamp = str(int((sent_at or datetime.now(UTC)).timestamp()))
        given = {
            "webhook-id": name,
            "webhook-timestamp": timestamp,
            "webhook-signature": signature(self.secret, name, timestamp, body),
            "content-type": "application/json",
        }
        given |= {key.replace("_", "-"): value for key, value in headers.items()}
        wanted = {key: value for key, value in given.items() if value is not None}
        return httpx2.post(self.url + PATH, content=body, headers=wanted, timeout=30, trust_env=False)

    def verdict(self, answer: httpx2.Response) -> str:
        assert answer.status_code == 200, answer.text
        return str(answer.json()["verdict"])

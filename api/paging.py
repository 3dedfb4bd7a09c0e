"""Page tokens: opaque, signed, and good only for the list and the filter that they were given for."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from api.errors import BadPageToken
from db.queries.pages import Position
from db.vault import Vault

DEFAULT_SIZE = 50
LARGEST_SIZE = 200


@dataclass(frozen=True)
class Pages:
    """Tokens of one list under one filter."""

    vault: Vault
    list_name: str
    filters: Any

    def token(self, place: dict[str, Any] | None) -> str | None:
        """The token that leads to `place`; None at the end."""
        if place is None:
            return None
        payload = json.dumps(place, separators=(",", ":"), sort_keys=True)
        return sealed(self.vault, "page", self.list_name, self._filter_hash(), payload=payload)

    def place(self, token: str | None) -> dict[str, Any] | None:
        """The place that `token` leads to. Raises `BadPageToken`."""
        if token is None:
            return None
        payload = opened(self.vault, "page", self.list_name, self._filter_hash(), token=token)
        if payload is None:
            raise BadPageToken("page_token is not of this list with this filter; start again without it.")
        place: dict[str, Any] = json.loads(payload)
        return place

    def _filter_hash(self) -> str:
        return hashlib.sha256(repr(self.filters).encode()).hexdigest()


def sealed(vault: Vault, *bound_to: str, payload: str) -> str:
    """`payload` with our signature over it and what it is bound to."""
    signature = vault.sign(*bound_to, payload)
    return base64.urlsafe_b64encode(f"{signature}.{payload}".encode()).decode().rstrip("=")


def opened(vault: Vault, *bound_to: str, token: str) -> str | None:
    """The payload of a token that is ours and bound to the same; else None."""
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    except ValueError:
        return None
    signature, _, payload = text.partition(".")
    return payload if signature.isascii() and vault.verify(signature, *bound_to, payload) else None


def as_place(position: Position | None) -> dict[str, Any] | None:
    """A keyset position as a token holds it."""
    if position is None:
        return None
    value = position.value
    return {"i": position.id} | ({"t": value.isoformat()} if isinstance(value, datetime) else {"v": value})


def as_position(place: dict[str, Any] | None) -> Position | None:
    """And back."""
    if place is None:
        return None
    return Position(datetime.fromisoformat(place["t"]) if "t" in place else place["v"], place["i"])


def page_form(items: list[dict[str, Any]], next_token: str | None, **more: Any) -> dict[str, Any]:
    """A list's envelope; `next_page_token` is absent at the end."""
    return {"items": items, **more, **({"next_page_token": next_token} if next_token else {})}

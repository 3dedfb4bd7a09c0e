"""Whether a webhook was signed by one of our secrets (Standard Webhooks), whatever a stranger sends instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from standardwebhooks import Webhook

from domain.errors import Refused

_LONGEST_ID = 255
_SHORTEST_SECRET = 16


class NotSigned(Refused):
    """No secret of ours signed it, or too long ago."""

    code = "not-signed"


@dataclass(frozen=True)
class Signatures:
    """The secrets that are valid now; several while one replaces another."""

    webhooks: Sequence[Webhook] = field(repr=False)

    @classmethod
    def of(cls, secrets: str) -> Signatures:
        """From `whsec_…` secrets, separated by commas. Raises `ValueError`, which does not show them."""
        found = []
        for number, secret in enumerate(filter(None, (part.strip() for part in secrets.split(","))), 1):
            try:
                webhook = Webhook(secret)
            except Exception:  # noqa: BLE001 - a bad secret makes the library raise many things; none may show it
                raise ValueError(f"billing secret {number} is not whsec_ and base64") from None
            if len(webhook._whsecret) < _SHORTEST_SECRET:
                raise ValueError(f"billing secret {number} is shorter than {_SHORTEST_SECRET} bytes")
            found.append(webhook)
        return cls(tuple(found))

    def verified(self, raw: bytes, headers: Mapping[str, str]) -> str:
        """The id of the delivery whose raw body and headers these are. Raises `NotSigned`."""
        given = {name: headers.get(name, "") for name in ("webhook-id", "webhook-timestamp", "webhook-signature")}
        name = given["webhook-id"]
        if 1 <= len(name) <= _LONGEST_ID and name.isascii() and name.isprintable():
            for webhook in self.webhooks:
                if _signed(webhook, raw, given):
                    return name
        raise NotSigned("The signature is missing, is not of a secret known here, or is older than 5 minutes.")


def _signed(webhook: Webhook, raw: bytes, headers: dict[str, str]) -> bool:
    try:
        webhook.verify(raw, headers, json_parse=False)
    except Exception:  # noqa: BLE001 - hostile input makes the library raise ValueError and more: all of it means no
        return False
    return True

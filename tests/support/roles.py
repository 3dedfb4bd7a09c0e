"""The role that the API of `berth up` has in its records."""

from __future__ import annotations

from db.grants import ROLE


def as_application(url: str) -> str:
    """The same database, not as its owner."""
    return url.replace("//berth@", f"//{ROLE}@")

"""Times as programs outside say them: with a zone, and such as a database can keep. For fields of models."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, Field


def _in_utc(when: datetime) -> datetime:
    if when.tzinfo is None:
        raise ValueError("must say its time zone, as in 2026-12-03T14:00:00Z")
    try:
        return when.astimezone(UTC)
    except OverflowError:
        raise ValueError("lies outside the years 1 to 9999 of UTC") from None


Moment = Annotated[datetime, Field(strict=False), AfterValidator(_in_utc)]

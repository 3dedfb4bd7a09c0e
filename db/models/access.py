"""Who may ask: codes that stand for a principal for a moment."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base


class OneTimeCode(Base):
    """A code that can be given once. Only its digest is kept."""

    __tablename__ = "one_time_codes"
    digest: Mapped[str] = mapped_column(primary_key=True)
    purpose: Mapped[str]
    principal: Mapped[str]
    project: Mapped[str]
    expires_at: Mapped[datetime]

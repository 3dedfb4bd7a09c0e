"""What billing sent, and what became of it."""

from __future__ import annotations

from datetime import datetime

from pydantic import ConfigDict

from api.schemas.base import Form
from domain.billing import SubjectKind, Verdict


class DeliveryAnswer(Form):
    """To whoever delivered it. `duplicate`: it was here before, and this was its verdict."""

    id: str
    webhook_id: str
    verdict: Verdict
    detail: str | None
    duplicate: bool


class Delivery(Form):
    """One delivery."""

    model_config = ConfigDict(title="WebhookDelivery")

    id: str
    webhook_id: str
    type: str
    subject: str | None
    subject_kind: SubjectKind | None
    project: str | None
    occurred_at: datetime
    received_at: datetime
    verdict: Verdict
    detail: str | None
    operation_id: str | None


class DeliveryList(Form):
    """A page, newest first."""

    items: list[Delivery]
    next_page_token: str | None = None

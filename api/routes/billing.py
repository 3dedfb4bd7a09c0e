"""What billing tells: received by its signature alone, listed and replayed by administrators."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from api import schemas
from api.access import needs
from api.answers import ok
from api.changes.transactions import commit
from api.dependencies import PartsDep
from api.docs import takes
from api.errors import BadRequest
from api.gate.signed import MAX_BYTES, signatures
from api.paging import DEFAULT_SIZE, LARGEST_SIZE, Pages, as_place, as_position, page_form
from api.problems import problem
from api.reading import printable_key
from db.models import WebhookDelivery
from db.queries import deliveries
from domain.access import Right
from domain.billing import SubjectKind, Verdict
from services.billing.messages import Judgement, Message, receive, replay
from services.forms.moments import Moment
from services.views.common import iso

router = APIRouter(tags=["billing"])
_DETAIL = 300
Word = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


class BillingData(BaseModel):
    """Whom it is about: the narrowest that is named counts. `project`: where a name lives, absent `default`."""

    model_config = ConfigDict(extra="ignore", strict=True)

    customer_id: Word | None = None
    deployment_id: Word | None = Field(None, description="Id or name.")
    instance_id: Word | None = Field(None, description="Id or name.")
    project: Word | None = None

    @model_validator(mode="after")
    def _somebody(self) -> BillingData:
        if self.subject is None:
            raise ValueError("name customer_id, deployment_id or instance_id")
        return self

    @property
    def subject(self) -> tuple[SubjectKind, str] | None:
        """The narrowest one named."""
        named = {
            SubjectKind.INSTANCE: self.instance_id,
            SubjectKind.DEPLOYMENT: self.deployment_id,
            SubjectKind.CUSTOMER: self.customer_id,
        }
        return next(((kind, word) for kind, word in named.items() if word is not None), None)


class BillingPayload(BaseModel):
    """A Standard Webhooks payload. Further fields are ignored."""

    model_config = ConfigDict(extra="ignore", strict=True)

    type: Word = Field(examples=["payment.failed"])
    timestamp: Moment = Field(description="When it happened; decides which of two stands.")
    data: BillingData


@router.post(
    "/webhooks/billing",
    operation_id="webhooks_billing",
    response_model=schemas.DeliveryAnswer,
    openapi_extra=takes(BillingPayload),
)
async def billing(parts: PartsDep, request: Request) -> Response:
    """Standard Webhooks. The signature is the access; 2xx means that it is stored, and applied or of no effect."""
    raw = await request.body()
    if len(raw) > MAX_BYTES:
        return problem(413, "too-large", f"A delivery may have at most {MAX_BYTES // 1024} KiB.")
    webhook_id = signatures(parts.settings.billing_secrets).verified(raw, request.headers)
    message = _message(webhook_id, raw)
    found = await run_in_threadpool(lambda: commit(parts.database, lambda tx: receive(tx, message)))
    if found.verdict is Verdict.REFUSED:
        raise BadRequest(f"The delivery is refused: {found.detail}.")
    return ok(_answer(webhook_id, found))


def _message(webhook_id: str, raw: bytes) -> Message:
    """What a signed body says. Raises `BadRequest` without quoting it."""
    try:
        payload = BillingPayload.model_validate(json.loads(raw))
    except ValidationError as error:
        places = ", ".join(sorted({"/" + "/".join(map(str, e["loc"])) for e in error.errors()}))
        raise BadRequest(f"The payload is not of the form that is known here: see {places}"[:_DETAIL]) from None
    except (RecursionError, ValueError):
        raise BadRequest("The payload is signed and is not JSON in UTF-8.") from None
    assert payload.data.subject is not None
    kind, subject = payload.data.subject
    return Message(webhook_id, payload.type, payload.timestamp, kind, subject, payload.data.project)


def _answer(webhook_id: str, found: Judgement) -> dict[str, Any]:
    return {
        "id": found.id,
        "webhook_id": webhook_id,
        "verdict": found.verdict.value,
        "detail": found.detail,
        "duplicate": found.duplicate,
    }


@router.get(
    "/webhooks",
    operation_id="webhooks_list",
    response_model=schemas.DeliveryList,
    dependencies=[needs(Right.ADMIN)],
)
def list_(
    parts: PartsDep,
    page_size: Annotated[int, Query(ge=1, le=LARGEST_SIZE)] = DEFAULT_SIZE,
    page_token: Annotated[str | None, Query(max_length=2000)] = None,
    verdict: Verdict | None = None,
) -> Response:
    """What was delivered and verified, newest first."""
    pages = Pages(parts.vault, "webhooks", verdict)
    after = as_position(pages.place(page_token))
    with parts.database.read() as session:
        rows, position = deliveries.page(session, verdict, after, page_size)
        items = [_form(row) for row in rows]
    return ok(page_form(items, pages.token(as_place(position))))


@router.post(
    "/webhooks/{delivery_id}/replay",
    operation_id="webhooks_replay",
    response_model=schemas.Delivery,
    dependencies=[needs(Right.ADMIN)],
)
def replay_(parts: PartsDep, delivery_id: str) -> Response:
    """Judge a delivery again, by the time that it had. Harmless: what is newer stands."""
    key = printable_key(delivery_id, "delivery")
    commit(parts.database, lambda tx: replay(tx, key))
    with parts.database.read() as session:
        return ok(_form(session.get_one(WebhookDelivery, key)))


def _form(row: Any) -> dict[str, Any]:
    plain = ("id", "webhook_id", "type", "subject", "project", "detail", "operation_id")
    return {
        **{name: getattr(row, name) for name in plain},
        "subject_kind": row.subject_kind.value if row.subject_kind else None,
        "verdict": row.verdict.value,
        "occurred_at": iso(row.occurred_at),
        "received_at": iso(row.received_at),
    }

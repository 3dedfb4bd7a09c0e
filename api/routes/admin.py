"""Figures for operators, and the older form of retry."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from starlette.responses import JSONResponse

from api import schemas
from api.access import needs
from api.answers import ok
from api.changes.commands import on_instance
from api.changes.doors import Wish
from api.dependencies import AskDep, CallerDep, PartsDep, now
from api.problems import problem
from api.reading import find_instance
from db.models import Instance
from db.queries import figures, instances, measuring, operations
from db.queries.instances import InstanceFilter
from db.queries.operations import OperationFilter
from domain.access import Right
from domain.lifecycle import BillingStatus, Operation, ProvisioningStatus, Status
from services.operations.acceptance import replayed
from services.views.operations import href
from services.views.statistics import statistics_form

router = APIRouter(tags=["admin"])
retry_router = APIRouter(tags=["admin"])
"""The retry alone: it has one more address."""


@router.get(
    "/admin/stats",
    operation_id="admin_stats",
    response_model=schemas.Statistics,
    dependencies=[needs(Right.ADMIN)],
)
def stats(request: Request, parts: PartsDep, caller: CallerDep) -> Response:
    """Counts for every status, zeros included; durations; failures; what waits; the last 24 hours by hour."""
    project = caller.project
    with parts.database.read() as session:
        counts = instances.counts(session, InstanceFilter(project))
        urgent = counts.pop("needs_you")
        provisioning = figures.by_column(session, project, Instance.provisioning_status)
        billing = figures.by_column(session, project, Instance.billing_status)
        totals = figures.totals(session, project)
        form = {
            "totals": totals,
            "total": totals["instances"],
            "by_status": {**counts, Status.TERMINATED.value: totals["runs"]},
            "needs_you": urgent,
            "provisioning": {s.value: provisioning.get(s.value, 0) for s in ProvisioningStatus},
            "billing": {s.value: billing.get(s.value, 0) for s in BillingStatus},
            "by_provider": figures.by_column(session, project, Instance.provider),
            "by_blueprint": figures.by_column(session, project, Instance.blueprint),
            "operations": operations.counts(session, OperationFilter(project), now()),
            "durations": figures.durations(session, project),
            "failures": figures.failures(session, project),
            **statistics_form(session, project),
        }
        waiting, seconds = measuring.unread(session, parts.feed.tail)
    form["sockets"] = {
        "open": request.app.state.meters.open_sockets,
        "feed_lag_events": waiting,
        "feed_lag_seconds": seconds,
    }
    return ok(form)


@router.post(
    "/admin/retry-instance/{key}",
    operation_id="admin_retry_instance",
    response_model=schemas.OlderRetry,
    dependencies=[needs(Right.OPERATE)],
)
def retry_instance(parts: PartsDep, ask: AskDep, key: str) -> Response:
    """The older form of retry: 400 when not in error, 404 when unknown; it shows `creating` at once."""
    with parts.database.begin() as tx:
        row = find_instance(tx.session, ask.caller, key)
        repeated = replayed(tx, ask) is not None
    if row.status is not Status.ERROR and not repeated:
        detail = f"Instance {row.name} is {row.status}, not in error; there is nothing to retry."
        return problem(400, "invalid-transition", detail, current_status=row.status.value)
    instance_id, made = on_instance(parts, ask, row.id, Wish(Operation.RETRY, at_once=True))
    form = {"message": f"Retry of {row.name} accepted", "instance_id": instance_id, "job_id": made.operation_id}
    return JSONResponse(form, headers={"Operation-Location": href(made.operation_id)})


retry_router.add_api_route(
    "/admin/retry-instance/{key}", retry_instance, methods=["POST"], dependencies=[needs(Right.OPERATE)]
)

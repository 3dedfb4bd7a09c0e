"""`/metrics` for Prometheus: figures of all projects, which name no instance and nobody. A service may read it."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api.access import needs
from api.dependencies import PartsDep
from api.exposition import exposition
from api.health import RECORDS_SECONDS
from api.threads import in_thread
from domain.access import Right

router = APIRouter(tags=["health"])


@router.get("/metrics", operation_id="metrics", dependencies=[needs(Right.METRICS)], response_class=Response)
async def metrics(request: Request, parts: PartsDep) -> Response:
    """In Prometheus' text form, or as OpenMetrics where the scraper prefers it."""
    checks = await parts.readiness.checks()
    own, accept = request.app.state.meters.registry, request.headers.get("accept", "")
    try:
        recorded = await in_thread(RECORDS_SECONDS, parts.families.get)
    except TimeoutError:
        recorded = []
    body, content_type = exposition(recorded, parts.settings.data_dir, own, checks, accept)
    return Response(body, headers={"Content-Type": content_type})

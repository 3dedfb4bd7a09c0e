"""`/metrics` for Prometheus: figures of all projects, which name no instance and nobody. A service may read it."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from api.access import needs
from api.dependencies import PartsDep
from api.exposition import exposition
from domain.access import Right

router = APIRouter(tags=["health"])


@router.get("/metrics", operation_id="metrics", dependencies=[needs(Right.METRICS)], response_class=Response)
async def metrics(request: Request, parts: PartsDep) -> Response:
    """In Prometheus' text form, or as OpenMetrics where the scraper prefers it."""
    checks = await parts.readiness.checks()
    own, accept = request.app.state.meters.registry, request.headers.get("accept", "")
    recorded = await run_in_threadpool(parts.families.get)
    data_dir = parts.settings.data_dir
    body, content_type = await run_in_threadpool(exposition, recorded, data_dir, own, checks, accept)
    return Response(body, headers={"Content-Type": content_type})

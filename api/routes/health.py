"""Liveness and readiness. Open to everybody: they say nothing that is anybody's secret."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from starlette.responses import JSONResponse, PlainTextResponse

from api import schemas
from api.dependencies import PartsDep
from api.health import report

router = APIRouter(tags=["health"])
Verbose = Annotated[str | None, Query(description="Present: list the checks.")]


@router.get("/livez", operation_id="health_live", response_class=PlainTextResponse)
async def live() -> Response:
    """The process answers; nothing else is looked at."""
    return PlainTextResponse("ok")


@router.get(
    "/readyz",
    operation_id="health_ready",
    response_model=schemas.HealthReport,
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
        503: {
            "description": "Not ready.",
            "content": {
                "text/plain": {"schema": {"type": "string"}},
                "application/json": {"schema": {"$ref": "#/components/schemas/HealthReport"}},
            },
        },
    },
)
async def ready(parts: PartsDep, verbose: Verbose = None) -> Response:
    """Database, migrations, keys, keeper, Temporal, a worker; 503 where one is missing, or the API ends."""
    form = report(await parts.readiness.checks())
    code = 200 if form["status"] == "ok" else 503
    if verbose is not None:
        return JSONResponse(form, status_code=code)
    failed = [c["name"] for c in form["checks"] if not c["ok"]]
    return PlainTextResponse("ok" if code == 200 else f"not ready: {', '.join(failed)}", status_code=code)


@router.get("/health", operation_id="health_get", response_model=schemas.HealthReport)
async def health(parts: PartsDep) -> Response:
    """200 as long as the API serves; the body says what is wrong with the rest."""
    form = report(await parts.readiness.checks())
    return JSONResponse({**form, "ready": form["status"] == "ok", "status": "ok"})

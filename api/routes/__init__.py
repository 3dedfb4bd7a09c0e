"""The routes, in the order of the document. `ALIASES` are older or shorter addresses of the same."""

from __future__ import annotations

from fastapi import APIRouter

from api.routes import actions, admin, deployments, details, fleet, health, history, instances, operations

ROUTERS: tuple[APIRouter, ...] = (
    instances.router,
    actions.router,
    details.router,
    deployments.router,
    operations.router,
    history.router,
    fleet.router,
    admin.router,
    health.router,
)
ALIASES: tuple[tuple[str, APIRouter], ...] = (
    ("", health.router),
    ("", admin.router),
    ("/api/instance", admin.retry_router),
)

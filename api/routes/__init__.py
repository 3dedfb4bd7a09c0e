"""The routes, in the order of the document. `ALIASES` are older or shorter addresses of the same."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.routing import APIRoute

from api.routes import (
    access,
    actions,
    admin,
    billing,
    deployments,
    details,
    fleet,
    health,
    history,
    hosts,
    instances,
    login,
    me,
    metrics,
    operations,
    orphans,
    root,
    secrets,
    stream,
    traces,
)

ROUTERS: tuple[APIRouter, ...] = (
    instances.router,
    actions.router,
    details.router,
    deployments.router,
    operations.router,
    traces.router,
    history.router,
    stream.router,
    fleet.router,
    hosts.router,
    orphans.router,
    admin.router,
    billing.router,
    secrets.router,
    login.router,
    me.router,
    access.router,
    health.router,
    metrics.router,
)
PREFIX = "/api/v1"
ALIASES: tuple[tuple[str, APIRouter], ...] = (
    ("", health.router),
    ("", metrics.router),
    ("", admin.router),
    ("", root.router),
    ("/api/instance", admin.retry_router),
)


def methods_of(path: str) -> set[str]:
    """Every method that `path` takes, whichever route has it."""
    addresses = [*((PREFIX, router) for router in ROUTERS), *ALIASES]
    return {
        method
        for prefix, router in addresses
        if path.startswith(prefix)
        for route in router.routes
        if isinstance(route, APIRoute) and route.path_regex.match(path.removeprefix(prefix))
        for method in route.methods or ()
    }

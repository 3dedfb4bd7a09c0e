"""Rights at the door of every route: `dependencies=[needs(Right.X)]`, on a route or on a whole router.

A route that names no right is for administrators alone, and the generated matrix of roles and routes
(tests/access) fails until it names one. Paths that need nobody are listed in `api.gate.middleware.OPEN_PATHS`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import Depends
from fastapi.routing import APIRoute
from starlette.requests import HTTPConnection

from domain.access import Right, roles_with
from domain.errors import Forbidden
from domain.specs import Caller


class Needs:
    """As a dependency: refuse a caller without the right."""

    def __init__(self, right: Right) -> None:
        self.right = right

    async def __call__(self, request: HTTPConnection) -> None:
        require(caller_of(request), self.right)


def needs(right: Right) -> Any:
    """The dependency that names what a route needs."""
    return Depends(Needs(right))


def caller_of(request: HTTPConnection) -> Caller:
    """Who asks; the gate has found out. Raises `Forbidden` on a path that is open to nobody in particular."""
    caller: Caller | None = request.scope.get("state", {}).get("caller")
    if caller is None:
        raise Forbidden("This needs somebody who is known here.")
    return caller


def require(caller: Caller, right: Right) -> None:
    """Raise `Forbidden`, naming who may."""
    if not caller.may(right):
        able = ", ".join(role.value for role in roles_with(right))
        raise Forbidden(f"The role {caller.role} of {caller.name} may not do this; it needs one of: {able}.")


def right_of(route: APIRoute) -> Right | None:
    """The right that a route names, if it names one. The last one named is the narrowest."""
    named = list(_named(route.dependant))
    return named[-1] if named else None


def _named(dependant: Any) -> Iterator[Right]:
    for dependency in dependant.dependencies:
        if isinstance(dependency.call, Needs):
            yield dependency.call.right


async def guard(request: HTTPConnection) -> None:
    """Of every router, when it is included: what names no right, and is not open, is for administrators."""
    route = request.scope.get("route")
    if isinstance(route, APIRoute) and right_of(route) is None and not request.scope["state"].get("open"):
        require(caller_of(request), Right.ADMIN)

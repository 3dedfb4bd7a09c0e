"""The OpenAPI document: request bodies, problems and security, on top of what FastAPI derives from the routes.

Routes check bodies themselves (`services.forms.validation`), so that all mistakes come with pointers and in one
answer; `takes` puts the body's model into the document.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api.described import describe
from api.problems import MEDIA_TYPE
from api.schemas import Problem

VERSION = "0.1.0"
_REF = "#/components/schemas/{model}"
_BODIES: set[type[BaseModel]] = {Problem}
_TEXT = {
    "400": "The request cannot be read.",
    "401": "No token, or a wrong one.",
    "403": "The Host or Origin is not ours.",
    "404": "There is no such thing, or it is gone.",
    "405": "The path does not take this method.",
    "409": "Not allowed in the present status, or another operation holds the deployment.",
    "412": "It changed since it was read.",
    "413": "The body is too large.",
    "415": "The body is not JSON.",
    "422": "Fields are wrong; nothing was written.",
    "428": "If-Match is missing.",
    "431": "The headers are too many or too long.",
    "429": "Too many requests, or a limit of the project is reached.",
    "503": "A part that is needed does not answer now.",
}


def takes(
    model: type[BaseModel], media_type: str = "application/json", *, required: bool = True
) -> dict[str, Any]:
    """`openapi_extra` of a route whose body has the shape of `model`."""
    _BODIES.add(model)
    schema = {"$ref": _REF.format(model=model.__name__)}
    types = dict.fromkeys([media_type, "application/json"])
    return {"requestBody": {"required": required, "content": {t: {"schema": schema} for t in types}}}


def document(app: FastAPI) -> dict[str, Any]:
    """The whole document."""
    found = get_openapi(
        title="Berth",
        version=VERSION,
        summary="A durable control plane for instances.",
        description=(
            "Every change is accepted with 202 and carried out durably; "
            "`GET /api/v1/operations/{id}?wait=30` waits for its end."
        ),
        routes=app.routes,
        tags=_tags(),
    )
    bodies = sorted(_BODIES, key=lambda m: m.__name__)
    _, schemas = models_json_schema([(m, "validation") for m in bodies], ref_template=_REF)
    components = found.setdefault("components", {})
    components.setdefault("schemas", {}).update(schemas["$defs"])
    for unused in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(unused, None)
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    for path, methods in found["paths"].items():
        for method, operation in methods.items():
            _complete(path, method, operation)
    return found


def _tags() -> list[dict[str, str]]:
    return [
        {"name": "instances", "description": "One real thing with a name, a status and a life."},
        {"name": "deployments", "description": "The desired spec of one or several instances."},
        {"name": "operations", "description": "Durable changes: look, wait, cancel, retry."},
        {"name": "history", "description": "Events and finished lives."},
        {"name": "fleet", "description": "Blueprints, providers, hosts, the table of moves."},
        {"name": "admin", "description": "Figures and older forms."},
        {"name": "health", "description": "For machines that watch."},
    ]


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    """Every problem that a route can answer with, and that it needs a token."""
    responses = operation.setdefault("responses", {})
    responses.pop("422", None)
    if "health" in operation.get("tags", []):
        return
    operation["security"] = [{"token": []}]
    codes = ["400", "401", "403", "429", "431", "503"]
    asks = bool(operation.get("parameters")) or "requestBody" in operation
    if asks or "{" in path:
        codes.append("404")  # what a filter or a body names may be missing, too
    if asks:
        codes.append("422")
    if method in {"post", "patch", "put", "delete"}:
        codes += ["400", "409", "413", "415", "422"]
    if any(parameter["name"] == "If-Match" for parameter in operation.get("parameters", ())):
        codes += ["412", "428"]
    schema = {"$ref": _REF.format(model="Problem")}
    for code in sorted(set(codes)):
        responses[code] = {"description": _TEXT[code], "content": {MEDIA_TYPE: {"schema": schema}}}
    describe(operation)

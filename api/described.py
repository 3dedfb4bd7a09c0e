"""What the OpenAPI document says beyond the routes: where an answer leads, headers, examples. Used by `api.docs`.

The links let a client, and a test that drives the API by the document alone, go from what was made to everything
that can be asked of it.
"""

from __future__ import annotations

from typing import Any

from domain.lifecycle import Status

_INSTANCE = {"key": "$response.body#/instance/id"}
_DEPLOYMENT = {"key": "$response.body#/deployment/id"}
_OPERATION = {"operation_id": "$response.body#/operation/id"}
_FOLLOW = {
    "operation": ("operations_get", _OPERATION, "Wait for its end with `?wait=30`."),
    "cancel": ("operations_cancel", _OPERATION, "Stop it."),
    "retry": ("operations_retry", _OPERATION, "Repeat it once it has failed."),
}
LINKS: dict[str, dict[str, tuple[str, dict[str, str], str]]] = {
    "AcceptedInstance": {
        "instance": ("instances_get", _INSTANCE, "What it is about."),
        "act": ("instances_act", _INSTANCE, "Ask for something else."),
        "modify": ("instances_modify", _INSTANCE, "Change its spec."),
        "delete": ("instances_delete", _INSTANCE, "Remove it."),
        "history": ("instances_history", _INSTANCE, "What happened to it."),
        **_FOLLOW,
    },
    "AcceptedDeployment": {
        "deployment": ("deployments_get", _DEPLOYMENT, "What it is about."),
        "act": ("deployments_act", _DEPLOYMENT, "Ask for something else."),
        "modify": ("deployments_modify", _DEPLOYMENT, "Change its spec."),
        "delete": ("deployments_delete", _DEPLOYMENT, "Remove it."),
        **_FOLLOW,
    },
    "NewToken": {"revoke": ("tokens_revoke", {"token_id": "$response.body#/id"}, "Revoke it.")},
}
"""By the model of an answer: operation id, parameters, and what for."""

_TEXT = {"schema": {"type": "string"}}
ACCEPTED_HEADERS = {
    "Location": {"description": "What it is about.", **_TEXT},
    "Operation-Location": {"description": "The operation.", **_TEXT},
    "Retry-After": {"description": "Seconds until it is worth looking.", **_TEXT},
}
RETRY_HEADERS = {"Retry-After": {"description": "Seconds until it is worth asking again.", **_TEXT}}
ETAG = {"ETag": {"description": "For `If-Match`, and for `If-None-Match`: 304 when nothing differs.", **_TEXT}}

_WEB = {"name": "demo", "blueprint": "web", "provider": "simulated"}
EXAMPLES: dict[str, dict[str, Any]] = {
    "instances_create": _WEB,
    "instances_modify": {"params": {"greeting": "Ahoy"}},
    "instances_act": {"action": "restart", "reason": "manual"},
    "instances_batch": {"action": "start", "filter": {"status": Status.STOPPED.value}},
    "instances_terminate": {"reason": "cleanup"},
    "deployments_create": {**_WEB, "members": 2},
    "deployments_plan": {"params": {"greeting": "Ahoy"}},
    "deployments_plan_creation": _WEB,
    "deployments_modify": {"members": 3},
    "deployments_act": {"action": "stop"},
    "operations_batch": {"action": "retry", "filter": {"status": "failed"}},
    "orphans_sweep": {"dry_run": True},
    "faults_set": {"verb": "create", "fault": "error", "times": 2, "instance": "demo"},
    "tokens_create": {"name": "ci", "role": "operator", "expires_in_seconds": 86400},
}
"""Bodies by operation id."""


def describe(operation: dict[str, Any]) -> None:
    """Add links, headers and an example to one operation of the document."""
    for status, response in operation["responses"].items():
        model = _model(response)
        if model in LINKS:
            response["links"] = {
                name: {"operationId": target, "parameters": parameters, "description": text}
                for name, (target, parameters, text) in LINKS[model].items()
            }
        if status == "202" and model in {"AcceptedInstance", "AcceptedDeployment"}:
            response["headers"] = ACCEPTED_HEADERS
        if status in {"429", "503"}:
            response["headers"] = RETRY_HEADERS
        if status == "200" and operation["operationId"] in TAGGED:
            response["headers"] = ETAG
    if operation["operationId"] in TAGGED:
        operation["responses"]["304"] = {"description": "As it was when the client read it.", "headers": ETAG}
    example = EXAMPLES.get(operation["operationId"])
    for content in operation.get("requestBody", {}).get("content", {}).values():
        if example is not None:
            content["example"] = example


TAGGED = frozenset({"instances_get", "deployments_get", "operations_get", "runs_get", "blueprints_get"})
"""Single things, which a client may ask for only if they differ from what it has."""


def _model(response: dict[str, Any]) -> str | None:
    schema = response.get("content", {}).get("application/json", {}).get("schema", {})
    return schema.get("$ref", "").rpartition("/")[2] or None

"""Write docs/asyncapi.json from the models of the stream; `--check` fails when the committed one differs.

Run by `make docs` and `make check`, beside scripts/openapi.py.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api.docs import VERSION
from api.live.sockets import BAD_MESSAGE, FORBIDDEN, GOING_AWAY, SLOW, UNAUTHORIZED, Subscribe
from api.schemas import Event
from api.schemas import stream as frames
from domain.lifecycle import Status
from scripts.generated import ROOT, settle

TARGET = ROOT / "docs" / "asyncapi.json"
_CURSOR = "eW91ci1jdXJzb3I"

SAID: tuple[type[BaseModel], ...] = (Subscribe,)
TOLD: tuple[type[BaseModel], ...] = (
    frames.Hello,
    Event,
    frames.RetoldEvent,
    frames.Events,
    frames.Records,
    frames.SnapshotRequired,
    frames.Heartbeat,
    frames.FeedError,
)
SERVER_SENT: tuple[type[BaseModel], ...] = (
    Event,
    frames.OperationRecord,
    frames.InstanceRecord,
    frames.HostRecord,
    frames.SnapshotRequired,
)
CLOSE_CODES = {
    GOING_AWAY: "The API process is about to end: resume at another one, or at this one in a moment.",
    BAD_MESSAGE: "The client said something that is not a `subscribe` message; an `error` frame says what.",
    SLOW: "Nothing was taken for ten seconds, the database does not answer, or the project has as many streams as "
    "it may have: come back in a moment, behind what was read.",
    UNAUTHORIZED: "No ticket in time, a used or old one, or the token that opened the socket has ended.",
    FORBIDDEN: "The role may not read.",
}
EXAMPLES: dict[str, dict[str, Any]] = {
    "Subscribe": {"type": "subscribe", "after": _CURSOR, "batch": True, "records": True},
    "Hello": {"type": "hello", "cursor": _CURSOR, "epoch": "01k9", "heartbeat_seconds": 15.0},
    "Heartbeat": {"type": "heartbeat", "cursor": _CURSOR},
    "SnapshotRequired": {"type": "snapshot_required", "cursor": _CURSOR},
    "FeedError": {"type": "error", "detail": "not a subscribe message: after: Input should be a valid string"},
    "RetoldEvent": {
        "event_type": "INSTANCE_RUNNING",
        "cursor": _CURSOR,
        "instance_id": "ins_01k9",
        "cloud_instance_id": "i-0abc",
        "version": 3,
        "status": "RUNNING",
        "timestamp": "2026-11-21T12:00:02Z",
        "launch_confirmed_at": "2026-11-21T12:00:02Z",
        "launch_duration_seconds": 1.9,
    },
    "Event": {
        "cursor": _CURSOR,
        "event_type": "LAUNCH_CONFIRMED",
        "instance_id": "ins_01k9",
        "deployment_id": "dep_01k9",
        "operation_id": "op_01k9",
        "version": 3,
        "status": Status.RUNNING.value,
        "lifecycle_state": "RUNNING",
        "from": Status.CREATING.value,
        "to": Status.RUNNING.value,
        "source": "backend",
        "reason": "manual",
        "confirmation_method": "provider_poll",
        "actor": "ana",
        "cloud_instance_id": "i-0abc",
        "time": "2026-11-21T12:00:02Z",
        "data": {"name": "demo", "launch_duration_seconds": 1.9},
    },
}


def document() -> dict[str, Any]:
    """AsyncAPI 3: two channels over the same feed."""
    every = {model.__name__: model for model in (*SAID, *TOLD, *SERVER_SENT)}
    _, schemas = models_json_schema(
        [(model, "validation") for model in every.values()], ref_template="#/components/schemas/{model}"
    )
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Berth: live feed",
            "version": VERSION,
            "description": "Everything that changes, in commit order, resumable at a cursor. See events.md.",
        },
        "servers": {
            "here": {"host": "127.0.0.1:8000", "protocol": "ws", "description": "Wherever Berth's API is."}
        },
        "defaultContentType": "application/json",
        "channels": {
            "socket": _channel("/api/v1/ws", "Also at `/ws`. Frames of text.", (*SAID, *TOLD))
            | {
                "bindings": {"ws": {"method": "GET"}},
                "x-close-codes": {str(c): t for c, t in CLOSE_CODES.items()},
            },
            "serverSent": _channel(
                "/api/v1/events/stream", "Server-sent events; `id` is the cursor of an event.", SERVER_SENT
            ),
        },
        "operations": {
            "say": _operation("receive", "socket", SAID, "What a client says first, and whenever it wants more."),
            "tell": _operation("send", "socket", TOLD, "What a client is told."),
            "tellServerSent": _operation("send", "serverSent", SERVER_SENT, "What a reader is told."),
        },
        "components": {
            "messages": {name: _message(name, model) for name, model in sorted(every.items())},
            "schemas": schemas["$defs"],
        },
    }


def _channel(address: str, description: str, models: tuple[type[BaseModel], ...]) -> dict[str, Any]:
    messages = {model.__name__: {"$ref": f"#/components/messages/{model.__name__}"} for model in models}
    return {"address": address, "description": description, "messages": messages}


def _operation(action: str, channel: str, models: tuple[type[BaseModel], ...], summary: str) -> dict[str, Any]:
    return {
        "action": action,
        "summary": summary,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{model.__name__}"} for model in models],
    }


def _message(name: str, model: type[BaseModel]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": name,
        "summary": (model.__doc__ or "").strip().partition("\n")[0],
        "payload": {"$ref": f"#/components/schemas/{name}"},
    }
    return found | ({"examples": [{"payload": EXAMPLES[name]}]} if name in EXAMPLES else {})


def text() -> str:
    """The document as it is committed."""
    return json.dumps(document(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> int:
    """Entry of `python -m scripts.asyncapi`."""
    return settle({TARGET: text()}, check="--check" in sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())

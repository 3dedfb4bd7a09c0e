"""Frames of the live feed, as AsyncAPI shows them. What a client says is `api.live.sockets.Subscribe`."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from api.schemas.base import Form
from api.schemas.history import Event
from api.schemas.instances import Instance
from api.schemas.operations import OperationForm


class Hello(Form):
    """The first frame, and the answer to every `subscribe`: from where events follow."""

    type: Literal["hello"]
    cursor: str
    epoch: str
    heartbeat_seconds: float


class SnapshotRequired(Form):
    """Something before this cursor is not to be had: read the lists again, then go on here."""

    type: Literal["snapshot_required"]
    cursor: str


class Heartbeat(Form):
    """Nothing happened; the line stands, and everything up to `cursor` was told."""

    type: Literal["heartbeat"]
    cursor: str


class FeedError(Form):
    """What was wrong with the client's message; the socket closes next."""

    type: Literal["error"]
    detail: str


class RetoldEvent(Form):
    """A turn of a life in S2's words. It follows the event that it retells, under the same cursor."""

    event_type: Literal["INSTANCE_LAUNCHING", "INSTANCE_RUNNING", "INSTANCE_TERMINATING", "INSTANCE_TERMINATED"]
    cursor: str
    instance_id: str
    cloud_instance_id: str | None
    version: int | None
    status: str = Field(description="Upper case, as `lifecycle_state`.")
    timestamp: datetime
    launch_requested_at: datetime | None = None
    launch_confirmed_at: datetime | None = None
    launch_duration_seconds: float | None = None
    termination_requested_at: datetime | None = None
    termination_confirmed_at: datetime | None = None
    termination_duration_seconds: float | None = None


class Events(Form):
    """Several events in one frame, for who asked for `batch`."""

    type: Literal["events"]
    items: list[Event | RetoldEvent]


class OperationRecord(Form):
    """An operation as it is now."""

    type: Literal["operation"]
    operation: OperationForm


class InstanceRecord(Form):
    """An instance as it is now."""

    type: Literal["instance"]
    instance: Instance


class HostStanding(Form):
    """How a host stands. `silent`: not heard of for 30 s, asked for nothing new; `lost`: for 5 min, or removed."""

    id: str
    silent: bool
    lost: bool


class HostRecord(Form):
    """A host fell silent, was lost, or came back: read its instances again, their allowed actions have turned."""

    type: Literal["host"]
    host: HostStanding


class Records(Form):
    """What shows something new, for who asked for `records`: the latest state of each, not every state."""

    type: Literal["records"]
    items: list[OperationRecord | InstanceRecord | HostRecord]

"""What DescribeInstances says of a machine, as facts, and how its states read in the table of observations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from domain.glimpses import Glimpse
from domain.work import Observation, Seen
from providers.ec2.tags import INSTANCE, SERVER, from_list, identity_in

PENDING, RUNNING = "pending", "running"
STOPPING, STOPPED = "stopping", "stopped"
SHUTTING_DOWN, TERMINATED = "shutting-down", "terminated"
ABSENT = "absent"
ALIVE = frozenset({PENDING, RUNNING, STOPPING, STOPPED})

IMPAIRED = "impaired"

_SEEN: Mapping[str, Seen] = {
    PENDING: Seen.TRANSIENT,
    RUNNING: Seen.UP,
    STOPPING: Seen.TRANSIENT,
    STOPPED: Seen.DOWN,
    SHUTTING_DOWN: Seen.TRANSIENT,
    TERMINATED: Seen.ABSENT,
}


@dataclass(frozen=True)
class Machine:
    """One instance of EC2. `seen_at` is EC2's own time of the answer."""

    id: str
    state: str
    zone: str | None
    type: str
    image: str
    launched: datetime
    seen_at: datetime
    tags: Mapping[str, str]
    reason: str | None
    public_address: str | None
    private_address: str | None
    root_device: str | None
    disks: tuple[Disk, ...]

    @property
    def alive(self) -> bool:
        return self.state in ALIVE

    @property
    def generation(self) -> int | None:
        identity = identity_in(self.tags)
        return None if identity is None else identity.generation

    @property
    def endpoint(self) -> str | None:
        return self.public_address or self.private_address

    def may_lack_tags(self, window: float) -> bool:
        """Launched so recently that its tags need not show yet."""
        return SERVER not in self.tags and self.seen_at - self.launched <= timedelta(seconds=window)


@dataclass(frozen=True)
class Disk:
    """A volume as the machine holds it. `stays`: it would outlive the machine."""

    device: str
    volume: str
    stays: bool


def machines_in(reservation: Mapping[str, Any], seen_at: datetime) -> list[Machine]:
    return [_machine(item, seen_at) for item in reservation.get("Instances", ())]


def answered_at(answer: Mapping[str, Any]) -> datetime:
    """When EC2 answered, by its own clock: ours may be wrong by minutes."""
    stamp = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    try:
        return parsedate_to_datetime(str(stamp)).astimezone(UTC)
    except ValueError:
        return datetime.now(UTC)


def _machine(item: Mapping[str, Any], seen_at: datetime) -> Machine:
    reason = item.get("StateReason") or {}
    return Machine(
        id=item["InstanceId"],
        state=item["State"]["Name"],
        zone=item.get("Placement", {}).get("AvailabilityZone"),
        type=item.get("InstanceType", ""),
        image=item.get("ImageId", ""),
        launched=item.get("LaunchTime", seen_at),
        seen_at=seen_at,
        tags=from_list(item.get("Tags")),
        reason=reason.get("Message") or reason.get("Code"),
        public_address=item.get("PublicIpAddress"),
        private_address=item.get("PrivateIpAddress"),
        root_device=item.get("RootDeviceName"),
        disks=tuple(_disk(one) for one in item.get("BlockDeviceMappings", ()) if "Ebs" in one),
    )


def _disk(item: Mapping[str, Any]) -> Disk:
    held = item["Ebs"]
    return Disk(item["DeviceName"], held["VolumeId"], stays=not held.get("DeleteOnTermination", False))


def glimpse_of(machine: Machine, *, impaired: bool) -> Glimpse:
    """What a listing shows of it. `impaired`: its status checks fail; that they hold only a direct look tells."""
    failing = impaired and machine.state == RUNNING
    seen = Seen.TRANSIENT if failing else _SEEN.get(machine.state, Seen.TRANSIENT)
    state = IMPAIRED if failing else machine.state
    return Glimpse(machine.tags.get(INSTANCE, ""), seen, state, machine.id, machine.generation, whole=False)


def observation_of(machine: Machine, checks: str | None) -> Observation:
    """`checks`: what the status checks of a running machine say, where known.

    `running` counts as up unless a check fails: the checks themselves take minutes, and `initializing` says only
    that they have not ended.
    """
    seen, detail = _SEEN.get(machine.state, Seen.TRANSIENT), None
    if machine.state == RUNNING and checks == IMPAIRED:
        seen, detail = Seen.TRANSIENT, "EC2's status checks of this machine fail"
    elif machine.state not in (PENDING, RUNNING) and machine.reason:
        detail = machine.reason
    return Observation(
        seen=seen,
        provider_state=machine.state,
        provider_id=machine.id,
        generation=machine.generation,
        endpoint=machine.endpoint if machine.alive else None,
        detail=detail,
        zone=machine.zone,
    )

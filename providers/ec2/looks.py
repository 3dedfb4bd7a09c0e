"""Looking at EC2: machines by id and by instance, their status checks, volumes and addresses. Changes nothing.

Machines are asked for with filters, never with `InstanceIds`: one id that EC2 does not know (yet) would make the
whole answer an error.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from domain.errors import ProviderError, ProviderErrorKind
from providers.ec2.api import Api
from providers.ec2.batches import Batch
from providers.ec2.sight import IMPAIRED, Machine, machines_in
from providers.ec2.tags import INSTANCE, SERVER, from_list

_MOST_VALUES = 200
_MOST_IDS = 100


@dataclass(frozen=True)
class Leftover:
    """A tagged volume or address. `holder`: the machine that has it."""

    id: str
    state: str
    tags: Mapping[str, str]
    holder: str | None = None
    association: str | None = None
    gigabytes: int | None = None


class Looks:
    def __init__(self, api: Api, server_id: str) -> None:
        self._api = api
        self._server = {"Name": f"tag:{SERVER}", "Values": [server_id]}
        self._by_id = Batch(self._fetch_ids, _MOST_VALUES)
        self._by_instance = Batch(self._fetch_instances, _MOST_VALUES)
        self._checks = Batch(self._fetch_checks, _MOST_IDS)
        self._volumes = Batch(self._fetch_volumes, _MOST_VALUES)
        self._addresses = Batch(self._fetch_addresses, _MOST_VALUES)

    def machine(self, machine_id: str) -> Machine | None:
        return self._by_id.ask(machine_id)

    def machines_of(self, instance_id: str) -> Sequence[Machine]:
        """All that carry this server's and this instance's id, in every state, oldest first. Signatures are not
        checked here."""
        return self._by_instance.ask(instance_id) or ()

    def checks(self, machine_id: str) -> str | None:
        """The worse of the two status checks; None when EC2 says nothing of them."""
        return self._checks.ask(machine_id)

    def impaired(self) -> set[str]:
        """Machines of this region of which a status check fails; filters that stand together would all have to."""
        return {
            item["InstanceId"]
            for check in ("system-status.status", "instance-status.status")
            for item in self._api.pages(
                "DescribeInstanceStatus", "InstanceStatuses", Filters=[{"Name": check, "Values": [IMPAIRED]}]
            )
        }

    def volumes_of(self, instance_id: str) -> Sequence[Leftover]:
        return self._volumes.ask(instance_id) or ()

    def addresses_of(self, instance_id: str) -> Sequence[Leftover]:
        return self._addresses.ask(instance_id) or ()

    def everything(self) -> Iterator[Machine]:
        """Every machine of any Berth in this region."""
        return self._machines({"Name": "tag-key", "Values": [SERVER]})

    def mine(self) -> Iterator[Machine]:
        """Every machine of this server."""
        return self._machines(self._server)

    def loose_volumes(self) -> Iterator[Leftover]:
        """Tagged volumes that no machine has."""
        free = {"Name": "status", "Values": ["available", "error"]}
        return self._volume_pages({"Name": "tag-key", "Values": [SERVER]}, free)

    def all_addresses(self) -> list[Leftover]:
        return self._address_list({"Name": "tag-key", "Values": [SERVER]})

    def _machines(self, *filters: dict[str, Any]) -> Iterator[Machine]:
        for reservation in self._api.pages("DescribeInstances", "Reservations", Filters=list(filters)):
            yield from machines_in(reservation, reservation["SeenAt"])

    def _fetch_ids(self, ids: Sequence[str]) -> Mapping[str, Machine]:
        return {one.id: one for one in self._machines({"Name": "instance-id", "Values": list(ids)})}

    def _fetch_instances(self, ids: Sequence[str]) -> Mapping[str, Sequence[Machine]]:
        mine = {"Name": f"tag:{INSTANCE}", "Values": list(ids)}
        return _grouped(sorted(self._machines(self._server, mine), key=lambda one: (one.launched, one.id)))

    def _fetch_checks(self, ids: Sequence[str]) -> Mapping[str, str]:
        try:
            answer = self._api.read("DescribeInstanceStatus", InstanceIds=list(ids))
        except ProviderError as error:
            if error.kind is ProviderErrorKind.NOT_FOUND:  # one of them has just gone; no news of the others
                return {}
            raise
        return {one["InstanceId"]: _worse(one) for one in answer.get("InstanceStatuses", ())}

    def _fetch_volumes(self, ids: Sequence[str]) -> Mapping[str, Sequence[Leftover]]:
        return _grouped(self._volume_pages(self._server, {"Name": f"tag:{INSTANCE}", "Values": list(ids)}))

    def _fetch_addresses(self, ids: Sequence[str]) -> Mapping[str, Sequence[Leftover]]:
        return _grouped(self._address_list(self._server, {"Name": f"tag:{INSTANCE}", "Values": list(ids)}))

    def _volume_pages(self, *filters: dict[str, Any]) -> Iterator[Leftover]:
        for item in self._api.pages("DescribeVolumes", "Volumes", Filters=list(filters)):
            holder = next((one["InstanceId"] for one in item.get("Attachments", ())), None)
            tags, size = from_list(item.get("Tags")), item.get("Size")
            yield Leftover(item["VolumeId"], item["State"], tags, holder, gigabytes=size)

    def _address_list(self, *filters: dict[str, Any]) -> list[Leftover]:
        answer = self._api.read("DescribeAddresses", Filters=list(filters))
        return [
            Leftover(
                item["AllocationId"],
                "associated" if item.get("AssociationId") else "free",
                from_list(item.get("Tags")),
                item.get("InstanceId"),
                item.get("AssociationId"),
            )
            for item in answer.get("Addresses", ())
            if "AllocationId" in item
        ]


def _grouped(found: Any) -> dict[str, list[Any]]:
    groups: dict[str, list[Any]] = defaultdict(list)
    for one in found:
        groups[one.tags.get(INSTANCE, "")].append(one)
    return dict(groups)


def _worse(status: Mapping[str, Any]) -> str:
    both = [status.get(name, {}).get("Status", "") for name in ("SystemStatus", "InstanceStatus")]
    return IMPAIRED if IMPAIRED in both else both[-1]

"""Delete: everything that carries this instance's signed id goes, and only EC2's word ends it.

Volumes and addresses first: once the machine is terminated, nobody would come back for them. Attached volumes are
told to go with the machine, loose ones are deleted, addresses are released.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from domain.errors import ProviderError, ProviderErrorKind
from domain.work import Call, Outcome, Work
from providers.ec2.finding import Found, refuse_strangers
from providers.ec2.launching import Tools
from providers.ec2.looks import Leftover
from providers.ec2.sight import ABSENT, SHUTTING_DOWN, TERMINATED, Machine
from providers.ec2.tags import Ownership

_LOOKS_PER_WINDOW = 5


class Ending:
    def __init__(self, tools: Tools, ownership: Ownership) -> None:
        self._tools = tools
        self._ownership = ownership

    def delete(self, work: Work, call: Call) -> Outcome:
        found = self._tools.finder.find(work)
        if (not found.ours and not found.dead) or self._tools.launches.since(work) is not None:
            found = self._wait_out(work, call)
        if not found.ours:
            if found.strangers:
                refuse_strangers(work, found)
            self._release(work, (), call)
            if found.dying is not None:
                return Outcome(False, SHUTTING_DOWN, provider_id=found.dying.id)
            return self._gone(work, found)
        self._release(work, found.ours, call)
        ids = [one.id for one in found.ours]
        self._terminate(ids, call)
        note = f"ended {', '.join(ids)}, which all carried this instance's id" if len(ids) > 1 else None
        return Outcome(False, SHUTTING_DOWN, provider_id=ids[0], note=note)

    def remove(self, thing: str, call: Call) -> None:
        """An orphan that a person named: a machine, a volume or an address, if it is signed by this Berth."""
        if thing.startswith("vol-"):
            volume = next((one for one in self._tools.looks.loose_volumes() if one.id == thing), None)
            if volume is not None:
                self._need_ours(thing, volume)
                self._delete_volume(volume, call)
        elif thing.startswith("eipalloc-"):
            address = next((one for one in self._tools.looks.all_addresses() if one.id == thing), None)
            if address is not None:
                self._need_ours(thing, address)
                self._release_address(address, call)
        else:
            machine = self._tools.looks.machine(thing)
            if machine is not None and machine.alive:
                self._need_ours(thing, machine)
                self._tools.api.change("TerminateInstances", call, InstanceIds=[thing])

    def _terminate(self, ids: list[str], call: Call) -> None:
        try:
            self._tools.api.change("TerminateInstances", call, InstanceIds=ids)
        except ProviderError as error:
            if error.kind is not ProviderErrorKind.NOT_FOUND:
                raise
            raise ProviderError(
                ProviderErrorKind.NOT_READY,
                f"EC2 listed {', '.join(ids)} a moment ago and does not find it now; looking again",
                retry_after=self._tools.options.poll_seconds,
            ) from None

    def _gone(self, work: Work, found: Found) -> Outcome:
        """`terminated`, or absent in two looks further apart than the window."""
        last = found.terminated
        if last is None:
            return Outcome(True, ABSENT, provider_id=work.provider_id)
        return Outcome(True, TERMINATED, provider_id=last.id)

    def _wait_out(self, work: Work, call: Call) -> Found:
        """Nothing found, or a launch whose answer was lost: look until EC2 must show what there is."""
        window = self._tools.options.consistency_seconds
        began = time.monotonic()
        while True:
            last = time.monotonic() >= began + window
            found = self._tools.finder.find(work)
            if last or (not found.nothing and self._tools.launches.since(work) is None):
                return found
            call.progress("making sure that no machine of it exists")
            call.sleep(max(0.01, min(window / _LOOKS_PER_WINDOW, began + window - time.monotonic() + 0.01)))

    def _release(self, work: Work, machines: tuple[Machine, ...], call: Call) -> None:
        for address in self._tools.looks.addresses_of(work.instance_id):
            if self._ownership.is_of(address.tags, work.instance_id):
                self._release_address(address, call)
        volumes = {
            one.id: one
            for one in self._tools.looks.volumes_of(work.instance_id)
            if self._ownership.is_of(one.tags, work.instance_id)
        }
        for machine in machines:
            staying = [disk for disk in machine.disks if disk.stays and disk.volume in volumes]
            if staying:
                mappings = [{"DeviceName": disk.device, "Ebs": {"DeleteOnTermination": True}} for disk in staying]
                self._tools.api.change(
                    "ModifyInstanceAttribute", call, InstanceId=machine.id, BlockDeviceMappings=mappings
                )
        for volume in volumes.values():
            if volume.state in ("available", "error"):
                self._delete_volume(volume, call)

    def _release_address(self, address: Leftover, call: Call) -> None:
        api = self._tools.api
        if address.association is not None:
            _unless_gone(lambda: api.change("DisassociateAddress", call, AssociationId=address.association))
        _unless_gone(lambda: api.change("ReleaseAddress", call, AllocationId=address.id))

    def _delete_volume(self, volume: Leftover, call: Call) -> None:
        _unless_gone(lambda: self._tools.api.change("DeleteVolume", call, VolumeId=volume.id))

    def _need_ours(self, thing: str, found: Leftover | Machine) -> None:
        if self._ownership.proven(found.tags) is None:
            raise ProviderError(ProviderErrorKind.INVALID, f"{thing} is not signed by this Berth")


def _unless_gone(change: Callable[[], object]) -> None:
    try:
        change()
    except ProviderError as error:
        if error.kind is not ProviderErrorKind.NOT_FOUND:
            raise

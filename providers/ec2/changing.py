"""Start, stop, restart and modify a machine that exists.

A restart is a stop and a start: RebootInstances leaves no trace in the API – the state stays `running`, the launch
time as it was – so that nobody could say whether it happened. A stop and a start can be seen step by step. The
price: an instance-store disk is emptied, and a public address that is not an elastic one changes.
"""

from __future__ import annotations

import time
from dataclasses import replace

from domain.errors import ProviderError, ProviderErrorKind
from domain.work import Call, Outcome, Work
from providers.ec2.launching import Tools, is_up
from providers.ec2.request import allowed_type, recipe_of
from providers.ec2.sight import PENDING, RUNNING, STOPPED, STOPPING, Machine
from providers.ec2.tags import RESUME, as_list, described, is_description

_PATIENCE = 45.0
"""Within one attempt; the next one goes on waiting."""


class Changes:
    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    def start(self, work: Work, call: Call) -> Outcome:
        machine = self._tools.finder.own(work, "start")
        if machine.state == STOPPING:
            machine = self._leave(work, machine, call)
        return self._start(machine, call)

    def stop(self, work: Work, call: Call) -> Outcome:
        machine = self._tools.finder.own(work, "stop")
        self._forget_resume(machine, call)
        if machine.state == STOPPED:
            return _outcome(machine, STOPPED, confirmed=True)
        self._stop(work, machine, call)
        return _outcome(machine, STOPPING, confirmed=False)

    def restart(self, work: Work, call: Call) -> Outcome:
        machine = self._tools.finder.own(work, "restart")
        return self._start(self._stopped(work, machine, call), call)

    def modify(self, work: Work, call: Call) -> Outcome:
        machine = self._tools.finder.own(work, "modify")
        recipe = recipe_of(work)
        wanted = allowed_type(recipe, self._tools.options)
        _refuse_moves(work, machine)
        self._describe(work, machine, call)
        self._grow(work, machine, call)
        resume = RESUME in machine.tags
        if machine.type != wanted:
            if machine.state in (PENDING, RUNNING):
                resume = True
                self._tag(machine, {RESUME: "after-modify"}, call)
            machine = self._stopped(work, machine, call)
            self._tools.api.change(
                "ModifyInstanceAttribute", call, InstanceId=machine.id, InstanceType={"Value": wanted}
            )
        elif resume and machine.state == STOPPING:
            machine = self._leave(work, machine, call)
        if machine.state == STOPPED and not resume:
            return _outcome(machine, STOPPED, confirmed=True)
        outcome = self._start(machine, call)
        if resume:
            self._untag(machine, [RESUME], call)
        return outcome

    def _start(self, machine: Machine, call: Call) -> Outcome:
        if machine.state == STOPPED:
            self._tools.api.change("StartInstances", call, InstanceIds=[machine.id])
            return _outcome(machine, PENDING, confirmed=False)
        return _outcome(machine, machine.state, confirmed=is_up(self._tools.looks, machine))

    def _stop(self, work: Work, machine: Machine, call: Call) -> Machine:
        """EC2 stops nothing that is still on its way up."""
        if machine.state == PENDING:
            machine = self._leave(work, machine, call)
        if machine.state == RUNNING:
            self._tools.api.change("StopInstances", call, InstanceIds=[machine.id])
            machine = replace(machine, state=STOPPING)
        return machine

    def _stopped(self, work: Work, machine: Machine, call: Call) -> Machine:
        machine = self._stop(work, machine, call)
        return self._leave(work, machine, call) if machine.state == STOPPING else machine

    def _leave(self, work: Work, machine: Machine, call: Call) -> Machine:
        """Wait until it has left its state. NOT_READY when that takes longer than one attempt may."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            call.progress(f"{machine.id} is {machine.state}; waiting for the end of that")
            call.sleep(self._tools.options.poll_seconds)
            now = self._tools.finder.own(work, "change")
            if now.state != machine.state:
                return now
            if time.monotonic() >= deadline:
                raise ProviderError(
                    ProviderErrorKind.NOT_READY,
                    f"{machine.id} is still {now.state}",
                    retry_after=self._tools.options.poll_seconds,
                )

    def _describe(self, work: Work, machine: Machine, call: Call) -> None:
        """Bring the name and the labels to the tags."""
        wanted = described(work)
        gone = [key for key in machine.tags if is_description(key) and key not in wanted]
        new = {key: value for key, value in wanted.items() if machine.tags.get(key) != value}
        if new:
            self._tag(machine, new, call)
        if gone:
            self._untag(machine, gone, call)

    def _grow(self, work: Work, machine: Machine, call: Call) -> None:
        """The root disk may become larger, while the machine runs; smaller never."""
        wanted = work.resources.disk_gb
        root = next((one.volume for one in machine.disks if one.device == machine.root_device), None)
        if wanted is None or root is None:
            return
        volumes = self._tools.looks.volumes_of(work.instance_id)
        size = next((one.gigabytes for one in volumes if one.id == root), None)
        if size is None or wanted == size:
            return
        if wanted < size:
            raise ProviderError(
                ProviderErrorKind.INVALID, f"the disk of {machine.id} has {size} GB and cannot shrink to {wanted}"
            )
        self._tools.api.change("ModifyVolume", call, VolumeId=root, Size=wanted)

    def _tag(self, machine: Machine, tags: dict[str, str], call: Call) -> None:
        self._tools.api.change("CreateTags", call, Resources=[machine.id], Tags=as_list(tags))

    def _untag(self, machine: Machine, keys: list[str], call: Call) -> None:
        self._tools.api.change("DeleteTags", call, Resources=[machine.id], Tags=[{"Key": key} for key in keys])

    def _forget_resume(self, machine: Machine, call: Call) -> None:
        if RESUME in machine.tags:
            self._untag(machine, [RESUME], call)


def _refuse_moves(work: Work, machine: Machine) -> None:
    recipe = recipe_of(work)
    if recipe.zones and machine.zone not in recipe.zones:
        raise ProviderError(
            ProviderErrorKind.INVALID,
            f"{work.name} runs in {machine.zone} and a machine cannot move; delete it and create it anew",
        )
    if recipe.image is not None and recipe.image != machine.image:
        raise ProviderError(
            ProviderErrorKind.INVALID,
            f"{work.name} was made from {machine.image}; another image means a new machine",
        )


def _outcome(machine: Machine, state: str, *, confirmed: bool) -> Outcome:
    endpoint = machine.endpoint if confirmed and state == RUNNING else None
    return Outcome(confirmed, state, provider_id=machine.id, endpoint=endpoint, zone=machine.zone)

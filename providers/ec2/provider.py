"""The provider: the verbs of `providers.base.Provider` for machines of EC2, each in a module of its own.

`launching` creates, `changing` starts, stops and modifies, `ending` deletes; they look through `finding` and
`looks`, and act through `api`. EC2 only ever accepts: nearly every outcome is unconfirmed, and `observe` confirms.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from domain.errors import ProviderError, ProviderErrorKind
from domain.glimpses import Glimpse
from domain.work import Call, InventoryItem, Observation, Outcome, Seen, Work
from providers.base import Bell, Provider
from providers.ec2.api import Api
from providers.ec2.changing import Changes
from providers.ec2.ending import Ending
from providers.ec2.finding import Finder
from providers.ec2.images import Images
from providers.ec2.inventory import inventory
from providers.ec2.launching import Creation, OpenLaunches, Tools
from providers.ec2.looks import Looks
from providers.ec2.options import Options, parse_options
from providers.ec2.sight import ABSENT, RUNNING, TERMINATED, glimpse_of, observation_of
from providers.ec2.tags import Ownership
from providers.entry import Setup

_LONGEST_LOG = 64 * 1024
_LEAST_GLANCE = 5.0


def open_provider(setup: Setup) -> Provider:
    """Asks nothing of AWS yet. `Unconfigured` when it could not."""
    options = parse_options(setup.options)
    return Ec2Provider(Api(options), options, Ownership(setup.server_id, setup.verify))


class Ec2Provider:
    name = "ec2"
    probes = False
    needs_port = False

    def __init__(self, api: Api, options: Options, ownership: Ownership) -> None:
        self.consistency_seconds = options.consistency_seconds
        self.poll_seconds = options.poll_seconds
        self.glance_seconds = max(options.poll_seconds, _LEAST_GLANCE)
        self._api = api
        self._ownership = ownership
        self._looks = Looks(api, ownership.server_id)
        self._finder = Finder(self._looks, ownership, options.consistency_seconds)
        launches = OpenLaunches(options.consistency_seconds)
        self._tools = Tools(
            api, self._looks, self._finder, Images(api, options), options, launches, time.monotonic()
        )
        self._changes = Changes(self._tools)
        self._ending = Ending(self._tools, ownership)

    def identity(self) -> str:
        return f"{self._api.account()}/{self._api.region}"

    def create(self, work: Work, call: Call) -> Outcome:
        return Creation(self._tools, work, call).run()

    def start(self, work: Work, call: Call) -> Outcome:
        return self._changes.start(work, call)

    def stop(self, work: Work, call: Call) -> Outcome:
        return self._changes.stop(work, call)

    def restart(self, work: Work, call: Call) -> Outcome:
        return self._changes.restart(work, call)

    def modify(self, work: Work, call: Call) -> Outcome:
        return self._changes.modify(work, call)

    def delete(self, work: Work, call: Call) -> Outcome:
        return self._ending.delete(work, call)

    def remove(self, provider_id: str, call: Call) -> None:
        self._ending.remove(provider_id, call)

    def inventory(self) -> Sequence[InventoryItem]:
        return inventory(self._looks, self._ownership)

    def glance(self) -> Sequence[Glimpse]:
        machines = [one for one in self._looks.mine() if one.state != TERMINATED]
        failing = self._looks.impaired() if any(one.state == RUNNING for one in machines) else ()
        return [glimpse_of(one, impaired=one.id in failing) for one in machines]

    def watch(self, bell: Bell) -> None:
        """EC2 tells of changes only through services that an account need not have."""

    def observe(self, work: Work) -> Observation:
        try:
            return self._observe(work)
        except ProviderError as error:
            return Observation(Seen.NO_EVIDENCE, "unknown", provider_id=work.provider_id, detail=error.message)

    def inner_address(self, work: Work) -> tuple[str, int]:
        if work.port is None:
            raise ProviderError(
                ProviderErrorKind.INVALID, f"{work.name} is a machine: EC2 knows no port on which it serves"
            )
        machine = self._finder.own(work, "reach")
        if machine.private_address is None:
            raise ProviderError(ProviderErrorKind.INVALID, f"{machine.id} has no private address")
        return machine.private_address, work.port

    def logs(self, work: Work, tail: int) -> Sequence[str]:
        """The machine's console, as EC2 keeps it: minutes old, the last 64 KiB at most."""
        machine = self._finder.own(work, "read the console of")
        answer = self._api.read("GetConsoleOutput", InstanceId=machine.id)
        text = str(answer.get("Output") or "")[-_LONGEST_LOG:]
        return text.splitlines()[-tail:] if tail > 0 else []

    def _observe(self, work: Work) -> Observation:
        found = self._finder.recorded(work) or self._finder.find(work)
        if found.alive:
            machine = found.alive[0]
            return observation_of(machine, self._looks.checks(machine.id) if machine.state == RUNNING else None)
        for one in (*found.others, *found.strangers):
            why = "another generation" if one in found.others else "no valid signature"
            detail = f"{one.id} carries this instance's id with {why}"
            return Observation(Seen.FOREIGN, one.state, one.id, one.generation, detail=detail, zone=one.zone)
        last = found.dying or found.terminated
        if last is not None:
            return observation_of(last, None)
        detail = "EC2 shows no machine of it; a new one may take some seconds to show"
        return Observation(Seen.ABSENT, ABSENT, work.provider_id, detail=detail, certain=False)

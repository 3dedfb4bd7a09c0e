"""Which machines are an instance's: found by the recorded id and by tags, sorted by what may be done with them."""

from __future__ import annotations

from dataclasses import dataclass

from domain.errors import ProviderError, ProviderErrorKind
from domain.work import Work
from providers.ec2.looks import Looks
from providers.ec2.sight import SHUTTING_DOWN, TERMINATED, Machine
from providers.ec2.tags import Ownership


@dataclass(frozen=True)
class Found:
    """One look. `alive` and `dead` are of the work's own generation, oldest first, the recorded one before all.

    `others`: alive, ours, of another generation. `strangers`: alive and marked with this instance's id, but not
    by us.
    """

    alive: tuple[Machine, ...]
    dead: tuple[Machine, ...]
    others: tuple[Machine, ...]
    strangers: tuple[Machine, ...]

    @property
    def nothing(self) -> bool:
        return not (self.alive or self.dead or self.others or self.strangers)

    @property
    def ours(self) -> tuple[Machine, ...]:
        return self.alive + self.others

    @property
    def dying(self) -> Machine | None:
        return next((one for one in self.dead if one.state == SHUTTING_DOWN), None)

    @property
    def terminated(self) -> Machine | None:
        return next((one for one in self.dead if one.state == TERMINATED), None)


class Finder:
    def __init__(self, looks: Looks, ownership: Ownership, window: float) -> None:
        self._looks = looks
        self._ownership = ownership
        self._window = window

    def find(self, work: Work) -> Found:
        """By tags over all generations and states, and by the recorded id: tags show later than ids, or vanish
        earlier."""
        machines = {one.id: one for one in self._looks.machines_of(work.instance_id)}
        recorded = work.provider_id
        if recorded and recorded not in machines and (one := self._looks.machine(recorded)) is not None:
            machines[one.id] = one
        return self._sorted(work, list(machines.values()))

    def recorded(self, work: Work) -> Found | None:
        """The recorded machine alone, in one request; None where that does not settle it."""
        one = self._looks.machine(work.provider_id) if work.provider_id else None
        if one is None or not one.alive:
            return None
        found = self._sorted(work, [one])
        return found if found.alive else None

    def own(self, work: Work, verb: str) -> Machine:
        """The machine that `verb` acts on, or why it cannot."""
        found = self.recorded(work) or self.find(work)
        if found.alive:
            return found.alive[0]
        refuse_strangers(work, found)
        raise ProviderError(
            ProviderErrorKind.NOT_FOUND, f"cannot {verb} {work.name}: EC2 shows no machine of it any more"
        )

    def _sorted(self, work: Work, machines: list[Machine]) -> Found:
        alive: list[Machine] = []
        dead: list[Machine] = []
        others: list[Machine] = []
        strangers: list[Machine] = []
        for one in sorted(machines, key=lambda one: one.id != work.provider_id):
            young = one.id == work.provider_id and one.may_lack_tags(self._window)
            if not young and not self._ownership.is_of(one.tags, work.instance_id):
                if one.alive:
                    strangers.append(one)
            elif not young and one.generation != work.identity.generation:
                if one.alive:
                    others.append(one)
            else:
                (alive if one.alive else dead).append(one)
        return Found(tuple(alive), tuple(dead), tuple(others), tuple(strangers))


def refuse_strangers(work: Work, found: Found) -> None:
    if found.strangers:
        ids = ", ".join(one.id for one in found.strangers)
        raise ProviderError(
            ProviderErrorKind.INVALID,
            f"{ids} carries the id of {work.name} without this Berth's signature; it is touched by nobody: "
            "remove its berth tags, or the machine itself, by hand",
        )
    if found.others:
        one = found.others[0]
        raise ProviderError(
            ProviderErrorKind.INVALID,
            f"{one.id} of generation {one.generation} stands in the place of {work.name}; "
            "remove it from the inventory first",
        )

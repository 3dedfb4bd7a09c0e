"""The living processes of an instance, found by what they carry in their environment.

That is how a process is found again whose starter was killed before it wrote anything down. Another user's process
cannot pass for one of ours: the OS user is compared first, and the signature belongs to one identity alone.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from domain.work import Identity
from system import processes
from system.processes import ProcessFacts

RUN, INITIALISE = "run", "initialise"
_NAMES = {
    "server_id": "BERTH_SERVER_ID",
    "project": "BERTH_PROJECT",
    "deployment_id": "BERTH_DEPLOYMENT_ID",
    "instance_id": "BERTH_INSTANCE_ID",
    "generation": "BERTH_GENERATION",
    "signature": "BERTH_SIGNATURE",
}
_STEP = "BERTH_STEP"


@dataclass(frozen=True)
class Member:
    facts: ProcessFacts
    identity: Identity | None
    """None: known as a member only by where it works (PostgreSQL's children overwrite their environment)."""
    step: str

    def carries(self, identity: Identity) -> bool:
        own = self.identity
        return (
            own is not None
            and replace(own, signature="") == replace(identity, signature="")
            and hmac.compare_digest(own.signature, identity.signature)
        )


def identity_environment(identity: Identity, step: str) -> dict[str, str]:
    carried = {variable: str(getattr(identity, field)) for field, variable in _NAMES.items()}
    return {**carried, _STEP: step}


class Crowd:
    """Every living process of an OS user, read once: for one look, or for a listing of many instances."""

    def __init__(self) -> None:
        self._read: dict[int, list[tuple[Member, Path | None]]] = {}

    def of(self, uid: int) -> list[tuple[Member, Path | None]]:
        """Each with the directory that it works in."""
        if uid not in self._read:
            self._read[uid] = [
                (_member(facts), processes.working_directory(facts.id)) for facts in processes.every(uid)
            ]
        return self._read[uid]


def members(instance_id: str, uid: int, data: Path, crowd: Crowd | None = None) -> list[Member]:
    """Every living process of this user that carries the instance's id or works in its data directory."""
    found = []
    for member, directory in (crowd or Crowd()).of(uid):
        carries_id = member.identity is not None and member.identity.instance_id == instance_id
        if (carries_id or _is_below(directory, data)) and processes.find(member.facts.id) is not None:
            found.append(member)
    return found


def main_processes(found: Sequence[Member], identity: Identity) -> list[Member]:
    """Those that were started as the instance itself: signed, and not the child of another member."""
    pids = {member.facts.id.pid for member in found}
    return [
        member
        for member in found
        if member.step == RUN and member.carries(identity) and member.facts.parent not in pids
    ]


def all_signed(server_id: str) -> Iterator[Member]:
    """Every process on this machine that says it belongs to this Berth; the signature is still to be checked."""
    for member in map(_member, processes.every()):
        if member.identity is not None and member.identity.server_id == server_id:
            yield member


def _member(facts: ProcessFacts) -> Member:
    environment = processes.environment(facts.id)
    return Member(facts, _identity(environment), environment.get(_STEP, RUN))


def _identity(environment: Mapping[str, str]) -> Identity | None:
    try:
        values = {field: environment[variable] for field, variable in _NAMES.items()}
        return Identity(**{**values, "generation": int(values["generation"])})  # type: ignore[arg-type]
    except (KeyError, ValueError):
        return None


def _is_below(path: Path | None, folder: Path) -> bool:
    return path is not None and path.is_relative_to(folder)

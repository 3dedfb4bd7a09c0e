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


def members(instance_id: str, uid: int, data: Path) -> list[Member]:
    """Every living process of this user that carries the instance's id or works in its data directory."""
    found = []
    for facts in processes.every(uid):
        environment = processes.environment(facts.id)
        identity = _identity(environment)
        carries_id = identity is not None and identity.instance_id == instance_id
        if carries_id or _is_below(processes.working_directory(facts.id), data):
            found.append(Member(facts, identity, environment.get(_STEP, RUN)))
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
    for facts in processes.every():
        environment = processes.environment(facts.id)
        identity = _identity(environment)
        if identity is not None and identity.server_id == server_id:
            yield Member(facts, identity, environment.get(_STEP, RUN))


def _identity(environment: Mapping[str, str]) -> Identity | None:
    try:
        values = {field: environment[variable] for field, variable in _NAMES.items()}
        return Identity(**{**values, "generation": int(values["generation"])})  # type: ignore[arg-type]
    except (KeyError, ValueError):
        return None


def _is_below(path: Path | None, folder: Path) -> bool:
    return path is not None and path.is_relative_to(folder)

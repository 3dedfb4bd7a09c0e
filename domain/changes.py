"""What an operation touches: pure decisions from the desired spec, the members and the table of moves.

Asked by acceptance (services) and by the plan page (API), so that what is shown is what is done.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from domain.errors import OnHold, OperationNotAllowed
from domain.holds import Resumed, Standing, why_held
from domain.lifecycle import (
    AFTER_DELETE_PLANNED,
    IN_PROGRESS,
    REFUSED_ON_HOLD,
    Ending,
    Operation,
    Role,
    Status,
    allowed_operations,
    move_for,
)


@dataclass(frozen=True)
class Member:
    """What decisions need to know of one instance."""

    id: str
    name: str
    ordinal: int
    role: Role
    status: Status
    applied: Mapping[str, Any] | None
    delete_begun: bool = False
    half_done: bool = False
    """In error since an operation failed, or changed in part: what is applied may not be what the object has."""
    holds: tuple[Standing, ...] = ()
    """The suspensions that stand on its deployment."""
    resumes: Resumed | None = None
    """What it goes back to when they are lifted."""

    @property
    def held(self) -> bool:
        """Whether a hold decides about it: what is half deleted can start nothing anyhow."""
        return bool(self.holds) and not self.delete_begun


@dataclass(frozen=True)
class Touch:
    """One instance in one operation: the verb, and the statuses of its move, fixed for good."""

    instance_id: str
    instance_name: str
    verb: Operation
    before: Status | None
    during: Status | None
    done: str
    failed: str
    cancelled: str


def touch(member: Member, verb: Operation, asked: Operation | None = None) -> Touch:
    """The move of `member` for `verb`; legality is that of `asked` (a modify may create and delete members).

    Raises `OperationNotAllowed`.
    """
    check_legal(member, asked or verb)
    source = None if verb is Operation.CREATE else member.status
    move = move_for(verb, source, held=member.held)

    def ending(value: Status | Ending) -> str:
        if value is Ending.AS_BEFORE_SUSPENSION and member.resumes is not None:
            return member.resumes.status.value
        return member.status.value if value is Ending.AS_BEFORE else value.value

    return Touch(
        member.id,
        member.name,
        verb,
        member.status,
        move.during,
        ending(move.done),
        ending(move.failed),
        ending(move.cancelled),
    )


def check_legal(member: Member, operation: Operation) -> None:
    """Raise `OperationNotAllowed` unless the table allows `operation` on `member` now."""
    if member.delete_begun and operation not in AFTER_DELETE_PLANNED:
        raise OperationNotAllowed(
            operation.value,
            member.status.value,
            tuple(o.value for o in allowed_operations(member.status) if o in AFTER_DELETE_PLANNED),
            f"{member.name} is half deleted; nothing may start what is left of it",
        )
    if operation is Operation.CREATE:
        return
    if member.held and (operation in REFUSED_ON_HOLD or operation in allowed_operations(member.status)):
        check_not_held(member, operation)
    move_for(operation, member.status, held=member.held)


def check_not_held(member: Member, operation: Operation) -> None:
    """Raise `OnHold`, naming the hold and who can lift it, where it forbids `operation`."""
    allowed = allowed_operations(member.status, held=member.held)
    if member.held and operation not in allowed:
        raise OnHold(
            operation.value,
            member.status.value,
            tuple(o.value for o in allowed),
            f"{operation} of {member.name} is refused: {why_held(member.holds)}",
        )


def split_legal(
    members: Iterable[Member], operation: Operation
) -> tuple[list[Member], list[tuple[Member, OperationNotAllowed]]]:
    """Those whose status allows `operation`, and those to be skipped with the reason."""
    able: list[Member] = []
    skipped: list[tuple[Member, OperationNotAllowed]] = []
    for member in members:
        try:
            check_legal(member, operation)
        except OperationNotAllowed as refusal:
            skipped.append((member, refusal))
        else:
            able.append(member)
    return able, skipped


@dataclass(frozen=True)
class Scaling:
    """Which members stay, which go, and how many are to be made."""

    keep: tuple[Member, ...]
    remove: tuple[Member, ...]
    missing: int


def scale(members: Sequence[Member], wanted: int) -> Scaling:
    """Choose the members that make up `wanted`.

    Scale-in removes the highest number, never a primary; what a delete has begun on goes first, for nothing
    may start half-deleted data.
    """
    living = [m for m in members if not m.delete_begun]
    order = sorted(living, key=lambda m: (m.role is not Role.PRIMARY, m.ordinal))
    keep = tuple(sorted(order[:wanted], key=lambda m: m.ordinal))
    kept = {m.id for m in keep}
    remove = tuple(m for m in sorted(members, key=lambda m: -m.ordinal) if m.id not in kept)
    return Scaling(keep, remove, wanted - len(keep))


def free_ordinals(members: Iterable[Member], count: int) -> list[int]:
    """The lowest member numbers that nobody has. Names follow from them and never change."""
    taken = {m.ordinal for m in members}
    found: list[int] = []
    candidate = 1
    while len(found) < count:
        if candidate not in taken:
            found.append(candidate)
        candidate += 1
    return found


def member_name(deployment: str, ordinal: int) -> str:
    """The first member is named like the deployment, further ones NAME-2, NAME-3."""
    return deployment if ordinal == 1 else f"{deployment}-{ordinal}"


def modify_verb(member: Member, desired: Mapping[str, Any]) -> Operation | None:
    """What brings a kept member to `desired`: nothing, a change, or the create that never succeeded."""
    if member.applied is None:
        return Operation.CREATE
    same = dict(member.applied) == dict(desired) and not member.half_done
    return None if same else Operation.MODIFY


def deployment_status(statuses: Iterable[Status]) -> Status | None:
    """The worst member: error > in progress > maintenance > suspended > stopped > running."""
    found = set(statuses)
    for status in (Status.ERROR, *sorted(IN_PROGRESS), Status.MAINTENANCE, Status.SUSPENDED, Status.STOPPED):
        if status in found:
            return status
    return Status.RUNNING if found else None


def differences(before: Any, after: Any, path: str = "") -> list[tuple[str, Any, Any]]:
    """(JSON pointer, from, to) of every leaf that differs; None stands for absent."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        found: list[tuple[str, Any, Any]] = []
        for key in sorted({*before, *after}):
            found += differences(before.get(key), after.get(key), f"{path}/{key}")
        return found
    return [] if before == after else [(path, before, after)]

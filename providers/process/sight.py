"""What one look at an instance means. `judge` decides from facts alone; the provider gathers them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from domain.work import Identity, Observation, Seen
from providers.process.members import INITIALISE, Member, main_processes
from providers.process.record import STOPPED, Record
from system.processes import ProcessFacts

_CLEAN_EXITS = (0, 137, 143)


@dataclass(frozen=True)
class Sight:
    """The facts of one look, and what they mean."""

    observation: Observation
    record: Record | None = None
    main: ProcessFacts | None = None
    by_hand: bool = False
    """Its process was started by somebody else, and no record names it."""

    @property
    def seen(self) -> Seen:
        return self.observation.seen


@dataclass(frozen=True)
class Facts:
    """Everything `judge` needs to know. `members` are all living processes of the instance."""

    home: bool
    record: Record | None
    members: tuple[Member, ...]
    pid_file_left: bool
    boot_id: str
    unheld: bool = False
    """Nobody holds its life lock, which whatever Berth starts inherits: what lives was started past Berth."""
    served: bool = False
    """Somebody of its OS user listens on its port."""


def judge(facts: Facts, identity: Identity) -> Sight:
    """The meaning of the facts for the instance with this identity."""
    # Once a process is recorded, nothing else that Berth started can be the instance: what carries its environment
    # then are children that outlived it. A start that was killed before it wrote its process down leaves one to be
    # found; so does whoever starts the same command line by hand, and such a process holds no life lock.
    recorded = facts.record is not None and facts.record.process is not None
    mains = [] if recorded and not facts.unheld else main_processes(facts.members, identity)
    strange = _what_is_strange(facts, mains, identity)
    if strange is not None:
        return _sight(Seen.FOREIGN, "foreign", strange, facts.record)
    if mains:
        return alive(mains[0].facts, facts.record, by_hand=facts.unheld)
    if any(member.step == INITIALISE for member in facts.members):
        return _sight(Seen.TRANSIENT, "initialising", None, facts.record)
    if not facts.home:
        return _sight(Seen.ABSENT, "absent", None, None)
    if facts.record is None:
        return _sight(Seen.CRASHED, "incomplete", "its record is missing or damaged", None)
    return _ended(facts.record, facts)


def _what_is_strange(facts: Facts, mains: Sequence[Member], identity: Identity) -> str | None:
    if facts.record is not None and not facts.record.carries(identity):
        return "its record names another identity or generation"
    if len(mains) > 1:
        pids = ", ".join(str(member.facts.id.pid) for member in mains)
        return f"several processes carry this identity: {pids}"
    if any(member.identity is not None and not member.carries(identity) for member in facts.members):
        return "a process carries its id with another signature or generation"
    strangers = [member for member in facts.members if member.identity is None]
    if strangers and not mains and facts.unheld and facts.served:
        return f"pid {strangers[0].facts.id.pid} runs in its directory and on its port, without its signature"
    return None


def alive(main: ProcessFacts, record: Record | None, *, by_hand: bool = False) -> Sight:
    """The meaning of a living process that is known to be the instance's."""
    pid = f"pid {main.id.pid}"
    if record is not None and record.wanted == STOPPED and not by_hand:  # else: stopped long before it was started
        sight = _sight(Seen.TRANSIENT, "stopping", f"the process is being stopped ({pid})", record, main)
    elif main.paused:
        sight = _sight(Seen.TRANSIENT, "paused", f"the process is paused ({pid})", record, main)
    else:
        sight = _sight(Seen.UP, "running", f"{pid}, started outside Berth" if by_hand else pid, record, main)
    return replace(sight, by_hand=by_hand)


def _ended(record: Record, facts: Facts) -> Sight:
    """No process lives. Asked for, or by itself; and if by itself, cleanly or not?"""
    if record.wanted == STOPPED:
        return _sight(Seen.DOWN, "stopped", None, record)
    if record.process is None:
        return _sight(Seen.CRASHED, "incomplete", "its start was interrupted", record)
    if record.process.boot_id != facts.boot_id:
        return _sight(Seen.DOWN, "stopped", "the host was rebooted", record)
    if record.exit_code is not None:
        clean = record.exit_code in _CLEAN_EXITS
        detail = f"it ended by itself with exit code {record.exit_code}"
        return _sight(Seen.DOWN if clean else Seen.CRASHED, "exited", detail, record)
    if record.ending.pid_file is not None and not facts.pid_file_left:
        return _sight(Seen.DOWN, "exited", "it was shut down cleanly by somebody else", record)
    return _sight(Seen.CRASHED, "exited", "its process is gone and nobody asked for it", record)


def _sight(
    seen: Seen, state: str, detail: str | None, record: Record | None, main: ProcessFacts | None = None
) -> Sight:
    generation = None if record is None else record.identity.generation
    return Sight(Observation(seen, state, generation=generation, detail=detail), record, main)

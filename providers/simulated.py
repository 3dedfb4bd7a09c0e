"""Instances that exist only as rows of a file, with scripted delays and faults: development, demos, tests.

It keeps the promises of a real provider – one object per instance, identity checked, idempotent verbs – so that
what passes here passes elsewhere for the same reasons.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from domain.errors import ProviderError, ProviderErrorKind
from domain.glimpses import Glimpse
from domain.lifecycle import Operation
from domain.limits import Budget
from domain.work import Call, Identity, InventoryItem, Observation, Outcome, Seen, Work
from providers.base import Bell, Provider
from providers.entry import ProviderEntry, Setup
from providers.simulated_acting import dawdle, refuse, seconds_of
from providers.simulated_faults import FOR_EVER, Fault, FaultKind, Verb
from providers.simulated_object import ABSENT, RUNNING, STOPPED, SimulatedObject, provider_id_of
from providers.simulated_store import SimulatedStore

_LONGEST_OBSERVE = 5.0
_NO_PORT = 1


@dataclass(frozen=True)
class _Effect:
    """What a verb aims at: what shows meanwhile, and where it ends (None: as it is)."""

    during: str
    target: str | None
    creates: bool = False
    repeats: bool = False
    """Acts even when the object is already where it should be."""


_EFFECTS: Mapping[Verb, _Effect] = {
    Verb.CREATE: _Effect("creating", RUNNING, creates=True),
    Verb.START: _Effect("starting", RUNNING),
    Verb.STOP: _Effect("stopping", STOPPED),
    Verb.RESTART: _Effect("restarting", RUNNING, repeats=True),
    Verb.MODIFY: _Effect("modifying", None, repeats=True),
    Verb.DELETE: _Effect("deleting", ABSENT),
}


class SimulatedProvider:
    name = "simulated"
    probes = False
    needs_port = False

    def __init__(
        self,
        path: Path,
        server_id: str,
        *,
        verify: Callable[[Identity], bool] = lambda _: True,
        clock: Callable[[], float] = time.time,
        options: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._store = SimulatedStore(path)
        self._server_id = server_id
        self._verify = verify
        self._clock = clock
        self._identity = options.get("identity", server_id)
        self.consistency_seconds = float(options.get("consistency_seconds", "0"))
        self.poll_seconds = float(options.get("poll_seconds", "0.5"))
        self.glance_seconds = float(options.get("glance_seconds", "1.0"))

    def create(self, work: Work, call: Call) -> Outcome:
        return self._act(Verb.CREATE, work, call)

    def start(self, work: Work, call: Call) -> Outcome:
        return self._act(Verb.START, work, call)

    def stop(self, work: Work, call: Call) -> Outcome:
        return self._act(Verb.STOP, work, call)

    def restart(self, work: Work, call: Call) -> Outcome:
        return self._act(Verb.RESTART, work, call)

    def modify(self, work: Work, call: Call) -> Outcome:
        return self._act(Verb.MODIFY, work, call)

    def delete(self, work: Work, call: Call) -> Outcome:
        return self._act(Verb.DELETE, work, call)

    def observe(self, work: Work) -> Observation:
        fault = self._store.begin_call(work, Verb.OBSERVE)
        if fault is not None:
            blind = self._blind(fault, work)
            if blind is not None:
                return blind
        found = self._store.find(work.instance_id, self._clock())
        if found is None:
            return Observation(Seen.ABSENT, ABSENT)
        if not found.carries(work.identity):
            detail = f"the object belongs to generation {found.generation}"
            return Observation(Seen.FOREIGN, found.state, found.provider_id, found.generation, detail=detail)
        return Observation(_seen(found.state), found.state, found.provider_id, found.generation, found.endpoint)

    def glance(self) -> Sequence[Glimpse]:
        """A fault of `observe` that meets everything for ever is an outage: it meets this too."""
        for fault in self._store.faults():
            if (fault.verb, fault.instance, fault.times) == (Verb.OBSERVE, "*", FOR_EVER):
                raise ProviderError(ProviderErrorKind.TRANSIENT, f"simulated: {fault.kind.value}")
        return [
            Glimpse(instance_id, _seen(state), state, provider_id_of(instance_id), generation)
            for instance_id, generation, state in self._store.states(self._server_id, self._clock())
        ]

    def watch(self, bell: Bell) -> None:
        """Nothing tells of a change of the file."""

    def identity(self) -> str:
        return self._identity

    def inner_address(self, work: Work) -> tuple[str, int]:
        # Nothing can connect, and nothing tries: what is simulated gets a name that never resolves.
        return f"{work.name}.invalid", work.port or _NO_PORT

    def inventory(self) -> Sequence[InventoryItem]:
        return [
            InventoryItem(
                provider_id=found.provider_id,
                state=found.state,
                owned=self._is_ours(found),
                instance_id=found.instance_id,
                deployment_id=found.deployment_id,
                generation=found.generation,
                endpoint=found.endpoint,
                calls=self._store.calls(found.instance_id),
            )
            for found in self._store.all(self._clock())
        ]

    def remove(self, provider_id: str, call: Call) -> None:
        found = self._store.find(provider_id.removeprefix("sim-"), self._clock())
        if found is None:
            return
        if not self._is_ours(found):
            raise ProviderError(ProviderErrorKind.INVALID, f"{provider_id} is not signed by this Berth")
        call.guard()
        with self._store.transaction() as db:
            self._store.drop(db, found.instance_id)

    def logs(self, work: Work, tail: int) -> Sequence[str]:
        lines = self._store.lines(work.instance_id, tail)
        return [
            f"{datetime.fromtimestamp(at, UTC).isoformat(timespec='milliseconds')} {line}" for at, line in lines
        ]

    def calls(self, instance_id: str) -> dict[str, int]:
        """How often each verb was called, also for what is gone."""
        return self._store.calls(instance_id)

    def set_fault(self, fault: Fault) -> None:
        self._store.set_fault(fault)

    def clear_faults(self) -> None:
        self._store.clear_faults()

    def faults(self) -> list[Fault]:
        return self._store.faults()

    def close(self) -> None:
        """Close this thread's connection to the file."""
        self._store.close()

    def _act(self, verb: Verb, work: Work, call: Call) -> Outcome:
        fault = self._store.begin_call(work, verb)
        kind = None if fault is None else fault.kind
        if fault is not None:
            refuse(fault, work)
            dawdle(fault, call)
        call.guard()
        if kind is FaultKind.GONE:
            return self._vanish(verb, work)
        delay = seconds_of(fault) if fault is not None and kind is FaultKind.UNCONFIRMED else None
        outcome = self._apply(verb, work, delay)
        if kind is FaultKind.ERROR_AFTER_SUCCESS:
            raise ProviderError(
                ProviderErrorKind.TRANSIENT, f"simulated: {verb.value} was done, but the answer was lost"
            )
        return outcome

    def _apply(self, verb: Verb, work: Work, delay: float | None) -> Outcome:
        """Bring the object to where the verb ends. `delay`: the provider settles only that much later."""
        effect, now = _EFFECTS[verb], self._clock()
        with self._store.transaction() as db:
            found = self._store.find(work.instance_id, now)
            if found is None:
                if verb is Verb.DELETE:
                    self._store.drop(db, work.instance_id)
                    return Outcome(True, ABSENT, provider_id_of(work.instance_id))
                if not effect.creates:
                    raise _missing(verb, work)
                found = SimulatedObject.new(work)
            elif not self._may_touch(found, work, verb):
                raise ProviderError(
                    ProviderErrorKind.INVALID,
                    f"an object of generation {found.generation} stands in the place of {work.name}; "
                    "remove it from the inventory first",
                )
            target = effect.target or found.settles_to or found.state
            if _is_on_its_way(found, target):
                return _outcome(found, target)
            if found.state != target or effect.repeats:
                found = _moved(found, work, effect, target, now, delay)
                if found.state == ABSENT:
                    self._store.drop(db, work.instance_id)
                else:
                    self._store.put(db, found)
                self._store.say(db, work.instance_id, now, f"{verb.value}: {found.state}")
            return _outcome(found, target)

    def _vanish(self, verb: Verb, work: Work) -> Outcome:
        with self._store.transaction() as db:
            self._store.drop(db, work.instance_id)
            self._store.say(db, work.instance_id, self._clock(), "vanished")
        if verb is Verb.DELETE:
            return Outcome(True, ABSENT, provider_id_of(work.instance_id))
        raise _missing(verb, work)

    def _blind(self, fault: Fault, work: Work) -> Observation | None:
        """What a fault makes of an observation; None when it only took time."""
        match fault.kind:
            case FaultKind.GONE:
                self._vanish(Verb.DELETE, work)
            case FaultKind.SLOW:
                time.sleep(min(seconds_of(fault), _LONGEST_OBSERVE))
            case FaultKind.HANG:
                time.sleep(min(seconds_of(fault), _LONGEST_OBSERVE))
                return Observation(Seen.NO_EVIDENCE, "unknown", detail="simulated: no answer")
            case FaultKind.UNSEEN:
                return Observation(Seen.ABSENT, ABSENT, detail="simulated: not shown yet", certain=False)
            case FaultKind.UNCONFIRMED:
                return Observation(Seen.NO_EVIDENCE, "unknown", detail="simulated: not known yet")
            case _:
                return Observation(Seen.NO_EVIDENCE, "unknown", detail=f"simulated: {fault.kind.value}")
        return None

    def _may_touch(self, found: SimulatedObject, work: Work, verb: Verb) -> bool:
        return found.carries(work.identity) or (verb is Verb.DELETE and self._is_ours(found))

    def _is_ours(self, found: SimulatedObject) -> bool:
        return found.server_id == self._server_id and self._verify(found.identity)


def _seen(state: str) -> Seen:
    return {RUNNING: Seen.UP, STOPPED: Seen.DOWN}.get(state, Seen.TRANSIENT)


def _missing(verb: Verb, work: Work) -> ProviderError:
    return ProviderError(
        ProviderErrorKind.NOT_FOUND, f"cannot {verb.value} {work.name}: its object is gone from the provider"
    )


def _moved(
    found: SimulatedObject, work: Work, effect: _Effect, target: str, now: float, delay: float | None
) -> SimulatedObject:
    params = json.dumps({key: value for key, value in work.params.items() if key != "simulate"}, sort_keys=True)
    if delay is None:
        return replace(found, state=target, settles_to=None, settles_at=None, params=params)
    return replace(found, state=effect.during, settles_to=target, settles_at=now + delay, params=params)


def _is_on_its_way(found: SimulatedObject, target: str) -> bool:
    """An earlier call was accepted and has not settled: a repeat must not start its clock again."""
    return found.settles_to == target


def _outcome(found: SimulatedObject, target: str) -> Outcome:
    return Outcome(found.state == target, found.state, found.provider_id, found.endpoint)


def _open(setup: Setup) -> Provider:
    path = setup.data_dir / "simulated.db"
    return SimulatedProvider(path, setup.server_id, verify=setup.verify, options=setup.options)


ENTRY = ProviderEntry(
    "simulated",
    "Simulated",
    "Nothing real: records with scripted delays and faults, to try things out.",
    form=None,
    on_host=False,
    open=_open,
    local_only=True,
    budgets={Operation.CREATE: Budget(120, 300, 60), Operation.DELETE: Budget(120, 300, 60)},
)

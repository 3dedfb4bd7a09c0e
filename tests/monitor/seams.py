"""A monitor taken apart: its three moves one by one, beside the moves of an operation, on real records."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from activities.parts import Parts
from activities.wakes import Wakes
from blueprints.registry import BLUEPRINTS
from db.direct import direct
from domain.errors import OperationNotAllowed
from domain.health import Pulse
from domain.lifecycle import Operation
from domain.operations import OperationStatus
from domain.specs import Accepted
from domain.work import Observation, Outcome
from monitor.lens import Lens, Sighting
from providers.base import Provider
from services.operations.fence import Owner
from services.operations.outcomes import finish
from services.operations.planning import PlanRules, claim_and_plan
from services.operations.settlement import Evidence, settle_step
from services.operations.steps import begin_step
from services.watching.looks import Look, Written
from services.watching.observers import Lease, take
from services.watching.orphans import Spot
from tests.support.calls import RecordingCall
from tests.support.spine import Spine

SIMULATED = Spot("simulated")


def parts_of(spine: Spine, providers: Mapping[str, Provider] | None = None) -> Parts:
    """What a worker would be composed of."""
    pool = ThreadPoolExecutor(1)
    return Parts(
        spine.database,
        spine.vault,
        spine.server_id,
        providers or {"simulated": spine.provider},
        BLUEPRINTS,
        [],
        pool,
        pool,
        Wakes(direct(spine.database.engine, "berth-test-wakes")),
    )


def lease_of(spine: Spine, spot: Spot = SIMULATED, holder: str = "test") -> Lease:
    lease = spine.write(lambda tx: take(tx, spot, holder))
    assert lease is not None, "somebody holds the scope"
    return lease


class Gaze:
    """One look of one monitor, in its moves. `forced`: what it sees, whatever there is."""

    MOVES = ("read", "look", "note")

    def __init__(self, lens: Lens, instance_id: str, forced: Observation | None = None) -> None:
        self._lens = lens
        self._instance_id = instance_id
        self.forced = forced
        self.sighting: Sighting | None = None
        self.found: Look | None = None
        self.written: Written | None = None

    def read(self) -> None:
        self.sighting = self._lens.read(self._instance_id)

    def look(self) -> None:
        if self.sighting is not None:
            self.found = Look(self.forced) if self.forced is not None else self._lens.look(self.sighting)

    def note(self) -> None:
        if self.sighting is not None and self.found is not None:
            self.written = self._lens.note(self.sighting, Pulse(self.sighting.before.health), self.found)

    def move(self, number: int) -> None:
        getattr(self, self.MOVES[number])()

    def all(self) -> Written | None:
        for number in range(len(self.MOVES)):
            self.move(number)
        return self.written


class Steps:
    """One operation on one instance, in the transactions and the provider call that it is made of."""

    MOVES = ("accept", "plan", "begin", "call", "settle", "finish")

    def __init__(self, spine: Spine, deployment_id: str, instance_id: str, verb: str) -> None:
        self._spine = spine
        self._deployment_id = deployment_id
        self._instance_id = instance_id
        self._verb = verb
        self.accepted: Accepted | None = None
        self.refused = False
        self.finished = False
        self._owner: Owner | None = None
        self._outcome: Outcome | None = None

    def move(self, number: int) -> None:
        """The next one of `MOVES`; once it was refused there is nothing more to do."""
        if not self.refused:
            getattr(self, self.MOVES[number])()

    @property
    def holds(self) -> bool:
        return self.accepted is not None and not self.finished

    def accept(self) -> None:
        try:
            self.adopt(self._spine.act(Operation(self._verb), self._deployment_id))
        except OperationNotAllowed:
            self.refused = True

    def adopt(self, accepted: Accepted) -> None:
        self.accepted, self._owner = accepted, Owner(accepted.operation_id, "run-1")

    def plan(self) -> None:
        owner = self._required()
        self._spine.write(lambda tx: claim_and_plan(tx, owner, "run-1", PlanRules(0.0)))

    def begin(self) -> None:
        owner, spine = self._required(), self._spine
        self._step = spine.write(lambda tx: begin_step(tx, spine.vault, spine.server_id, owner, self._instance_id))

    def call(self) -> None:
        self._outcome = getattr(self._spine.provider, self._verb)(self._step.work, RecordingCall())

    def settle(self) -> None:
        owner, outcome = self._required(), self._outcome
        assert outcome is not None
        self._spine.write(
            lambda tx: settle_step(tx, owner, self._instance_id, self._step.attempt, Evidence(outcome))
        )

    def finish(self) -> None:
        owner = self._required()
        self._spine.write(lambda tx: finish(tx, owner, OperationStatus.SUCCEEDED))
        self.finished = True

    def _required(self) -> Owner:
        assert self._owner is not None
        return self._owner

"""The activities that only write records: Plan, Finish, and what lies between. Short, local, safe to repeat."""

from __future__ import annotations

from temporalio import activity

from activities.contracts import (
    ConfirmationInput,
    FailedStep,
    FinishInput,
    FinishResult,
    OwnerInput,
    PlanInput,
    PlannedStepResult,
    PlanResult,
)
from activities.failures import as_temporal_failures
from db.models import OperationRow
from db.session import Database
from domain.errors import FenceLost, Refused
from domain.operations import OperationStatus, Source
from domain.specs import Ask, Caller, Idempotency
from services.access.audit import UNAUTHENTICATED_SIGNAL, note
from services.billing.duties import withdrawn
from services.operations.confirmations import record_confirmation
from services.operations.fence import Owner
from services.operations.outcomes import end_listening, finish
from services.operations.planning import PlanRules, claim_and_plan
from services.operations.settlement import fail_step
from services.requests.repeats import retry


class RecordActivities:
    """Needs the database only."""

    def __init__(self, database: Database, rules: PlanRules) -> None:
        self._database = database
        self._rules = rules

    @activity.defn
    def plan_operation(self, given: PlanInput) -> PlanResult:
        """Claim the fence and write the planned states; a repeat returns the stored plan."""
        with as_temporal_failures():
            with self._database.begin() as tx:
                owner = _owner(given.owner)
                unwanted = withdrawn(tx, owner.operation_id)
                plan = {} if unwanted else claim_and_plan(tx, owner, given.run_id, self._rules)
            if unwanted:
                raise FenceLost("a payment came before the delete began")
        phases = [[PlannedStepResult(**step) for step in phase] for phase in plan["phases"]]
        return PlanResult(**{**plan, "phases": phases})

    @activity.defn
    def fail_step(self, given: FailedStep) -> None:
        """One instance is `error` with its cause."""
        with as_temporal_failures(), self._database.begin() as tx:
            error = dict(given.error)
            fail_step(tx, _owner(given.owner), given.instance_id, error, step_name=given.step)

    @activity.defn
    def finish_operation(self, given: FinishInput) -> FinishResult:
        """Record the outcome once; whoever comes second gets the recorded one."""
        with as_temporal_failures(), self._database.begin() as tx:
            recorded = finish(
                tx,
                _owner(given.owner),
                OperationStatus(given.verdict),
                error=dict(given.error) if given.error else None,
                looks=given.looks,
                park_seconds=given.park_seconds,
            )
        return FinishResult(recorded["status"], recorded["error"], recorded["parked"])

    @activity.defn
    def accept_retry(self, owner: OwnerInput) -> str | None:
        """Accept the retry that a signal asked for; returns the new operation's id, None when refused."""
        with as_temporal_failures():
            try:
                with self._database.begin() as tx:
                    end_listening(tx, owner.operation_id)
                    operation = tx.session.get_one(OperationRow, owner.operation_id)
                    caller = Caller(UNAUTHENTICATED_SIGNAL, operation.project, Source.USER)
                    once = Idempotency("retry signal", owner.operation_id, "")
                    return retry(tx, Ask(caller, idempotency=once), owner.operation_id).operation_id
            except Refused as refusal:
                activity.logger.info("retry by signal refused: %s", refusal.message)
                return None

    @activity.defn
    def stop_listening(self, owner: OwnerInput) -> None:
        """The run of a failed operation no longer listens."""
        with as_temporal_failures(), self._database.begin() as tx:
            end_listening(tx, owner.operation_id)

    @activity.defn
    def record_confirmation(self, given: ConfirmationInput) -> None:
        """Store a confirmation that arrived as a signal; the poll looks at once."""
        with as_temporal_failures(), self._database.begin() as tx:
            caller = Caller(UNAUTHENTICATED_SIGNAL, source=Source.EXTERNAL)
            owner, about = given.owner.operation_id, given.instance_id
            record_confirmation(tx, caller, owner, about, given.kind, given.generation)
            note(tx, caller, "signal_confirm", about, detail=f"{given.kind} of {owner}")


def _owner(given: OwnerInput) -> Owner:
    return Owner(given.operation_id, given.original_run_id)

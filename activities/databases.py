"""The activities about a deployment's database: allocated before its instances, released after the last of them.

Both are idempotent, and short: where a server must first be made or removed, that is asked for through the
ordinary doors and the attempt ends as `NotYet`: waiting takes no place from the work that is waited for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.calls import ActivityCall, in_thread
from activities.contracts import StepInput, StepResult
from activities.database_sql import (
    Administrator,
    NameForeign,
    Wanted,
    drop_database,
    ensure_database,
    set_password,
)
from activities.failures import as_temporal_failures
from activities.parts import Parts
from blueprints.postgres_sql import ADMIN, APP
from domain.databases import DatabaseStep
from domain.errors import AttemptOver, BerthError, FenceLost, NotYet, ProviderError, ProviderErrorKind
from domain.work import DatabaseAccess
from services.databases.allocations import (
    DatabaseTask,
    ask_for_database,
    ask_for_release,
    begin_database_step,
    rename_database,
    settle_allocation,
    settle_release,
)
from services.operations.fence import Owner
from services.operations.steps import end_attempt
from services.operations.works import GrantedDatabase

_LOOK_AGAIN = timedelta(seconds=0.7)


def database_access(granted: GrantedDatabase | None, parts: Parts) -> DatabaseAccess | None:
    """The database as an instance beside its server reaches it; None while there is none to reach."""
    if granted is None:
        return None
    if granted.address is not None:
        place = granted.address.host, granted.address.port
    elif granted.server is None or granted.provider is None:
        return None
    else:
        server = replace(granted.server, recipes=parts.blueprints.get(granted.server.blueprint))
        try:
            place = parts.providers[granted.provider].inner_address(server)
        except ProviderError:
            return None
    return DatabaseAccess(*place, granted.name, granted.user, granted.password)


class DatabaseActivities:
    """Composed by the worker, like `InstanceActivities`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    @activity.defn
    async def allocate_database(self, given: StepInput) -> StepResult:
        """Bring about the database of a deployment: the same one, with the same credentials, however often."""
        return await self._attempt(given, DatabaseStep.ALLOCATE, self._allocate)

    @activity.defn
    async def release_database(self, given: StepInput) -> StepResult:
        """Remove the database of a deployment that is gone, or its whole server."""
        return await self._attempt(given, DatabaseStep.RELEASE, self._release)

    async def _attempt(
        self, given: StepInput, step: DatabaseStep, work: Callable[[Owner, StepInput, ActivityCall], None]
    ) -> StepResult:
        owner = Owner(given.owner.operation_id, given.owner.original_run_id)
        call = ActivityCall(self._parts.database, owner, given.instance_id, step_name=step)

        def attempt() -> None:
            with self._parts.database.begin() as tx:
                call.attempt = begin_database_step(tx, owner, given.instance_id, step)
            if call.attempt is None:
                return
            try:
                work(owner, given, call)
            except NotYet as awaited:
                call.progress(awaited.message)
                raise
            except BerthError as error:
                self._record_failure(call, given.instance_id, step, error)
                raise

        with as_temporal_failures():
            try:
                await in_thread(self._parts.pool, call, attempt)
            except NotYet as awaited:
                raise ApplicationError(awaited.message, type=awaited.code, next_retry_delay=_LOOK_AGAIN) from None
        return StepResult(confirmed=True)

    def _record_failure(self, call: ActivityCall, instance_id: str, step: DatabaseStep, error: BerthError) -> None:
        if isinstance(error, FenceLost | AttemptOver) or call.owner is None or call.attempt is None:
            return
        with self._parts.database.begin() as tx:
            end_attempt(tx, call.owner, instance_id, call.attempt, error.message, step_name=step)

    def _allocate(self, owner: Owner, given: StepInput, call: ActivityCall) -> None:
        parts = self._parts
        while True:
            with parts.database.begin() as tx:
                task = ask_for_database(tx, parts.vault, parts.server_id, owner, given.instance_id)
            try:
                self._make(task, call)
                break
            except NameForeign:
                with parts.database.begin() as tx:
                    rename_database(tx, owner, given.instance_id)
        assert call.attempt is not None
        with parts.database.begin() as tx:
            settle_allocation(tx, owner, given.instance_id, call.attempt)

    def _make(self, task: DatabaseTask, call: ActivityCall) -> None:
        if task.waiting is not None:
            raise NotYet(task.waiting)
        if task.database is not None:
            found = task.database
            change = set_password if task.only_password else ensure_database
            change(self._administrator(found), Wanted(found.name, found.password, task.mark), call.guard)

    def _release(self, owner: Owner, given: StepInput, call: ActivityCall) -> None:
        parts = self._parts
        with parts.database.begin() as tx:
            task = ask_for_release(tx, parts.vault, parts.server_id, owner, given.instance_id)
        if task.waiting is not None:
            raise NotYet(task.waiting)
        if task.database is not None:
            found = task.database
            drop_database(self._administrator(found), found.name, task.mark, call.guard)
        assert call.attempt is not None
        with parts.database.begin() as tx:
            settle_release(tx, owner, given.instance_id, call.attempt)

    def _administrator(self, granted: GrantedDatabase) -> Administrator:
        """Who may make databases there: on a server of ours the blueprint's own role, at its port here."""
        if granted.server is not None:
            work = granted.server
            password = work.secrets["admin_password"]
            return Administrator(
                "127.0.0.1", work.own_port, ADMIN, password, closes=("postgres", "template1", APP)
            )
        shared = self._parts.shared
        if shared is None or shared.address != granted.address:
            raise ProviderError(
                ProviderErrorKind.AUTH,
                f"this worker has no administrator for the database server at {granted.address}: "
                "set BERTH_SHARED_DATABASE_URL to it again",
            )
        return shared.administrator

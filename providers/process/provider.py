"""Instances as plain operating-system processes that outlive us and are found again.

Every verb works under the instance's verb lock, looks first, and can be killed at any point and run again:
homes are made and removed by renaming, an unfinished initialisation starts afresh, and the life lock makes a
second process impossible (locks.py). Isolation is by OS user per project; CPU, memory and disk are not limited.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from domain.errors import ProviderError, ProviderErrorKind
from domain.glimpses import Glimpse
from domain.work import Call, Identity, InventoryItem, Observation, Outcome, ProcessRecipe, Seen, Work
from providers.base import Bell
from providers.process import logs
from providers.process.disk import clear_errors
from providers.process.ending import claim_life, end
from providers.process.exits import Exits
from providers.process.inventory import Holding, glimpses, holdings
from providers.process.launching import Launch
from providers.process.locks import exclusive
from providers.process.members import members
from providers.process.places import Place, build, discard, prepare_root, require_reachable, write_files
from providers.process.record import RUNNING, STOPPED, Ending, Record, read_record, write_record
from providers.process.refusals import foreign, refuse_foreign, require_data, require_home
from providers.process.runtimes import Runtimes
from providers.process.sight import Sight
from providers.process.users import project_user
from providers.process.watch import Watch
from system import processes
from system.users import OsUser

_DELETE_SECONDS = 5.0
_UNENFORCED = "plain processes share the host: CPU, memory and disk limits are not enforced"


class ProcessProvider:
    name = "process"
    probes = True
    needs_port = True
    consistency_seconds = 0.0
    poll_seconds = 0.5
    glance_seconds = 5.0

    def __init__(
        self,
        *,
        root: Path,
        runtime_root: Path,
        server_id: str,
        host_id: str,
        verify: Callable[[Identity], bool],
    ) -> None:
        """`verify` says whether a signature that was found somewhere is this installation's."""
        self._root = root
        self._runtimes = Runtimes(runtime_root)
        self._server_id = server_id
        self._host_id = host_id
        self._verify = verify
        self._watch = Watch(server_id)

    def create(self, work: Work, call: Call) -> Outcome:
        with self._at(work, call) as place:
            sight = self._watch.look(place, work.identity)
            if not place.exists() and sight.main is None:
                user = project_user(self._server_id, work.identity.project)
                require_reachable(self._root, user)
                call.guard()
                discard(place)  # what an interrupted delete or create left beside it
                build(place, user, self._new_record(work, user).encode())
            return self._bring_up(place, work, sight, call)

    def start(self, work: Work, call: Call) -> Outcome:
        with self._at(work, call) as place:
            sight = self._watch.look(place, work.identity)
            require_home(place, sight, work)
            return self._bring_up(place, work, sight, call)

    def stop(self, work: Work, call: Call) -> Outcome:
        with self._at(work, call) as place:
            sight = self._watch.look(place, work.identity)
            require_home(place, sight, work)
            self._take_down(place, work, sight, call)
            return self._outcome(work, STOPPED)

    def restart(self, work: Work, call: Call) -> Outcome:
        with self._at(work, call) as place:
            sight = self._watch.look(place, work.identity)
            require_home(place, sight, work)
            self._take_down(place, work, sight, call)
            return self._bring_up(place, work, self._watch.look(place, work.identity), call)

    def modify(self, work: Work, call: Call) -> Outcome:
        with self._at(work, call) as place:
            sight = self._watch.look(place, work.identity)
            require_home(place, sight, work)
            refuse_foreign(sight, work)
            recipe = self._recipe(work, place)
            call.guard()
            write_files(place, recipe.files, project_user(self._server_id, work.identity.project))
            if sight.main is None:
                return self._outcome(work, STOPPED)
            if recipe.reload_signal is not None:
                call.guard()
                processes.send_signal(sight.main.id, sight.main.uid, recipe.reload_signal)
            return self._outcome(work, RUNNING)

    def delete(self, work: Work, call: Call) -> Outcome:
        with self._at(work, call) as place:
            record = read_record(place.record_file) if place.exists() else None
            if record is not None and not self._is_ours(record.identity):
                raise foreign(f"{place.home} is not signed by this Berth")
            uid = self._watch.uid(record, work.identity)
            self._destroy(place, uid, Ending() if record is None else record.ending, call)
            return replace(self._outcome(work, "absent"), endpoint=None, port=None, note=None)

    def observe(self, work: Work) -> Observation:
        place = Place(self._root, work.instance_id)
        try:
            with clear_errors(place.home):
                sight = self._watch.look(place, work.identity)
        except ProviderError as error:
            seen = Seen.FOREIGN if error.kind is ProviderErrorKind.INVALID else Seen.NO_EVIDENCE
            return Observation(seen, "unknown", detail=error.message)
        if sight.record is not None:
            self._watch.keep_house(place, sight)
        port = None if sight.record is None else sight.record.port
        endpoint = _endpoint(port) if sight.seen is Seen.UP else None
        return replace(sight.observation, provider_id=self._provider_id(work.instance_id), endpoint=endpoint)

    def glance(self) -> Sequence[Glimpse]:
        with clear_errors(self._root):
            found = glimpses(self._root, self._server_id, self._watch)
        return [glimpse._replace(provider_id=self._provider_id(glimpse.instance_id)) for glimpse in found]

    def watch(self, bell: Bell) -> None:
        """The kernel tells of the end of each process at once."""
        with clear_errors(self._root):
            Exits(self._root, self._server_id).follow(bell)

    def identity(self) -> str:
        return self._host_id

    def inner_address(self, work: Work) -> tuple[str, int]:
        return "127.0.0.1", work.own_port

    def inventory(self) -> Sequence[InventoryItem]:
        return [self._item(holding) for holding in holdings(self._root, self._server_id, self._watch)]

    def remove(self, provider_id: str, call: Call) -> None:
        place = Place(self._root, provider_id.rpartition("/")[2])
        found = [
            h for h in holdings(self._root, self._server_id, self._watch) if h.instance_id == place.instance_id
        ]
        for holding in found:
            if holding.identity is None or not self._is_ours(holding.identity):
                raise foreign(f"{provider_id} is not signed by this Berth")
        if not found:
            return
        with clear_errors(place.home), exclusive(place.verb_lock, call):
            for holding in found:
                self._destroy(place, holding.uid, holding.ending, call)

    def logs(self, work: Work, tail: int) -> Sequence[str]:
        with clear_errors(self._root):
            return logs.tail(Place(self._root, work.instance_id).output, tail)

    @contextmanager
    def _at(self, work: Work, call: Call) -> Iterator[Place]:
        """The instance's place, for one verb alone."""
        place = Place(self._root, work.instance_id)
        with clear_errors(place.home):
            prepare_root(self._root)
            with exclusive(place.verb_lock, call):
                yield place
                if place.exists():
                    logs.rotate(place.output)

    def _bring_up(self, place: Place, work: Work, sight: Sight, call: Call) -> Outcome:
        """From whatever was seen to one running process."""
        refuse_foreign(sight, work)
        if sight.main is not None and sight.observation.provider_state == "stopping":
            self._take_down(place, work, sight, call)  # told to stop already: it cannot be talked out of that
        elif sight.main is not None:
            if sight.main.paused:
                call.guard()
                processes.send_signal(sight.main.id, sight.main.uid, signal.SIGCONT)
            if sight.by_hand:
                call.guard()
                self._watch.adopt(place, sight)
            return self._outcome(work if sight.record is None else replace(work, port=sight.record.port), RUNNING)
        user = project_user(self._server_id, work.identity.project)
        recipe = self._recipe(work, place)
        life = claim_life(place, user.uid, call)
        try:
            launch = Launch(place, work.identity, user, recipe, self._runtimes, life, work.port)
            self._launch(launch, work, sight.record, call)
        finally:
            os.close(life)
        return self._outcome(work, RUNNING)

    def _launch(self, launch: Launch, work: Work, last: Record | None, call: Call) -> None:
        launch.require_port()
        call.guard()
        write_files(launch.place, launch.recipe.files, launch.user)
        if last is None or last.process is None:  # else it ran before: its data is never emptied
            launch.initialise(call)
        require_data(launch.place, work)
        record = replace(self._new_record(work, launch.user), ending=Ending.of(launch.recipe))
        write_record(launch.place, record)
        since = logs.size(launch.place.output)
        process = launch.start(call)
        write_record(launch.place, replace(record, process=process))
        launch.await_listening(process, since, call)

    def _take_down(self, place: Place, work: Work, sight: Sight, call: Call) -> None:
        refuse_foreign(sight, work)
        uid = self._watch.uid(sight.record, work.identity)
        if uid is None:
            return
        ending = Ending.of(self._recipe(work, place)) if sight.record is None else sight.record.ending
        record = sight.record or Record(work.identity, uid, work.port, RUNNING, ending)
        if record.wanted != STOPPED:
            call.guard()
            write_record(place, replace(record, wanted=STOPPED))
        if sight.main is not None:
            end(sight.main, ending, call, self._watch.reap)
        os.close(claim_life(place, uid, call))

    def _destroy(self, place: Place, uid: int | None, ending: Ending, call: Call) -> None:
        """End every process, prove it, and remove the home."""
        quick = replace(ending, seconds=min(ending.seconds, _DELETE_SECONDS))
        if uid is not None:
            found = members(place.instance_id, uid, place.data)
            pids = {member.facts.id.pid for member in found}
            for member in found:
                if member.identity is not None and member.facts.parent not in pids:
                    end(member.facts, quick, call, self._watch.reap)
            os.close(claim_life(place, uid, call))
        call.guard()
        discard(place)
        place.life_lock.unlink(missing_ok=True)
        place.verb_lock.unlink(missing_ok=True)

    def _new_record(self, work: Work, user: OsUser) -> Record:
        return Record(work.identity, user.uid, work.port, RUNNING, Ending())

    def _recipe(self, work: Work, place: Place) -> ProcessRecipe:
        assert work.recipes is not None
        return work.recipes.process_recipe(work, place.as_home())

    def _outcome(self, work: Work, state: str) -> Outcome:
        limited = any((work.resources.cpu, work.resources.memory_mb, work.resources.disk_gb))
        return Outcome(
            confirmed=True,
            provider_state=state,
            provider_id=self._provider_id(work.instance_id),
            endpoint=_endpoint(work.port) if state == RUNNING else None,
            port=work.port,
            note=_UNENFORCED if limited else None,
        )

    def _item(self, holding: Holding) -> InventoryItem:
        identity, place = holding.identity, Place(self._root, holding.instance_id)
        return InventoryItem(
            provider_id=self._provider_id(holding.instance_id),
            state=holding.state,
            owned=identity is not None and self._is_ours(identity),
            instance_id=holding.instance_id,
            deployment_id=None if identity is None else identity.deployment_id,
            generation=None if identity is None else identity.generation,
            endpoint=_endpoint(holding.port) if holding.pid is not None else None,
            pid=holding.pid,
            data_dir=str(place.data) if place.exists() else None,
        )

    def _is_ours(self, identity: Identity) -> bool:
        return identity.server_id == self._server_id and self._verify(identity)

    def _provider_id(self, instance_id: str) -> str:
        return f"{self._host_id}/{instance_id}"


def _endpoint(port: int | None) -> str | None:
    return None if port is None else f"127.0.0.1:{port}"

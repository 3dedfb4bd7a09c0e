"""Instances as containers of this host's Docker Engine.

Every verb looks first, by name and by labels, and touches only what carries this identity with a valid signature.
The name makes a second container impossible; a crash between any two calls leaves something that the next attempt
goes on with. Docker restarts nothing by itself: what runs is decided by operations alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from domain.errors import EndedByItself, ProviderError, ProviderErrorKind
from domain.glimpses import Glimpse
from domain.text import printable
from domain.work import Call, Identity, InventoryItem, Observation, Outcome, Seen, Work
from providers.base import Bell, PortBusy
from providers.docker import ending, following, inventory, logs
from providers.docker.container import ABSENT, PAUSED, Container
from providers.docker.engine import Engine
from providers.docker.failures import PortTaken, masked
from providers.docker.images import Images
from providers.docker.inventory import Holding
from providers.docker.labels import USER_PREFIX, container_name, of_instance, user_labels, volume_name
from providers.docker.making import Making
from providers.docker.networks import Networks
from providers.docker.options import Options
from providers.docker.shape import Shape, shape_of
from providers.docker.sight import Eyes, Verify, foreign, observation, refuse_foreign
from providers.docker.volumes import Volumes
from system import ports

_DELETE_SECONDS = 5.0
_SETTLING_SECONDS = 0.25
_LAST_WORDS, _LONGEST_WORDS = 3, 300
_DISK_FREE = "disk_gb is recorded, not enforced: Docker's storage here has no quota"
_DISK_PARTLY = "disk_gb limits what the container writes outside its volumes"
_NOTHING_LEFT = "delete or forget the instance, and create it anew"
_LABELS_LATER = "a container's labels are fixed: the new ones come with its next replacement"


class DockerProvider:
    name = "docker"
    probes = True
    needs_port = True
    consistency_seconds = 0.0
    poll_seconds = 0.5
    glance_seconds = 5.0

    def __init__(self, options: Options, *, server_id: str, verify: Verify) -> None:
        """`verify` says whether a signature that was found somewhere is this installation's."""
        self._options = options
        self._server_id = server_id
        self._engine = Engine(options)
        self._eyes = Eyes(self._engine, server_id, verify)
        self._networks = Networks(self._engine)
        self._volumes = Volumes(self._engine, self._eyes.is_ours)
        images = Images(self._engine, pull=options.pull)
        self._making = Making(self._engine, self._eyes, images, self._networks, self._volumes)

    def identity(self) -> str:
        return f"docker/{self._engine.ask(lambda api: api.info())['ID']}"

    def create(self, work: Work, call: Call) -> Outcome:
        shape = shape_of(work, self._options)
        found = self._tidied(work, shape, call)
        return self._run(self._making.bring(found, shape, call), shape, call)

    def start(self, work: Work, call: Call) -> Outcome:
        shape = shape_of(work, self._options)
        found = self._present_or_data(work, shape, call)
        if found is None or not found.lives:
            found = self._making.bring(found, shape, call)
        return self._run(found, shape, call)

    def stop(self, work: Work, call: Call) -> Outcome:
        shape = shape_of(work, self._options)
        return self._outcome(self._stopped(self._present(work, shape, call), call), shape)

    def restart(self, work: Work, call: Call) -> Outcome:
        shape = shape_of(work, self._options)
        found = self._present_or_data(work, shape, call)
        if found is not None:
            found = self._stopped(found, call)
        return self._run(self._making.bring(found, shape, call), shape, call)

    def modify(self, work: Work, call: Call) -> Outcome:
        shape = shape_of(work, self._options)
        found = self._present_or_data(work, shape, call)
        with _clear_port(work):
            return self._outcome(self._making.bring(found, shape, call), shape)

    def delete(self, work: Work, call: Call) -> Outcome:
        sight = self._eyes.look(work.identity, any_generation=True)
        refuse_foreign(sight, work)
        self._destroy(work.identity, sight.containers, call)
        return Outcome(True, ABSENT)

    def observe(self, work: Work) -> Observation:
        try:
            return observation(self._eyes.look(work.identity))
        except ProviderError as error:
            return Observation(Seen.NO_EVIDENCE, "unknown", detail=error.message)

    def glance(self) -> Sequence[Glimpse]:
        return following.glimpses(self._engine, self._server_id)

    def watch(self, bell: Bell) -> None:
        following.follow(self._engine, self._server_id, bell)

    def inner_address(self, work: Work) -> tuple[str, int]:
        port = shape_of(work, self._options).recipe.port
        if port is None:
            raise ProviderError(ProviderErrorKind.INVALID, f"{work.name} serves no port")
        return container_name(work.instance_id), port

    def inventory(self) -> Sequence[InventoryItem]:
        return [holding.item(self._eyes.is_ours) for holding in inventory.holdings(self._engine)]

    def remove(self, provider_id: str, call: Call) -> None:
        for holding in inventory.holdings(self._engine):
            if holding.provider_id == provider_id:
                self._remove(holding, call)

    def logs(self, work: Work, tail: int) -> Sequence[str]:
        sight = self._eyes.look(work.identity)
        refuse_foreign(sight, work)
        return [] if sight.serving is None else logs.tail(self._engine, sight.serving.id, tail)

    def _tidied(self, work: Work, shape: Shape, call: Call) -> Container | None:
        sight = self._eyes.look(work.identity)
        refuse_foreign(sight, work)
        return self._making.tidy(sight, shape, call)

    def _present(self, work: Work, shape: Shape, call: Call) -> Container:
        found = self._tidied(work, shape, call)
        if found is None:
            left = self._volumes.names(work.identity)
            kept = f"its data is still there ({', '.join(left)}), and a start makes the container anew"
            raise _gone(work, kept if left else _NOTHING_LEFT)
        return found

    def _present_or_data(self, work: Work, shape: Shape, call: Call) -> Container | None:
        """None: the container is gone and all of its data is there. Else only create may make an empty one."""
        found = self._tidied(work, shape, call)
        if found is None:
            left = self._volumes.names(work.identity)
            lost = {volume_name(work.instance_id, name) for name in shape.recipe.volumes}.difference(left)
            if not left or lost:
                partly = f"of its data {', '.join(sorted(lost))} is gone too, {', '.join(left)} is still there; "
                raise _gone(work, (partly if left else "") + _NOTHING_LEFT)
            call.progress(f"making the container of {work.name} anew: it was removed, its data is there")
        return found

    def _run(self, found: Container, shape: Shape, call: Call) -> Outcome:
        """From whatever it is to a running container."""
        if found.state == PAUSED:
            self._engine.act(call, lambda api: api.unpause(found.id))
            found = self._eyes.inspect(found.id) or found
        elif not found.lives:
            with _clear_port(shape.work):
                found = self._making.start(found, shape, call)
            found = self._settled(found, shape, call)
        return self._outcome(found, shape)

    def _settled(self, found: Container, shape: Shape, call: Call) -> Container:
        """Where no probe will follow, one that ends at once must be noticed here."""
        now: Container | None = found
        if shape.recipe.port is None:
            call.sleep(_SETTLING_SECONDS)
            now = self._eyes.inspect(found.id)
        if now is not None and now.lives:
            return now
        _, why = (now or found).meaning()
        said = logs.tail(self._engine, found.id, _LAST_WORDS) if now is not None else []
        words = " / ".join(_quoted(line, shape) for line in said)
        raise EndedByItself(
            f"{shape.work.name} ended at once: {why}{'; last output: ' + words if words else ''}",
        )

    def _stopped(self, found: Container, call: Call) -> Container:
        ended = ending.stop(self._engine, found, call)
        if ended is None:
            raise ProviderError(
                ProviderErrorKind.NOT_FOUND, f"container {found.name} was removed while it stopped"
            )
        return ended

    def _remove(self, holding: Holding, call: Call) -> None:
        identity, volume = holding.identity, holding.volume
        if identity is None or not self._eyes.is_ours(identity):
            raise foreign(f"{holding.provider_id} is not signed by this Berth")
        if volume is not None:
            self._volumes.remove([volume], call)
        elif (found := self._eyes.inspect(holding.provider_id)) is not None:
            self._destroy(identity, (found,), call)

    def _destroy(self, identity: Identity, containers: Iterable[Container], call: Call) -> None:
        """Containers first, then the volumes that no other container of the instance needs, then the network."""
        for container in containers:
            ending.stop(self._engine, container, call, at_most=_DELETE_SECONDS)
            ending.remove(self._engine, container, call)
        others = self._engine.ask(lambda api: api.containers(all=True, filters=of_instance(identity)))
        if not others:
            self._volumes.remove(self._volumes.names(identity), call)
        self._networks.release(identity, call)

    def _outcome(self, found: Container, shape: Shape) -> Outcome:
        work = shape.work
        notes = []
        if work.resources.disk_gb is not None:
            notes.append(_DISK_PARTLY if found.disk_limited else _DISK_FREE)
        if {key: value for key, value in found.labels.items() if key.startswith(USER_PREFIX)} != user_labels(work):
            notes.append(_LABELS_LATER)
        return Outcome(
            confirmed=True,
            provider_state=found.state,
            provider_id=found.id,
            endpoint=found.endpoint,
            port=found.port,
            note="; ".join(notes) or None,
        )


@contextmanager
def _clear_port(work: Work) -> Iterator[None]:
    try:
        yield
    except PortTaken:
        if work.port is None:
            raise
        raise PortBusy(work.port, ports.holder(work.port)) from None


def _gone(work: Work, what_now: str) -> ProviderError:
    return ProviderError(
        ProviderErrorKind.NOT_FOUND,
        f"{work.name} has no container on this host any more: {container_name(work.instance_id)} was removed "
        f"outside Berth; {what_now}",
    )


def _quoted(line: str, shape: Shape) -> str:
    """Masked before and after: a secret can hold control characters, and they can stand in between."""
    secrets = shape.recipe.secrets.values()
    return masked(printable(masked(line, secrets)), secrets).strip()[:_LONGEST_WORDS]

"""Instances as Deployments of one replica, each with its Service, claims and Secret, in a namespace per project.

Every verb looks first, directly at the cluster, and refuses what this Berth has not signed. What is accepted shows
within seconds or not at all (no node, a slow image): then the verb returns unconfirmed and `observe` settles it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from domain.errors import ProviderError, ProviderErrorKind
from domain.glimpses import Glimpse
from domain.work import Call, ContainerRecipe, Identity, InventoryItem, Observation, Outcome, Seen, Work
from providers.base import Bell
from providers.kubernetes import following
from providers.kubernetes.api import Api
from providers.kubernetes.bringing import Bringing
from providers.kubernetes.errors import ApiError
from providers.kubernetes.inventory import inventory
from providers.kubernetes.judge import Judgement, judge
from providers.kubernetes.look import Eyes, Sight
from providers.kubernetes.manifests import CONTAINER, RESTARTED, Manifests
from providers.kubernetes.namespaces import ensure_namespace
from providers.kubernetes.naming import COMPLETE, STAGE, Ownership, Place, identity_of, object_name
from providers.kubernetes.options import Options
from providers.kubernetes.removal import Removal, describe
from providers.kubernetes.resources import DEPLOYMENT, NAMESPACE, POD, VOLUME, Json
from providers.kubernetes.watch import Hints

_SETTLE_SECONDS = 15.0
_STUCK_SECONDS = 2.0  # a volume that is bound a moment later looks like no room at all at first
_DELETE_SECONDS = 40.0
_LOOK_EVERY = 1.0
_EXPLAINED = {"Pending", "Starting", "Restarting"}
"""States whose reason may stand in the cluster's events only."""
_NEVER_WAITED_OUT = {"ImagePullBackOff", "CrashLoopBackOff"}


class KubernetesProvider:
    name = "kubernetes"
    probes = False
    needs_port = False
    consistency_seconds = 0.0  # reads are answered from the store
    poll_seconds = 1.0
    glance_seconds = 5.0

    def __init__(self, api: Api, options: Options, server_id: str, verify: Callable[[Identity], bool]) -> None:
        """`verify` says whether a signature that was found somewhere is this installation's."""
        self._api = api
        self._options = options
        self._ownership = Ownership(server_id, verify)
        self._eyes = Eyes(api, self._ownership)
        self._hints = Hints(api, server_id)
        self._bringing = Bringing(api, self._ownership, self._eyes)
        self._removal = Removal(api, self._eyes, self._hints)

    def identity(self) -> str:
        found = self._api.get(NAMESPACE, None, "kube-system", metadata_only=True)
        if found is None:
            raise ProviderError(ProviderErrorKind.TRANSIENT, "the cluster has no namespace kube-system yet")
        return str(found["metadata"]["uid"])

    def create(self, work: Work, call: Call) -> Outcome:
        made = self._manifests(work)
        ensure_namespace(self._api, self._options, work, call)
        sight = self._look(work, made.place)
        self._bringing.apply(made, sight.deployment, 1, call)
        return self._settle(work, call, Seen.UP)

    def start(self, work: Work, call: Call) -> Outcome:
        deployment = self._existing(work)
        if not _is_complete(deployment):
            self._bringing.apply(self._manifests(work), deployment, 1, call)
        elif deployment["spec"].get("replicas", 1) == 0:
            self._change(deployment, {"spec": {"replicas": 1}}, call)
        return self._settle(work, call, Seen.UP)

    def stop(self, work: Work, call: Call) -> Outcome:
        deployment = self._existing(work)
        if deployment["spec"].get("replicas", 1) != 0:
            self._change(deployment, {"spec": {"replicas": 0}}, call)
        return self._settle(work, call, Seen.DOWN)

    def restart(self, work: Work, call: Call) -> Outcome:
        deployment = self._existing(work)
        if not _is_complete(deployment):
            return self.start(work, call)
        when = {RESTARTED: datetime.now(UTC).isoformat(timespec="milliseconds")}
        self._change(deployment, {"spec": {"replicas": 1, "template": {"metadata": {"annotations": when}}}}, call)
        return self._settle(work, call, Seen.UP)

    def modify(self, work: Work, call: Call) -> Outcome:
        deployment = self._existing(work)
        replicas = int(deployment["spec"].get("replicas", 1))
        self._bringing.apply(self._manifests(work), deployment, replicas, call)
        return self._settle(work, call, Seen.UP if replicas else Seen.DOWN)

    def delete(self, work: Work, call: Call) -> Outcome:
        place = self._place(work)
        sight = self._eyes.at(place)
        _refuse_foreign(sight)
        left = self._removal.destroy(place, sight.deployment, call, _DELETE_SECONDS)
        if left is None:
            return Outcome(True, "Absent", place.provider_id)
        return Outcome(False, "Terminating", place.provider_id, note=left)

    def observe(self, work: Work) -> Observation:
        place = self._place(work)
        try:
            sight = self._eyes.at(place, work.identity)
            if sight.foreign is not None:
                return Observation(Seen.FOREIGN, "Foreign", place.provider_id, detail=sight.foreign)
            found = self._explained(place, self._judged(place, sight.deployment))
        except ProviderError as error:
            return Observation(Seen.NO_EVIDENCE, "Unknown", detail=error.message)
        identity = None if sight.deployment is None else identity_of(sight.deployment)
        return Observation(
            found.seen,
            found.state,
            place.provider_id,
            generation=None if identity is None else identity.generation,
            endpoint=self._endpoint(work) if found.seen is Seen.UP else None,
            detail=found.detail,
        )

    def glance(self) -> Sequence[Glimpse]:
        return list(following.glimpses(self._api, self._options.namespace_prefix, self._ownership.server_id))

    def watch(self, bell: Bell) -> None:
        following.follow(self._api, self._options.namespace_prefix, self._ownership.server_id, bell)

    def inner_address(self, work: Work) -> tuple[str, int]:
        place, port = self._place(work), self._recipe(work).port
        if port is None:
            raise ProviderError(ProviderErrorKind.INVALID, f"{work.name} serves no port inside the cluster")
        return f"{place.name}.{place.namespace}.svc", port

    def inventory(self) -> Sequence[InventoryItem]:
        return inventory(self._api, self._options.namespace_prefix, self._ownership)

    def remove(self, provider_id: str, call: Call) -> None:
        item = next((one for one in self.inventory() if one.provider_id == provider_id), None)
        if item is None:
            return
        if not item.owned or item.instance_id is None:
            raise _refused(f"{provider_id} is not signed by this Berth")
        namespace, _, name = provider_id.partition("/")
        place = Place(namespace, object_name(item.instance_id), self._ownership.server_id, item.instance_id)
        found = self._eyes.named(DEPLOYMENT, namespace, name)
        if found is not None and name != place.name:  # a second one with this identity: the first stays
            gone = self._removal.destroy_one(namespace, found, call, _DELETE_SECONDS)
        else:
            gone = self._removal.destroy(place, found, call, _DELETE_SECONDS) is None
        if not gone:
            raise ProviderError(ProviderErrorKind.TRANSIENT, f"{provider_id} is being deleted and not gone yet")

    def logs(self, work: Work, tail: int) -> Sequence[str]:
        place = self._place(work)
        _refuse_foreign(self._eyes.at(place))
        pods = self._eyes.pods(place)
        if not pods:
            return []
        pod = max(pods, key=lambda one: str(one["metadata"]["creationTimestamp"]))["metadata"]["name"]
        path = f"{POD.path(place.namespace, pod)}/log"
        query = {"container": CONTAINER, "tailLines": str(tail)}
        try:
            return self._api.text(path, f"reading the output of {work.name}", query).splitlines()
        except ApiError as error:
            if error.status == 400:  # its container has not started
                raise ProviderError(ProviderErrorKind.NOT_READY, error.message) from None
            raise

    def close(self) -> None:
        """End what runs in the background. The provider cannot be used afterwards."""
        self._hints.close()
        self._api.close()

    def _change(self, deployment: Json, change: Json, call: Call) -> None:
        metadata = deployment["metadata"]
        call.guard()
        body = {"metadata": {"uid": metadata["uid"]}, **change}
        self._api.merge(DEPLOYMENT, metadata["namespace"], metadata["name"], body)

    def _settle(self, work: Work, call: Call, wanted: Seen) -> Outcome:
        """Wait a little for what was asked for. What cannot come by itself is not waited for."""
        place = self._place(work)
        started = time.monotonic()
        with self._hints.of(place) as ticket:
            while (found := self._judged(place, self._look(work, place).deployment)).seen is not wanted:
                if found.refusal is not None:
                    raise ProviderError(found.refusal, f"{work.name}: {found.detail}")
                idle = found.stuck or found.state in _NEVER_WAITED_OUT
                if time.monotonic() - started >= (_STUCK_SECONDS if idle else _SETTLE_SECONDS):
                    return self._outcome(work, self._explained(place, found), confirmed=False)
                call.progress(f"waiting: {found.detail or found.state}")
                ticket.wait(call, _LOOK_EVERY)
        return self._outcome(work, found, confirmed=True)

    def _judged(self, place: Place, deployment: Json | None) -> Judgement:
        if deployment is None:
            return self._judged_absent(place)
        pods = self._eyes.pods(place)
        stopped = deployment["spec"].get("replicas", 1) == 0
        return judge(deployment, pods, self._eyes.replica_sets(place) if stopped else ())

    def _judged_absent(self, place: Place) -> Judgement:
        remains = self._eyes.remains(place)
        if not remains:
            return Judgement(Seen.ABSENT, "Absent")
        ends = any(remain.ending or remain.resource is VOLUME for remain in remains)
        if ends:
            return Judgement(Seen.TRANSIENT, "Terminating", describe(None, remains))
        return Judgement(Seen.CRASHED, "Broken", f"its Deployment is gone; {describe(None, remains)}")

    def _explained(self, place: Place, found: Judgement) -> Judgement:
        """With what the cluster complains of. An explanation that cannot be had is no reason to fail."""
        if found.state not in _EXPLAINED:
            return found
        try:
            unbound = [one for one in self._eyes.claims(place) if one.get("status", {}).get("phase") != "Bound"]
            warnings = self._eyes.warnings(place.namespace, [*unbound, *self._eyes.pods(place)])
        except ProviderError:
            return found
        said = [text for text in warnings if text and (found.detail or "")[:40] not in text]
        return replace(found, detail="; ".join([found.detail or found.state, *said]))

    def _look(self, work: Work, place: Place) -> Sight:
        """What stands there, refused unless it is nothing or exactly this instance, and not on its way out."""
        sight = self._eyes.at(place, work.identity)
        _refuse_foreign(sight)
        if sight.deployment is not None and "deletionTimestamp" in sight.deployment["metadata"]:
            raise ProviderError(
                ProviderErrorKind.TRANSIENT, f"the Deployment of {work.name} is still being deleted"
            )
        return sight

    def _existing(self, work: Work) -> Json:
        """Only create makes things: the other verbs need what it made."""
        deployment = self._look(work, self._place(work)).deployment
        if deployment is None:
            raise ProviderError(ProviderErrorKind.NOT_FOUND, f"{work.name} has no Deployment any more")
        return deployment

    def _outcome(self, work: Work, found: Judgement, *, confirmed: bool) -> Outcome:
        return Outcome(
            confirmed,
            found.state,
            self._place(work).provider_id,
            self._endpoint(work) if confirmed and found.seen is Seen.UP else None,
            note=None if confirmed else found.detail,
        )

    def _endpoint(self, work: Work) -> str | None:
        """None also where the recipe cannot be made now, for want of its database: a look shows what is there."""
        try:
            if self._recipe(work).port is None:
                return None
        except ProviderError:
            return None
        host, port = self.inner_address(work)
        return f"{host}:{port}"

    def _manifests(self, work: Work) -> Manifests:
        return Manifests(work, self._recipe(work), self._place(work), self._options)

    def _recipe(self, work: Work) -> ContainerRecipe:
        if work.recipes is None:
            raise ProviderError(ProviderErrorKind.INVALID, f"blueprint {work.blueprint} cannot run as a container")
        return work.recipes.container_recipe(work)

    def _place(self, work: Work) -> Place:
        return Place.of(work.identity, self._options.namespace_prefix)


def _is_complete(deployment: Json) -> bool:
    return bool((deployment["metadata"].get("annotations") or {}).get(STAGE) == COMPLETE)


def _refuse_foreign(sight: Sight) -> None:
    if sight.foreign is not None:
        raise _refused(sight.foreign)


def _refused(why: str) -> ProviderError:
    return ProviderError(ProviderErrorKind.INVALID, f"{why}; it is left untouched")

"""Bring the objects of one instance about: look at each, refuse a stranger's, apply what should be there.

The Deployment comes first, without pods, because everything else is owned by it and goes with it; then what its
pod needs; then the pod. A crash anywhere leaves something that the next attempt recognises and completes.
"""

from __future__ import annotations

from domain.errors import ProviderError, ProviderErrorKind
from domain.work import Call
from providers.kubernetes.api import Api
from providers.kubernetes.look import Eyes
from providers.kubernetes.manifests import Manifests
from providers.kubernetes.naming import Ownership
from providers.kubernetes.resources import CLAIM, DEPLOYMENT, SECRET, SERVICE, Json, Resource


class Bringing:
    def __init__(self, api: Api, ownership: Ownership, eyes: Eyes) -> None:
        self._api = api
        self._ownership = ownership
        self._eyes = eyes

    def apply(self, made: Manifests, deployment: Json | None, replicas: int, call: Call) -> Json:
        """All of it, ending with the Deployment as it should be. `deployment`: the one that was seen, ours."""
        if deployment is None:
            deployment = self._begin(made, call)
        for claim in made.claims(deployment):
            self._put_named(CLAIM, made, claim, call)
        version = None
        secret = made.secret(deployment)
        if secret is not None:  # its version, not its contents, tells the pod that it changed
            version = self._put_named(SECRET, made, secret, call)["metadata"]["resourceVersion"]
        service = made.service(deployment)
        if service is not None:
            self._put_named(SERVICE, made, service, call)
        wanted = made.deployment(replicas=replicas, secrets_version=version)
        return self._put(DEPLOYMENT, wanted, deployment, call)

    def _begin(self, made: Manifests, call: Call) -> Json:
        call.guard()
        created = self._api.create(DEPLOYMENT, made.preparing())
        if created is None:
            raise ProviderError(
                ProviderErrorKind.TRANSIENT, f"a Deployment {made.place.name} has just come; it is looked at again"
            )
        return created

    def _put_named(self, resource: Resource, made: Manifests, body: Json, call: Call) -> Json:
        metadata = body["metadata"]
        found = self._eyes.named(resource, metadata["namespace"], metadata["name"])
        if found is not None:
            self._require_ours(resource, found, made)
        return self._put(resource, body, found, call)

    def _put(self, resource: Resource, body: Json, found: Json | None, call: Call) -> Json:
        """`found`: what was seen there and is ours. Without it nothing is forced: a stranger's object that came
        between the look and this is a conflict, not overwritten."""
        if found is not None:
            body = {**body, "metadata": body["metadata"] | {"uid": found["metadata"]["uid"]}}
        call.guard()
        return self._api.apply(resource, body, force=found is not None)

    def _require_ours(self, resource: Resource, found: Json, made: Manifests) -> None:
        where = f"{resource.kind} {found['metadata']['namespace']}/{found['metadata']['name']}"
        if not self._ownership.is_of(found, made.place):
            raise ProviderError(
                ProviderErrorKind.INVALID, f"{where} is not signed by this Berth; it is left untouched"
            )
        if "deletionTimestamp" in found["metadata"]:
            raise ProviderError(ProviderErrorKind.TRANSIENT, f"a former {where} is still being deleted")

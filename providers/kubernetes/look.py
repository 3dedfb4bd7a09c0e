"""One direct look at an instance: everything that Kubernetes holds of it, read now. Writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from domain.errors import ProviderError, ProviderErrorKind
from domain.work import Identity
from providers.kubernetes.api import Api
from providers.kubernetes.naming import Ownership, Place
from providers.kubernetes.resources import (
    CLAIM,
    DEPLOYMENT,
    EVENT,
    POD,
    REPLICA_SET,
    SECRET,
    SERVICE,
    VOLUME,
    Json,
    Resource,
)


@dataclass(frozen=True)
class Sight:
    """What stands in an instance's place. `foreign`: why it must not be touched."""

    deployment: Json | None
    foreign: str | None = None


@dataclass(frozen=True)
class Remain:
    """One object that exists because of an instance."""

    resource: Resource
    found: Json

    @property
    def name(self) -> str:
        return f"{self.resource.kind} {self.found['metadata']['name']}"

    @property
    def ending(self) -> bool:
        return "deletionTimestamp" in self.found["metadata"]


class Eyes:
    """Looks on behalf of the verbs."""

    def __init__(self, api: Api, ownership: Ownership) -> None:
        self._api = api
        self._ownership = ownership

    def at(self, place: Place, wanted: Identity | None = None) -> Sight:
        """Its Deployment. `wanted`: it must be of this generation; None: any that this Berth made will do."""
        found = self._api.list(DEPLOYMENT, place.namespace, labelSelector=place.selector)
        named = next((one for one in found if one["metadata"]["name"] == place.name), None)
        if named is None:  # without our labels it is a stranger's, but it holds the name
            named = self._api.get(DEPLOYMENT, place.namespace, place.name)
        if named is not None and not self._ownership.is_of(named, place):
            return Sight(named, f"Deployment {place.provider_id} is not signed by this Berth")
        ours = [one for one in found if self._ownership.is_of(one, place)]
        if len(ours) > 1:
            names = ", ".join(sorted(one["metadata"]["name"] for one in ours))
            return Sight(named, f"ambiguous: {len(ours)} Deployments carry this identity ({names})")
        if named is None and ours:
            return Sight(
                None, f"Deployment {ours[0]['metadata']['name']} carries this identity under a wrong name"
            )
        if named is not None and wanted is not None and not self._ownership.is_exactly(named, wanted):
            return Sight(named, f"Deployment {place.provider_id} is of another generation")
        return Sight(named)

    def pods(self, place: Place) -> list[Json]:
        """Those that are or may yet be running; what has ended for good holds nothing."""
        found = self._api.list(POD, place.namespace, labelSelector=place.selector)
        return [pod for pod in found if pod.get("status", {}).get("phase") not in {"Succeeded", "Failed"}]

    def replica_sets(self, place: Place) -> list[Json]:
        return self._api.list(REPLICA_SET, place.namespace, labelSelector=place.selector)

    def claims(self, place: Place) -> list[Json]:
        return self._api.list(CLAIM, place.namespace, labelSelector=place.selector)

    def warnings(self, namespace: str, objects: Sequence[Json]) -> list[str]:
        """What the cluster complains of about these objects, the latest of each, in their order."""
        said = []
        for one in objects:
            about = f"involvedObject.uid={one['metadata']['uid']},type=Warning"
            events = self._api.list(EVENT, namespace, fieldSelector=about)
            if events:
                said.append(str(max(events, key=_when).get("message") or ""))
        return said

    def named(self, resource: Resource, namespace: str, name: str) -> Json | None:
        """One object without its contents."""
        return self._api.get(resource, namespace, name, metadata_only=True)

    def remains(self, place: Place) -> list[Remain]:
        """All of ours that is left but its Deployment: what we made, what the cluster made for us, its volumes."""
        pods = self._api.list(POD, place.namespace, labelSelector=place.selector)
        named = [(resource, self.named(resource, place.namespace, place.name)) for resource in (SERVICE, SECRET)]
        found = [
            *(Remain(REPLICA_SET, one) for one in self.replica_sets(place)),
            *(Remain(POD, one) for one in pods),
            *(Remain(resource, one) for resource, one in named if one is not None),
            *(Remain(CLAIM, one) for one in self.claims(place)),
        ]
        ours = [remain for remain in found if self._ownership.is_of(remain.found, place)]
        return ours or [Remain(VOLUME, one) for one in self._volumes(place)]

    def _volumes(self, place: Place) -> list[Json]:
        """Volumes that were bound to its claims and go with them. One that is to be kept is not ours any more."""
        try:
            found = self._api.list(VOLUME, None)
        except ProviderError as error:
            if error.kind is ProviderErrorKind.AUTH:  # an account that may not see volumes: the claims must do
                return []
            raise
        going = {
            one["spec"]["claimRef"]["name"]: one for one in found if _is_of(one, place) and _goes_with_claim(one)
        }
        return [one for claim, one in going.items() if self.named(CLAIM, place.namespace, claim) is None]


def _is_of(volume: Json, place: Place) -> bool:
    claim = volume["spec"].get("claimRef") or {}
    return bool(
        claim.get("namespace") == place.namespace and str(claim.get("name", "")).startswith(f"{place.name}-")
    )


def _goes_with_claim(volume: Json) -> bool:
    return bool(volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete")


def _when(event: Json) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or event["metadata"]["creationTimestamp"])

"""Remove everything that exists because of one instance, and prove it gone by direct reads.

The Deployment is deleted in the foreground: it stays visible until what it owns is gone. Whatever it does not own
any more is deleted by itself. Volumes follow their claims; they are waited for.
"""

from __future__ import annotations

import time

from domain.work import Call
from providers.kubernetes.api import Api
from providers.kubernetes.look import Eyes, Remain
from providers.kubernetes.naming import Place
from providers.kubernetes.resources import DEPLOYMENT, VOLUME, Json
from providers.kubernetes.watch import Hints

_PAUSES = (0.2, 2.0)


class Removal:
    def __init__(self, api: Api, eyes: Eyes, hints: Hints) -> None:
        self._api = api
        self._eyes = eyes
        self._hints = hints

    def destroy(self, place: Place, deployment: Json | None, call: Call, seconds: float) -> str | None:
        """None when nothing is left; after `seconds`, what is. `deployment`: as seen, ours."""
        deadline = time.monotonic() + seconds
        pause, longest = _PAUSES
        if deployment is not None and "deletionTimestamp" not in deployment["metadata"]:
            call.guard()
            self._api.delete(DEPLOYMENT, place.namespace, deployment, foreground=True)
        with self._hints.of(place) as ticket:
            while True:
                deployment = self._again(place, deployment)
                remains = self._ask(place, call) if deployment is None else []
                if deployment is None and not remains:
                    return None
                if time.monotonic() >= deadline:
                    return describe(deployment, remains or self._eyes.remains(place))
                call.progress(describe(deployment, remains))
                ticket.wait(call, pause)
                pause = min(longest, pause * 1.5)

    def destroy_one(self, namespace: str, deployment: Json, call: Call, seconds: float) -> bool:
        """One Deployment and what its cluster made for it, nothing beside. Says whether it is gone."""
        call.guard()
        self._api.delete(DEPLOYMENT, namespace, deployment, foreground=True)
        deadline = time.monotonic() + seconds
        name, uid = deployment["metadata"]["name"], deployment["metadata"]["uid"]
        while time.monotonic() < deadline:
            found = self._eyes.named(DEPLOYMENT, namespace, name)
            if found is None or found["metadata"]["uid"] != uid:
                return True
            call.sleep(_PAUSES[0])
        return False

    def _ask(self, place: Place, call: Call) -> list[Remain]:
        """What no Deployment owns any more: ask for the end of whatever is not ending yet."""
        remains = self._eyes.remains(place)
        for remain in remains:
            if not remain.ending and remain.resource is not VOLUME:
                call.guard()
                self._api.delete(remain.resource, place.namespace, remain.found)
        return remains

    def _again(self, place: Place, deployment: Json | None) -> Json | None:
        """The same Deployment, read anew."""
        if deployment is None:
            return None
        found = self._eyes.named(DEPLOYMENT, place.namespace, place.name)
        same = found is not None and found["metadata"]["uid"] == deployment["metadata"]["uid"]
        return found if same else None


def describe(deployment: Json | None, remains: list[Remain]) -> str:
    names = [f"Deployment {deployment['metadata']['name']}"] if deployment is not None else []
    return "still there: " + ", ".join(names + [remain.name for remain in remains])

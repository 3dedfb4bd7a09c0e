"""Named volumes of an instance: they carry its identity, outlive its container, and go when it is deleted.

What an image declares as a volume of its own gets a named one too: an anonymous one would be lost whenever the
container is replaced.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from domain.errors import ProviderError, ProviderErrorKind
from domain.work import Call, Identity, Work
from providers.docker.engine import Engine
from providers.docker.labels import VOLUME, identity_labels, identity_of, of_instance, volume_name
from providers.docker.sight import foreign


class Volumes:
    def __init__(self, engine: Engine, is_ours: Callable[[Identity | None], bool]) -> None:
        self._engine = engine
        self._is_ours = is_ours

    def ensure(
        self, work: Work, wanted: Mapping[str, PurePosixPath], image: Mapping[str, Any], call: Call
    ) -> dict[PurePosixPath, str]:
        """Volume names by mount path, each there and this instance's own."""
        own = [PurePosixPath(path) for path in ((image.get("Config") or {}).get("Volumes") or ())]
        paths = {path: name for name, path in wanted.items()}
        paths.update({path: _derived(path) for path in own if path not in paths})
        return {path: self._ensure(work, volume, call) for path, volume in paths.items()}

    def names(self, identity: Identity) -> list[str]:
        """Those of this instance that are there and its own."""
        listed: Mapping[str, Any] = self._engine.ask(lambda api: api.volumes(filters=of_instance(identity)))
        return sorted(
            one["Name"]
            for one in listed.get("Volumes") or ()
            if self._belongs(identity_of(one.get("Labels")), identity)
        )

    def remove(self, names: Iterable[str], call: Call) -> None:
        """With their data. Gone is success; in use by somebody is not."""
        for name in names:
            self._remove(name, call)

    def _remove(self, name: str, call: Call) -> None:
        try:
            self._engine.act(call, lambda api: api.remove_volume(name))
        except ProviderError as error:
            if error.kind is not ProviderErrorKind.NOT_FOUND:
                raise
        if self._engine.find(lambda api: api.inspect_volume(name)) is not None:
            raise ProviderError(ProviderErrorKind.TRANSIENT, f"volume {name} is still there")

    def _ensure(self, work: Work, volume: str, call: Call) -> str:
        name = volume_name(work.instance_id, volume)
        found = self._engine.find(lambda api: api.inspect_volume(name))
        if found is None:
            labels = {**identity_labels(work), VOLUME: volume}
            found = self._engine.act(call, lambda api: api.create_volume(name, driver="local", labels=labels))
        if not self._belongs(identity_of(found.get("Labels")), work.identity):  # Docker hands out what exists
            raise foreign(f"volume {name} is not {work.name}'s")
        return name

    def _belongs(self, found: Identity | None, identity: Identity) -> bool:
        return (
            found is not None
            and self._is_ours(found)
            and (found.instance_id, found.project) == (identity.instance_id, identity.project)
        )


def _derived(path: PurePosixPath) -> str:
    return f"image-{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"

"""What the simulated provider holds for one instance."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, replace

from domain.work import Identity, Work

RUNNING, STOPPED, ABSENT = "running", "stopped", "absent"


def provider_id_of(instance_id: str) -> str:
    return f"sim-{instance_id}"


@dataclass(frozen=True)
class SimulatedObject:
    """One row; the order of the fields is the order of the columns."""

    instance_id: str
    server_id: str
    project: str
    deployment_id: str
    generation: int
    signature: str
    name: str
    state: str
    settles_to: str | None
    settles_at: float | None
    params: str

    @classmethod
    def new(cls, work: Work) -> SimulatedObject:
        carried = work.identity
        return cls(
            instance_id=carried.instance_id,
            server_id=carried.server_id,
            project=carried.project,
            deployment_id=carried.deployment_id,
            generation=carried.generation,
            signature=carried.signature,
            name=work.name,
            state=ABSENT,
            settles_to=None,
            settles_at=None,
            params="{}",
        )

    @property
    def identity(self) -> Identity:
        return Identity(
            self.server_id,
            self.project,
            self.deployment_id,
            self.instance_id,
            self.generation,
            self.signature,
        )

    @property
    def provider_id(self) -> str:
        return provider_id_of(self.instance_id)

    @property
    def endpoint(self) -> str | None:
        return f"simulated://{self.name}" if self.state == RUNNING else None

    def carries(self, identity: Identity) -> bool:
        same = replace(self.identity, signature="") == replace(identity, signature="")
        return same and hmac.compare_digest(self.signature, identity.signature)

    def at(self, now: float) -> SimulatedObject | None:
        """The object as the provider's own clock has settled it; None once a deletion has."""
        if self.settles_to is None or self.settles_at is None or now < self.settles_at:
            return self
        if self.settles_to == ABSENT:
            return None
        return replace(self, state=self.settles_to, settles_to=None, settles_at=None)

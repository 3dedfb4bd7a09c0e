"""The forms of the orphan sweep."""

from __future__ import annotations

from api.schemas.base import Form


class Orphan(Form):
    """One object without a living instance. `why`: finished life, unknown, ambiguous or not ours.

    `outcome` before a sweep is `remove` or `keep`; after it `removed`, `removing` (accepted, and still there),
    `kept`, `gone` or `failed`.
    """

    provider: str
    host_id: str | None
    provider_id: str
    instance_id: str | None
    deployment_id: str | None
    generation: int | None
    state: str
    name: str | None
    ended_at: str | None
    why: str
    outcome: str
    reason: str


class UnaskedPlace(Form):
    """A place whose objects are not in the report, and why."""

    provider: str
    host_id: str | None
    reason: str


class OrphanReport(Form):
    """What a sweep would do or did. `missing`: named ids that no place showed."""

    dry_run: bool
    items: list[Orphan]
    unasked: list[UnaskedPlace]
    missing: list[str]
    counts: dict[str, int]

"""The limits of one project: what it may have at once, where that differs from what the installation says."""

from __future__ import annotations

from typing import Any

from sqlalchemy.dialects.postgresql import insert

from db.models import ProjectLimits
from db.session import Tx
from domain.bounds import Limits
from domain.specs import Caller
from services.audit import note


def set_limits(tx: Tx, caller: Caller, project: str, values: dict[str, Any]) -> None:
    """Replace the project's own limits; a name that is missing or null follows the installation again."""
    own = {name: values.get(name) for name in Limits.names()}
    stamp = {"updated_at": tx.now, "updated_by": caller.name}
    given = insert(ProjectLimits).values(project=project, **own, **stamp)
    tx.run(given.on_conflict_do_update(index_elements=["project"], set_={**own, **stamp}))
    said = ", ".join(f"{name}={value}" for name, value in own.items() if value is not None) or "none of its own"
    note(tx, caller, "projects_set_limits", project, status=200, detail=said)

"""The limits of one project: what it may have at once, where that differs from what the installation says."""

from __future__ import annotations

from typing import Any

from sqlalchemy.dialects.postgresql import insert

from db.models import ProjectLimits
from db.session import Tx
from domain.bounds import Limits
from domain.specs import Caller
from services.access.audit import note


def set_limits(tx: Tx, caller: Caller, project: str, wanted: dict[str, Any]) -> dict[str, Any]:
    """Change what is named; null follows the installation again. Returns all that the project has of its own."""
    stamp = {"updated_at": tx.now, "updated_by": caller.name}
    given = insert(ProjectLimits).values(project=project, **wanted, **stamp)
    changed = given.on_conflict_do_update(index_elements=["project"], set_={**wanted, **stamp})
    row = tx.run(changed.returning(*(getattr(ProjectLimits, name) for name in Limits.names()))).one()
    own = dict(row._mapping)
    said = ", ".join(f"{name}={value}" for name, value in own.items() if value is not None) or "none of its own"
    note(tx, caller, "projects_set_limits", project, status=200, detail=said)
    return own

"""How many members a deployment is wished to have, when one is forgotten, deleted or kept after all.

A change of the whole spec (`services.requests.changes`) writes the number with everything else.
"""

from __future__ import annotations

from sqlalchemy import update

from db.models import Deployment
from db.session import Tx


def resize(tx: Tx, deployment: Deployment, members: int) -> None:
    """Write the number; what was read or planned before is of an older version. The caller has locked the row."""
    tx.session.flush()
    raised = {"generation": Deployment.generation + 1, "version": Deployment.version + 1, "updated_at": tx.now}
    tx.run(update(Deployment).where(Deployment.id == deployment.id).values(members=members, **raised))
    tx.session.refresh(deployment)

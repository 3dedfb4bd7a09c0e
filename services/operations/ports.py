"""Ports of a host, each given to one instance for life."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import func, select, text, update

from db.models import Instance
from db.session import Tx
from domain.errors import ProviderError, ProviderErrorKind
from services.operations.fence import Owner
from services.operations.steps import hold


def allocate_port(
    tx: Tx, owner: Owner, instance_id: str, ports: Sequence[int], refused: Collection[int] = ()
) -> tuple[int, bool]:
    """(port, fixed) of the instance: the one it has, else the first of `ports` that is free in the records.

    `refused` are ports that turned out to be in use by somebody else; one that the user chose, or that the
    instance has run on, is kept all the same. Raises `ProviderError` when the range is used up.
    """
    row = hold(tx, owner, instance_id, cancelled_too=False).row
    if row.port is not None and (row.port_fixed or row.port not in refused):
        return row.port, row.port_fixed
    tx.session.execute(
        text("select pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": f"ports/{row.host_id}"}
    )
    taken = set(
        tx.session.scalars(
            select(Instance.port).where(
                func.coalesce(Instance.host_id, "") == (row.host_id or ""), Instance.port.is_not(None)
            )
        )
    )
    port = next((p for p in ports if p not in taken and p not in refused), None)
    if port is None:
        raise ProviderError(
            ProviderErrorKind.QUOTA,
            f"All ports from {min(ports)} to {max(ports)} of this host are taken; delete an instance or "
            "widen BERTH_PORT_FIRST and BERTH_PORT_LAST.",
        )
    tx.session.execute(update(Instance).where(Instance.id == instance_id).values(port=port))
    return port, False

"""A new key for everything that is stored encrypted. Called by the API on an administrator's word.

The key file comes first: whoever reads a secret meanwhile knows both keys. A crash in between leaves secrets under
the former key, which stays in the file; the next rotation takes them along.
"""

from __future__ import annotations

from sqlalchemy import LargeBinary, Table, cast, func, select, update

from db.models import DatabaseAllocation, Meta, Secret
from db.session import Tx
from db.vault import CANARY, Vault
from domain.specs import Ask

_ENCRYPTED: tuple[Table, ...] = (Secret.__table__, DatabaseAllocation.__table__)  # type: ignore[assignment]
_LOCK = 0x62657274680010


def rotate_keys(tx: Tx, ask: Ask, vault: Vault) -> dict[str, int]:
    """`{keys, secrets}`: how many keys the file holds now, and how many secrets were encrypted anew."""
    tx.session.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    keys = vault.add_key()
    count = sum(_renew(tx, vault, table) for table in _ENCRYPTED)
    planted = tx.session.get_one(Meta, CANARY)
    planted.value = vault.renewed(planted.value.encode()).decode()
    return {"keys": keys, "secrets": count}


def _renew(tx: Tx, vault: Vault, table: Table) -> int:
    """Every row on its own, and only as it was read: a value that changed meanwhile has the new key already."""
    identity, column = list(table.primary_key), table.c.ciphertext
    rows = tx.session.execute(select(*identity, column).where(column.is_not(None))).all()
    for row in rows:
        tx.run(
            update(table)
            .where(*(key == row._mapping[key] for key in identity), column == cast(row.ciphertext, LargeBinary))
            .values(ciphertext=vault.renewed(row.ciphertext))
        )
    return len(rows)

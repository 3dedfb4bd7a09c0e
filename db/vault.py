"""Secrets at rest: encrypted with MultiFernet, bound to the key file of this installation.

The key file is never made beside existing secrets: `Vault.check` decrypts a canary row at every start.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

from cryptography.fernet import InvalidToken, MultiFernet
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from db.keys import KeyFile, WrongKey
from db.models import Meta, Secret
from db.session import Tx
from domain.errors import BerthError
from domain.work import Secrets

__all__ = ["CANARY", "NotSealed", "Vault", "WrongKey"]
CANARY = "key_canary"


class NotSealed(BerthError):
    """A question or an answer that this installation did not seal."""

    code = "not-sealed"


class Vault:
    """Encrypts and signs with the keys of one installation."""

    def __init__(self, keys: KeyFile) -> None:
        self._keys = keys
        self._signing = hashlib.sha256(b"berth-signature" + keys.oldest).digest()

    @classmethod
    def open(cls, path: Path) -> Vault:
        """With the key file at `path`. Raises `WrongKey` when it is missing."""
        return cls(KeyFile(path))

    @property
    def _fernet(self) -> MultiFernet:
        return self._keys.fernet()

    def add_key(self) -> int:
        """From now on everything is encrypted with a new key; returns how many keys there are."""
        return self._keys.add()

    def renewed(self, ciphertext: bytes) -> bytes:
        """The same secret under the newest key."""
        return self._fernet.rotate(ciphertext)

    def check(self, tx: Tx) -> None:
        """Prove that these keys belong to this database; the first start plants the proof."""
        planted = tx.session.scalar(select(Meta.value).where(Meta.key == CANARY))
        if planted is None:
            if tx.session.scalar(select(Secret.name).limit(1)) is not None:
                raise WrongKey("The database holds secrets but no canary; its key file cannot be verified.")
            value = self._fernet.encrypt(b"berth").decode()
            tx.session.execute(insert(Meta).values(key=CANARY, value=value).on_conflict_do_nothing())
            return
        try:
            self._fernet.decrypt(planted)
        except InvalidToken:
            raise WrongKey("The key file does not belong to this database: its canary does not decrypt.") from None

    def encrypt(self, value: str) -> bytes:
        """`value` for a column of its own."""
        return self._fernet.encrypt(value.encode())

    def decrypt(self, ciphertext: bytes) -> str:
        """What `encrypt` was given. Raises `WrongKey` when none of the keys here fits."""
        try:
            return self._fernet.decrypt(ciphertext).decode()
        except InvalidToken:
            raise WrongKey("A secret does not decrypt with the key file here; copy the current one.") from None

    def put(self, tx: Tx, instance_id: str, secrets: Secrets) -> None:
        """Store what is not there yet; an existing secret is kept, so that a repeat changes nothing."""
        for name, value in secrets.items():
            tx.session.execute(
                insert(Secret)
                .values(
                    instance_id=instance_id,
                    name=name,
                    ciphertext=self._fernet.encrypt(value.encode()),
                    created_at=tx.now,
                )
                .on_conflict_do_nothing()
            )

    def replace(self, tx: Tx, instance_id: str, secrets: Secrets) -> None:
        """Store these values, over those that are there."""
        for name, value in secrets.items():
            row = insert(Secret).values(
                instance_id=instance_id,
                name=name,
                ciphertext=self._fernet.encrypt(value.encode()),
                created_at=tx.now,
            )
            fresh = {"ciphertext": row.excluded.ciphertext, "created_at": row.excluded.created_at}
            tx.session.execute(row.on_conflict_do_update(index_elements=["instance_id", "name"], set_=fresh))

    def get(self, tx: Tx, instance_id: str) -> Secrets:
        """The secrets of one instance, decrypted."""
        rows = tx.session.execute(select(Secret.name, Secret.ciphertext).where(Secret.instance_id == instance_id))
        return Secrets({name: self.decrypt(cipher) for name, cipher in rows})

    def seal(self, subject: str, value: dict[str, Any]) -> str:
        """`value` encrypted, for `subject` only: for what travels through servers that others can read."""
        return self._fernet.encrypt(json.dumps({"subject": subject, "value": value}).encode()).decode()

    def unseal(self, subject: str, sealed: str, seconds: int) -> dict[str, Any]:
        """What `seal` was given. Raises `NotSealed`: not ours, for another subject, or older than `seconds`."""
        try:
            found: dict[str, Any] = json.loads(self._fernet.decrypt(sealed, ttl=seconds))
        except InvalidToken:
            raise NotSealed(f"this {subject} was not asked by this Berth, or too long ago") from None
        if found["subject"] != subject:
            raise NotSealed(f"a {found['subject']} is no {subject}")
        value: dict[str, Any] = found["value"]
        return value

    def sign(self, *parts: str) -> str:
        """HMAC-SHA256 over `parts`, hex."""
        return hmac.new(self._signing, "\0".join(parts).encode(), hashlib.sha256).hexdigest()

    def verify(self, signature: str, *parts: str) -> bool:
        """Whether `signature` is ours over `parts`, in constant time."""
        return hmac.compare_digest(self.sign(*parts), signature)

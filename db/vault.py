"""Secrets at rest: encrypted with MultiFernet, bound to the key file of this installation.

The key file is never made beside existing secrets: `Vault.check` decrypts a canary row at every start.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from db.models import Meta, Secret
from db.session import Tx
from domain.errors import BerthError
from domain.work import Secrets

_CANARY = "key_canary"


class WrongKey(BerthError):
    """The key file does not belong to this database."""

    code = "wrong-key"


class NotSealed(BerthError):
    """A question or an answer that this installation did not seal."""

    code = "not-sealed"


class Vault:
    """Encrypts and signs with the keys of one installation."""

    def __init__(self, keys: list[bytes]) -> None:
        self._fernet = MultiFernet([Fernet(key) for key in keys])
        # The oldest key signs: a rotation puts new keys first, and objects out there keep their signature.
        self._signing = hashlib.sha256(b"berth-signature" + keys[-1]).digest()

    @classmethod
    def open(cls, path: Path) -> Vault:
        """Read the key file: one Fernet key per line, newest first. Raises `WrongKey` when it is missing."""
        try:
            keys = path.read_bytes().split()
        except FileNotFoundError:
            raise WrongKey(f"The key file {path} is missing; restore it from a backup.") from None
        if not keys:
            raise WrongKey(f"The key file {path} is empty; restore it from a backup.")
        return cls(keys)

    def check(self, tx: Tx) -> None:
        """Prove that these keys belong to this database; the first start plants the proof."""
        planted = tx.session.scalar(select(Meta.value).where(Meta.key == _CANARY))
        if planted is None:
            if tx.session.scalar(select(Secret.name).limit(1)) is not None:
                raise WrongKey("The database holds secrets but no canary; its key file cannot be verified.")
            value = self._fernet.encrypt(b"berth").decode()
            tx.session.execute(insert(Meta).values(key=_CANARY, value=value).on_conflict_do_nothing())
            return
        try:
            self._fernet.decrypt(planted)
        except InvalidToken:
            raise WrongKey("The key file does not belong to this database: its canary does not decrypt.") from None

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

    def get(self, tx: Tx, instance_id: str) -> Secrets:
        """The secrets of one instance, decrypted."""
        rows = tx.session.execute(select(Secret.name, Secret.ciphertext).where(Secret.instance_id == instance_id))
        return Secrets({name: self._fernet.decrypt(cipher).decode() for name, cipher in rows})

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

"""`process.json`: whose a home is, what was asked of it last, and which process runs in it.

Written by the provider's verbs under the verb lock. It can lag behind the truth by one crash: the process itself
carries the identity in its environment, and members.py finds it there.
"""

from __future__ import annotations

import hmac
import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from domain.work import Identity, ProcessRecipe
from providers.process.disk import replace_file
from providers.process.places import Place
from system.processes import ProcessId

RUNNING, STOPPED = "running", "stopped"


@dataclass(frozen=True)
class Ending:
    """How to end its processes; kept here so that an orphan can be ended without its blueprint."""

    signal: int = 15
    seconds: float = 20.0
    abort_signal: int | None = None
    pid_file: str | None = None

    @classmethod
    def of(cls, recipe: ProcessRecipe) -> Ending:
        return cls(recipe.stop_signal, recipe.stop_seconds, recipe.abort_signal, recipe.pid_file)


@dataclass(frozen=True)
class Record:
    identity: Identity
    uid: int
    port: int | None
    wanted: str
    ending: Ending
    process: ProcessId | None = None
    exit_code: int | None = None

    def carries(self, identity: Identity) -> bool:
        same = replace(self.identity, signature="") == replace(identity, signature="")
        return same and hmac.compare_digest(self.identity.signature, identity.signature)

    def encode(self) -> bytes:
        return json.dumps(asdict(self), indent=1).encode() + b"\n"


def write_record(place: Place, record: Record) -> None:
    replace_file(place.record_file, record.encode())


def read_record(path: Path) -> Record | None:
    """The record, or None when it is missing or damaged."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            return _decode(json.loads(file.read(1 << 16)))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _decode(raw: dict[str, Any]) -> Record:
    process = raw.pop("process")
    return Record(
        identity=Identity(**raw.pop("identity")),
        ending=Ending(**raw.pop("ending")),
        process=None if process is None else ProcessId(**process),
        **raw,
    )

"""The PostgreSQL settings that users may choose: a typed allow-list with bounds inside which the server starts.

Nothing here can run a command, load a library, name a path or open another address. What a change costs follows
from the setting's context in PostgreSQL; a test compares both, and the defaults, with the real servers.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from blueprints.base import Disruption, Parameters

_KB = {"kB": 1, "MB": 1 << 10, "GB": 1 << 20, "TB": 1 << 30}
_MS = {"ms": 1, "s": 1_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
_UNITS_KB = {**_KB, "8kB": 8, "16MB": 16 << 10}
_SIZE = re.compile(r"(\d{1,10})(kB|MB|GB|TB)")
_DURATION = re.compile(r"(\d{1,10})(ms|s|min|h|d)")
_MEMORY_SHARE = 0.75
_KB_PER_SESSION, _KB_PER_LOCK = 25, 0.45


def size_kb(text: str) -> int | None:
    """`128MB` in kB; None when it is not a size."""
    found = _SIZE.fullmatch(text)
    return None if found is None else int(found[1]) * _KB[found[2]]


def duration_ms(text: str) -> int | None:
    found = _DURATION.fullmatch(text)
    return None if found is None else int(found[1]) * _MS[found[2]]


def host_memory_kb() -> int:
    """Memory of the machine we run on. Instances of `process` run on it too, or on one like it."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 10


def _bounded(
    parse: Callable[[str], int | None], low: str, high: str, off: str | None, example: str
) -> AfterValidator:
    """A size or duration from `low` to `high`, or `off`, the value that switches the setting off."""
    lowest, highest = parse(low), parse(high)
    assert lowest is not None
    assert highest is not None
    also = f", or {off!r} for none" if off is not None else ""

    def check(text: str) -> str:
        value = parse(text)
        if text != off and (value is None or not lowest <= value <= highest):
            message = f"must be from {low} to {high}, written like {example!r}{also}"
            raise PydanticCustomError("out_of_bounds", "{message}", {"message": message})
        return text

    return AfterValidator(check)


def _size(low: str, high: str, off: str | None = None) -> AfterValidator:
    return _bounded(size_kb, low, high, off, "64MB")


def _duration(low: str, high: str, off: str | None = None) -> AfterValidator:
    return _bounded(duration_ms, low, high, off, "30s")


def _memory_to_share_kb() -> int:
    return int(host_memory_kb() * _MEMORY_SHARE)


def _fits_memory(text: str) -> str:
    if (size_kb(text) or 0) > _memory_to_share_kb():
        raise _too_much(f"must be at most {_memory_to_share_kb() >> 10}MB here")
    return text


def _too_much(message: str) -> PydanticCustomError:
    return PydanticCustomError(
        "too_much_memory", "{message}: three quarters of the host's memory", {"message": message}
    )


def _setting(default: Any, disruption: Disruption, description: str, **bounds: Any) -> Any:
    return Field(default, description=description, json_schema_extra={"disruption": disruption.value}, **bounds)


_RELOAD, _RESTART = Disruption.RELOAD, Disruption.RESTART


class PostgresSettings(Parameters):
    """Every field is a setting of the server by its own name; the defaults are PostgreSQL's own."""

    max_connections: int = _setting(100, _RESTART, "Sessions at the same time", ge=10, le=10_000)
    shared_buffers: Annotated[str, _size("1MB", "1TB"), AfterValidator(_fits_memory)] = _setting(
        "128MB", _RESTART, "Memory for the server's own cache"
    )
    max_worker_processes: int = _setting(8, _RESTART, "Background processes", ge=1, le=256)
    max_locks_per_transaction: int = _setting(64, _RESTART, "Size of the lock table", ge=10, le=1024)
    work_mem: Annotated[str, _size("64kB", "64GB")] = _setting(
        "4MB", _RELOAD, "Memory of one sort or hash before it goes to disk"
    )
    maintenance_work_mem: Annotated[str, _size("1MB", "64GB")] = _setting(
        "64MB", _RELOAD, "Memory of VACUUM and CREATE INDEX"
    )
    effective_cache_size: Annotated[str, _size("1MB", "4TB")] = _setting(
        "4GB", _RELOAD, "What the planner believes to be cached"
    )
    statement_timeout: Annotated[str, _duration("1ms", "20d", off="0")] = _setting(
        "0", _RELOAD, "Longest statement"
    )
    lock_timeout: Annotated[str, _duration("1ms", "20d", off="0")] = _setting(
        "0", _RELOAD, "Longest wait for a lock"
    )
    idle_session_timeout: Annotated[str, _duration("1s", "20d", off="0")] = _setting(
        "0", _RELOAD, "Longest idle session"
    )
    idle_in_transaction_session_timeout: Annotated[str, _duration("1ms", "20d", off="0")] = _setting(
        "0", _RELOAD, "Longest idle time inside a transaction"
    )
    deadlock_timeout: Annotated[str, _duration("1ms", "1h")] = _setting(
        "1s", _RELOAD, "Wait before looking for a deadlock"
    )
    log_min_duration_statement: Annotated[str, _duration("0ms", "20d", off="-1")] = _setting(
        "-1", _RELOAD, "Log statements that take longer"
    )
    random_page_cost: float = _setting(4.0, _RELOAD, "Cost of a random page read", ge=0.1, le=1000)
    seq_page_cost: float = _setting(1.0, _RELOAD, "Cost of a sequential page read", ge=0.1, le=1000)
    default_statistics_target: int = _setting(100, _RELOAD, "Detail of statistics", ge=1, le=10_000)
    jit: bool = _setting(True, _RELOAD, "Just-in-time compilation, where the build has it")
    autovacuum: bool = _setting(True, _RELOAD, "Vacuum and analyse by itself")
    autovacuum_naptime: Annotated[str, _duration("1s", "1d")] = _setting(
        "1min", _RELOAD, "Pause between rounds of autovacuum"
    )
    checkpoint_timeout: Annotated[str, _duration("30s", "1d")] = _setting(
        "5min", _RELOAD, "Longest time between checkpoints"
    )
    checkpoint_completion_target: float = _setting(0.9, _RELOAD, "How far a checkpoint spreads", ge=0, le=1)
    max_wal_size: Annotated[str, _size("32MB", "1TB")] = _setting(
        "1GB", _RELOAD, "Write-ahead log that triggers a checkpoint"
    )
    min_wal_size: Annotated[str, _size("32MB", "1TB")] = _setting(
        "80MB", _RELOAD, "Write-ahead log kept for reuse"
    )
    temp_file_limit: Annotated[str, _size("1MB", "1TB", off="-1")] = _setting(
        "-1", _RELOAD, "Temporary files of one session"
    )
    max_parallel_workers: int = _setting(8, _RELOAD, "Parallel workers of all queries", ge=0, le=256)
    max_parallel_workers_per_gather: int = _setting(2, _RELOAD, "Parallel workers of one query step", ge=0, le=256)
    log_lock_waits: bool = _setting(False, _RELOAD, "Log waits longer than deadlock_timeout")
    default_transaction_isolation: Literal["read committed", "repeatable read", "serializable"] = _setting(
        "read committed", _RELOAD, "Isolation of new transactions"
    )

    @model_validator(mode="after")
    def _starts(self) -> Self:
        """What the server maps at its start must fit, or it does not start (measured on 16 and 18)."""
        sessions = self.max_connections + self.max_worker_processes
        locks = sessions * self.max_locks_per_transaction * _KB_PER_LOCK
        needed = (size_kb(self.shared_buffers) or 0) + sessions * _KB_PER_SESSION + int(locks)
        if needed > _memory_to_share_kb():
            raise _too_much(
                "shared_buffers, max_connections, max_worker_processes and max_locks_per_transaction together"
                f" need {needed >> 10}MB; allowed here: {_memory_to_share_kb() >> 10}MB"
            )
        return self


def same_value(wanted: object, setting: str, unit: str | None) -> bool:
    """Whether the server's `setting`, a number of `unit` where it has one, is what `wanted` says."""
    if isinstance(wanted, bool):
        return setting == ("on" if wanted else "off")
    if isinstance(wanted, int | float):
        return float(setting) == wanted
    text = str(wanted)
    size, duration = size_kb(text), duration_ms(text)
    if size is None and duration is None:
        return setting == text
    one = _UNITS_KB[unit or "kB"] if size is not None else _MS[unit or "ms"]
    return abs(int(setting) * one - (size or duration or 0)) < one  # the server rounds to its unit


def as_configuration(name: str, value: object) -> str:
    """One line of postgresql.conf. The values are validated; the quoting holds also if they were not."""
    if isinstance(value, bool):
        return f"{name} = {'on' if value else 'off'}"
    if isinstance(value, int | float):
        return f"{name} = {value}"
    text = str(value).replace("\\", "\\\\").replace("'", "''").replace("\n", " ")
    return f"{name} = '{text}'"

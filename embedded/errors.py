"""What stops `berth up` and its siblings: each message names the cause and what helps; the CLI prints it."""

from __future__ import annotations


class LocalError(RuntimeError):
    """Base of them. The exit codes are those of the command line: 1 failed, 2 usage, 5 conflict, 6 unavailable."""

    exit_code = 1


class NotUsableError(LocalError):
    """The data directory cannot be used."""

    exit_code = 2


class PortTakenError(LocalError):
    """Somebody else listens on the port that was asked for."""

    exit_code = 5


class AlreadyUpError(LocalError):
    """Another supervisor holds the data directory."""

    exit_code = 5


class StillHeldError(LocalError):
    """Something elsewhere would go on without a record of it."""

    exit_code = 5


class NotUpError(LocalError):
    """No Berth runs from this data directory."""

    exit_code = 6


class RecordsError(LocalError):
    """The embedded PostgreSQL could not be started or stopped."""


class TemporalMissingError(LocalError):
    """There is no usable Temporal program and none could be got."""


class ChildFailedError(LocalError):
    """A child keeps dying before Berth was ready, or a one-time child failed."""


class NotReadyError(LocalError):
    """Berth did not become ready in time."""

"""What a worker process is asked to serve: the command line of `berth-worker`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

from providers.entry import ProviderEntry
from providers.registry import PROVIDERS


@dataclass(frozen=True)
class Wants:
    """`providers` empty and no `host`: everything. Otherwise an agent, which serves just these."""

    providers: frozenset[str] = frozenset()
    host: bool = False
    name: str = ""

    @property
    def is_agent(self) -> bool:
        """Whether it runs apart from the workflows and the keeper."""
        return self.host or bool(self.providers)

    def entries(self, *, local_mode: bool) -> list[ProviderEntry]:
        """The providers to open, in the table's order."""
        return [
            entry
            for entry in PROVIDERS.values()
            if (local_mode or not entry.local_only)
            and (not self.is_agent or entry.name in self.providers or (self.host and entry.on_host))
        ]

    @property
    def serves_host(self) -> bool:
        """Whether the host's own queue is served."""
        return not self.is_agent or self.host or any(PROVIDERS[name].on_host for name in self.providers)


def parse(arguments: Sequence[str]) -> Wants:
    """The options, with `--help`; what is wrong ends the process with exit code 2, as everywhere."""
    parser = argparse.ArgumentParser(
        prog="berth-worker",
        description="Runs Berth's operations. Without options: all of them, as `berth up` does. With options: an "
        "agent, which serves only what it is told, so that credentials stay where they are needed.",
    )
    known = ", ".join(PROVIDERS)
    parser.add_argument(
        "--provider",
        action="append",
        default=[],
        choices=sorted(PROVIDERS),
        metavar="NAME",
        help=f"serve this provider; may be given again ({known})",
    )
    parser.add_argument("--host", action="store_true", help="serve the instances that live on this machine")
    parser.add_argument("--name", default="", help="how people see this agent; default: from the machine's name")
    given = parser.parse_args(arguments)
    return Wants(frozenset(given.provider), given.host, given.name)

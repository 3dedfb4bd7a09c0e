"""What `BERTH_EC2_*` says: where machines go and what may be asked for. Read once, when the provider is opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from providers.entry import Unconfigured

_LONGEST_WINDOW = 40.0
"""A launch waits it out within one attempt, which has 60 s."""


@dataclass(frozen=True)
class Options:
    """One field per variable: `region` is `BERTH_EC2_REGION`. Lists are separated by commas."""

    region: str | None = None
    """None: as the SDK's own configuration says."""
    endpoint_url: str | None = None
    """Of a compatible cloud. None: AWS."""
    zones: tuple[str, ...] = ()
    """Allowed, in the order in which they are tried. None: those of `subnets`, or EC2 chooses."""
    image: str | None = None
    """For machines whose own parameters name none."""
    image_owners: tuple[str, ...] = ("self", "amazon")
    """Only images of these accounts are started."""
    instance_types: tuple[str, ...] = ()
    """Allowed. None: all that EC2 has."""
    subnets: Mapping[str, str] = field(default_factory=dict)
    """`zone=subnet,…`. None: the default subnet of the zone."""
    security_groups: tuple[str, ...] = ()
    instance_profile: str | None = None
    key_name: str | None = None
    disk_gb: int | None = None
    """For machines that ask for none. None: as big as the image's."""
    consistency_seconds: float = 15.0
    """After so long a new object is found by everyone who asks."""
    poll_seconds: float = 5.0
    call_seconds: float = 5.0
    """One request, from its last byte to its answer's first."""
    client_tokens: bool = True
    """False: the cloud ignores ClientToken, so that a launch waits until an earlier one would be seen."""

    @property
    def zone_order(self) -> tuple[str, ...]:
        return self.zones or tuple(self.subnets)


def parse_options(given: Mapping[str, str]) -> Options:
    """`Unconfigured` names the variable that cannot be understood, and what is allowed."""
    known = {one.name for one in fields(Options)}
    unknown = sorted(set(given) - known)
    if unknown:
        names = ", ".join(f"BERTH_EC2_{name.upper()}" for name in sorted(known))
        raise Unconfigured(f"BERTH_EC2_{unknown[0].upper()} is no setting of EC2; there are: {names}")
    values: dict[str, Any] = {}
    for name, text in given.items():
        if not text.strip():
            continue
        try:
            values[name] = _READERS.get(name, str.strip)(text)
        except ValueError as error:
            raise Unconfigured(f"BERTH_EC2_{name.upper()} {error}") from None
    options = Options(**values)
    missing = [zone for zone in options.zones if options.subnets and zone not in options.subnets]
    if missing:
        raise Unconfigured(f"BERTH_EC2_SUBNETS names no subnet for the zone {missing[0]} of BERTH_EC2_ZONES")
    return options


def _list(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _pairs(text: str) -> dict[str, str]:
    pairs = [word.partition("=") for word in _list(text)]
    if not all(zone.strip() and subnet.strip() for zone, _, subnet in pairs):
        raise ValueError("must read zone=subnet, separated by commas")
    return {zone.strip(): subnet.strip() for zone, _, subnet in pairs}


def _whole(text: str) -> int:
    if not text.strip().isdigit() or not 1 <= int(text) <= 16_384:
        raise ValueError("must be a whole number of gigabytes from 1 to 16384")
    return int(text)


def _seconds(least: float, most: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not least <= value <= most:
            raise ValueError(f"must be seconds from {least:g} to {most:g}")
        return value

    return read


def _truth(text: str) -> bool:
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if text.strip().lower() not in words:
        raise ValueError("must be true or false")
    return words[text.strip().lower()]


_READERS: Mapping[str, Callable[[str], Any]] = {
    "zones": _list,
    "image_owners": _list,
    "instance_types": _list,
    "security_groups": _list,
    "subnets": _pairs,
    "disk_gb": _whole,
    "consistency_seconds": _seconds(0.1, _LONGEST_WINDOW),
    "poll_seconds": _seconds(0.05, 300),
    "call_seconds": _seconds(0.1, 30),
    "client_tokens": _truth,
}

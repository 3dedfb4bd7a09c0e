"""The tags that make a machine ours, and reading them back. Users' labels are tags too, and only describe.

Every machine, and every volume made with it, carries them from its first moment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from domain.errors import ProviderError, ProviderErrorKind
from domain.work import Identity, Work
from providers.marks import claimed_by, marks_of

_PREFIX = "berth:"
SERVER, INSTANCE = f"{_PREFIX}server-id", f"{_PREFIX}instance-id"
RESUME = "berth:resume"
"""Set while a machine is stopped only for a change: whoever takes over the change starts it again."""
_NAME = "berth:name"
_LABEL = "berth:label:"
_MOST_TAGS = 50
_OWN_TAGS = 9
_LONGEST_KEY = 128
_LONGEST_VALUE = 256


def object_name(instance_id: str) -> str:
    return f"berth-{instance_id.replace('_', '-')}"


def tags_of(work: Work) -> dict[str, str]:
    """All tags of a new machine."""
    identity = work.identity
    return {"Name": object_name(identity.instance_id), **marks_of(identity, _PREFIX), **described(work)}


def described(work: Work) -> dict[str, str]:
    """What a change of the instance may change: its name and its labels."""
    if len(work.labels) > _MOST_TAGS - _OWN_TAGS:
        raise ProviderError(
            ProviderErrorKind.INVALID,
            f"{work.name} has {len(work.labels)} labels; the tags of EC2 hold {_MOST_TAGS - _OWN_TAGS}",
        )
    labels = {_LABEL + _plain(key, _LONGEST_KEY - len(_LABEL)): value for key, value in work.labels.items()}
    found = {_NAME: work.name, **labels}
    return {key: _plain(value, _LONGEST_VALUE) for key, value in found.items()}


def is_description(key: str) -> bool:
    return key == _NAME or key.startswith(_LABEL)


def as_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def from_list(tags: list[dict[str, str]] | None) -> dict[str, str]:
    return {str(tag["Key"]): str(tag.get("Value", "")) for tag in tags or ()}


def identity_in(tags: Mapping[str, str]) -> Identity | None:
    """What the tags claim; whether it is true, a signature says."""
    return claimed_by(tags, _PREFIX)


@dataclass(frozen=True)
class Ownership:
    """Whose a tagged object is."""

    server_id: str
    verify: Callable[[Identity], bool]

    def proven(self, tags: Mapping[str, str]) -> Identity | None:
        """The identity, when this server's and signed."""
        found = identity_in(tags)
        return found if found is not None and found.server_id == self.server_id and self.verify(found) else None

    def is_of(self, tags: Mapping[str, str], instance_id: str) -> bool:
        found = self.proven(tags)
        return found is not None and found.instance_id == instance_id


def _plain(text: str, longest: int) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)[:longest]

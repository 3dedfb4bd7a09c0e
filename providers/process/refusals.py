"""What a verb of the process provider refuses to work on: what is missing, unfinished, or not ours."""

from __future__ import annotations

from pathlib import Path

from domain.errors import ProviderError, ProviderErrorKind
from domain.work import Seen, Work
from providers.process.places import Place
from providers.process.sight import Sight


class DataLost(ProviderError):
    """Where an instance's data was, there is nothing. Code `data-lost`: no verb but delete can work, and an empty
    instance in its place would hide the loss."""

    def __init__(self, work: Work, path: Path) -> None:
        super().__init__(
            ProviderErrorKind.NOT_FOUND,
            f"{work.name} has no directory on this host any more: {path} was removed outside Berth, "
            "and its data with it",
        )
        self.code = "data-lost"


def require_home(place: Place, sight: Sight, work: Work) -> None:
    """Only create makes things: the other verbs need what it made."""
    if sight.main is not None:
        return
    if not place.exists():
        raise DataLost(work, place.home)
    if not place.marker.exists():
        raise ProviderError(
            ProviderErrorKind.INVALID, f"{work.name} was never created completely; retry its create"
        )


def require_data(place: Place, work: Work) -> None:
    """What it shall run on."""
    if not place.data.is_dir():
        raise DataLost(work, place.data)


def refuse_foreign(sight: Sight, work: Work) -> None:
    if sight.seen is Seen.FOREIGN:
        raise foreign(f"what stands in the place of {work.name} is not it: {sight.observation.detail}")


def foreign(message: str) -> ProviderError:
    return ProviderError(ProviderErrorKind.INVALID, f"{message}; it is left untouched")

"""What a verb of the process provider refuses to work on: what is missing, unfinished, or not ours."""

from __future__ import annotations

from domain.errors import ProviderError, ProviderErrorKind
from domain.work import Seen, Work
from providers.process.places import Place
from providers.process.sight import Sight


def require_home(place: Place, sight: Sight, work: Work) -> None:
    """Only create makes things: the other verbs need what it made."""
    if sight.main is not None:
        return
    if not place.exists():
        raise ProviderError(
            ProviderErrorKind.NOT_FOUND, f"{work.name} has no directory on this host any more ({place.home})"
        )
    if not place.marker.exists():
        raise ProviderError(
            ProviderErrorKind.INVALID, f"{work.name} was never created completely; retry its create"
        )


def refuse_foreign(sight: Sight, work: Work) -> None:
    if sight.seen is Seen.FOREIGN:
        raise foreign(f"what stands in the place of {work.name} is not it: {sight.observation.detail}")


def foreign(message: str) -> ProviderError:
    return ProviderError(ProviderErrorKind.INVALID, f"{message}; it is left untouched")

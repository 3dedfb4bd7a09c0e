"""The providers that a worker serves: opened when they are configured, asked every few seconds who they are.

What is not configured stays away with its reason and is tried again, so that it can be set up while Berth runs.
Opening and asking happen in threads of their own with a time-out: a client that hangs holds up nobody.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import structlog

from activities.guarded import PLACE_SWAPPED, GuardedProvider
from domain.errors import ProviderError, ProviderErrorKind
from providers.base import Provider
from providers.entry import ProviderEntry, Setup, Unconfigured
from services.places.reported import PlaceFacts, Verdict

log = structlog.get_logger("worker")
T = TypeVar("T")
_OPEN_SECONDS = 15.0
_IDENTITY_SECONDS = 5.0
_FRESH_SECONDS = 2.0

Record = Callable[[Sequence[PlaceFacts]], Mapping[str, Verdict]]


@dataclass
class Place:
    """One provider of this worker. Its lock lets one thread at a time open or ask it."""

    entry: ProviderEntry
    setup: Setup
    accepted: str | None
    """The identity that an operator has acknowledged."""
    provider: GuardedProvider | None = None
    configured: bool = False
    reason: str | None = None
    failure: ProviderError | None = None
    """Why it did not say who it is, as the provider put it."""
    identity: str | None = None
    swapped: str | None = None
    asked_at: float = float("-inf")
    tried: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    _hanging: threading.Thread | None = None

    @property
    def facts(self) -> PlaceFacts:
        return PlaceFacts(self.entry.name, self.configured, self.reason, self.identity, self.accepted)

    def bounded(self, work: Callable[[], T], seconds: float) -> T:
        """`work` in a thread that may be left behind. Raises `ProviderError` when it does not end in time."""
        if self._hanging is not None and self._hanging.is_alive():
            raise _silent(self.entry, "an earlier question to it still hangs")
        done: list[T] = []
        failed: list[Exception] = []

        def run() -> None:
            try:
                done.append(work())
            except Exception as error:  # noqa: BLE001 - handed to the thread that waits
                failed.append(error)

        self._hanging = threading.Thread(target=run, name=f"ask-{self.entry.name}", daemon=True)
        self._hanging.start()
        self._hanging.join(seconds)
        if failed:
            raise failed[0]
        if not done:
            raise _silent(self.entry, f"no answer within {seconds:g} s")
        return done[0]


class Places(Mapping[str, Provider]):
    """The providers by name, those of this worker that are configured. Safe to use from every thread."""

    def __init__(self, places: Sequence[Place], record: Record) -> None:
        self._places = {place.entry.name: place for place in places}
        self._record = record

    def __getitem__(self, name: str) -> Provider:
        """Raises `ProviderError` with what to configure."""
        place = self._places.get(name)
        if place is None:
            raise _unavailable(f"this worker does not serve the provider {name}")
        place.tried.wait(_OPEN_SECONDS)
        if place.provider is not None:
            return place.provider
        reason = place.reason or "it is still being opened"
        if place.configured or not place.tried.is_set():
            raise _silent(place.entry, reason)
        raise _unavailable(f"{place.entry.title} is not configured: {reason}")

    def __contains__(self, name: object) -> bool:
        place = self._places.get(str(name))
        return place is not None and place.tried.wait(_OPEN_SECONDS) and place.provider is not None

    def __iter__(self) -> Iterator[str]:
        return (name for name, place in self._places.items() if place.provider is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @property
    def served(self) -> list[ProviderEntry]:
        """Those whose queue this worker can serve: configured, whether they answer at the moment or not."""
        return [place.entry for place in self._places.values() if place.configured]

    @property
    def reasons(self) -> dict[str, str]:
        """Why not, of each that cannot be used now."""
        found = ((name, place.reason or place.swapped) for name, place in self._places.items())
        return {name: reason for name, reason in found if reason is not None}

    def refresh(self) -> None:
        """Open what is not open yet, ask each who it is, and record it. Raises what the records raise."""
        threads = [threading.Thread(target=self._look, args=(p,), daemon=True) for p in self._places.values()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(_OPEN_SECONDS + _IDENTITY_SECONDS)
        self._note(list(self._places.values()))

    def _look(self, place: Place) -> None:
        with place.lock:
            if place.provider is None:
                self._open(place)
            if place.provider is not None:
                _ask(place)
            place.tried.set()

    def _open(self, place: Place) -> None:
        try:
            inner = place.bounded(lambda: place.entry.open(place.setup), _OPEN_SECONDS)
        except Unconfigured as why:
            place.configured, place.reason = False, str(why)
        except ProviderError as error:
            place.configured, place.reason = True, error.message
        except Exception as error:  # noqa: BLE001 - one broken provider must not keep the others away
            log.error("provider cannot be opened", provider=place.entry.name, error=type(error).__name__)
            place.configured, place.reason = False, f"opening it failed with {type(error).__name__}; see the log"
        else:
            place.configured, place.reason = True, None
            place.provider = GuardedProvider(inner, lambda fresh: self._check(place, fresh=fresh))
            log.info("provider opened", provider=place.entry.name)

    def _note(self, places: list[Place]) -> None:
        verdicts = self._record([place.facts for place in places])
        for place in places:
            place.swapped = verdicts[place.entry.name].swapped

    def _check(self, place: Place, *, fresh: bool) -> None:
        """See `activities.guarded.Check`."""
        if fresh:
            with place.lock:
                if time.monotonic() - place.asked_at > _FRESH_SECONDS:
                    before = place.identity
                    _ask(place)
                    if place.identity not in {None, before}:
                        self._note([place])
                if place.failure is not None:
                    raise place.failure
        if place.swapped is not None:
            error = ProviderError(ProviderErrorKind.INVALID, place.swapped)
            error.code = PLACE_SWAPPED
            raise error


def _ask(place: Place) -> None:
    """Who the provider is now; its reason where it does not say. A known identity is kept meanwhile."""
    assert place.provider is not None
    try:
        place.identity = place.bounded(place.provider.identity, _IDENTITY_SECONDS)
        place.failure = None
    except ProviderError as error:
        place.failure = error
    except Exception as error:  # noqa: BLE001 - an unknown text may hold a secret: only its type goes on
        log.error("provider did not say who it is", provider=place.entry.name, error=type(error).__name__)
        place.failure = _silent(place.entry, f"asking who it is failed with {type(error).__name__}")
    place.reason = None if place.failure is None else place.failure.message
    place.asked_at = time.monotonic()


def _silent(entry: ProviderEntry, reason: str) -> ProviderError:
    return ProviderError(ProviderErrorKind.TRANSIENT, f"{entry.title} does not answer: {reason}")


def _unavailable(message: str) -> ProviderError:
    error = ProviderError(ProviderErrorKind.INVALID, message)
    error.code = "provider-unavailable"
    return error

"""What the suite must be able to do at a provider's place besides calling the provider: one `Harness` each.

The tests call the provider through its public verbs only. Everything else – the real objects counted, an answer
lost, a stranger's object planted – the harness does *out of band*: by the place's own tools, never by the
provider's code.

A harness lives in `tests/conformance/<name>_harness.py` and is found by that name: a class, `HARNESS` for it, and
a fixture `<name>_harness` that yields one (function scope; a daemon or cluster in a session fixture of
`tests/support`, imported into the module). Import no SDK at module level.
What a provider cannot have is declared in `lacks` with the reason: those tests are not made for it, and the run
prints the reasons.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Literal

import pytest

from domain.errors import ProviderErrorKind
from domain.work import Seen, Work
from providers.base import Provider
from tests.support.works import SERVER_ID

Verb = Literal["create", "start", "stop", "restart", "modify", "delete", "observe", "inventory"]
VERBS: tuple[Verb, ...] = ("create", "start", "stop", "restart", "modify", "delete")

CANARY = "c4nary-Never-To-Be-Seen-77"
"""The value of every secret that a harness gives to a work."""

OTHER_SERVER = "fedcba9876543210"


class Can(StrEnum):
    """What most providers can and a few cannot; `Harness.lacks` says why."""

    KEEP_DATA = "data survives a stop and a restart"
    SHOW_RESTART = "a restart can be told from no restart"
    LOSE_ANSWER = "the answer of a call can be lost after its effect"
    HANG = "a change can get no answer"
    CUT_HANGS = "a change that gets no answer ends at a time-out of its own"
    HANG_LOOKS = "a look can get no answer"
    BE_UNREACHABLE = "the whole place can be away"
    INNER_ADDRESS = "instances reach each other"
    HOLD_UNSIGNED = "an unsigned object can stand in an instance's place"
    HOLD_STOLEN = "an object can carry an instance's id with another's signature"
    HOLD_TWINS = "two objects can carry the same identity"
    RACE = "two creates side by side make one object"
    REFUSE_TRANSIENT = "a call can be refused for a while"
    REFUSE_THROTTLED = "calls can be throttled"
    REFUSE_NO_CAPACITY = "there can be no room"
    REFUSE_QUOTA = "there can be a quota"
    REFUSE_AUTH = "credentials can be wrong"
    WRITE_LOGS = "an instance's output can be read"


REFUSALS: Mapping[Can, ProviderErrorKind] = {
    Can.REFUSE_TRANSIENT: ProviderErrorKind.TRANSIENT,
    Can.REFUSE_THROTTLED: ProviderErrorKind.THROTTLED,
    Can.REFUSE_NO_CAPACITY: ProviderErrorKind.NO_CAPACITY,
    Can.REFUSE_QUOTA: ProviderErrorKind.QUOTA,
    Can.REFUSE_AUTH: ProviderErrorKind.AUTH,
}


class Foreign(StrEnum):
    """What can stand where an instance's object is looked for, and is not it."""

    UNSIGNED = "unsigned"
    """The right name and id, no signature (or an empty one)."""
    STOLEN = "stolen"
    """The right name, server id and instance id, with a signature that is valid for another instance."""


@dataclass(frozen=True)
class RawState:
    """One state that the place itself knows. `bring` puts a running object into it, out of band."""

    name: str
    seen: Seen
    bring: Callable[[Any, Work], None]
    """Called with the harness and the work."""
    says: str = ""
    """A part of `detail` or `provider_state` that people must read then."""


@dataclass(frozen=True)
class BadWork:
    """Something that cannot become an instance: a missing image, an unknown zone. `make` gets the harness.

    `kind`: what `create` raises. None: the place accepts it, and the observation's detail says why it never runs.
    """

    name: str
    kind: ProviderErrorKind | None
    make: Callable[[Any], Work]
    says: str
    """A part of the message: the name of what is wrong."""


class Harness(ABC):
    """One provider's place. A new one per test; a test leaves nothing behind, or the fixture removes it."""

    name: ClassVar[str]
    """As in providers.registry."""
    server_id: str = SERVER_ID
    other_server_id: str = OTHER_SERVER
    """Another Berth at the same place. Its signatures verify with the same key: the server id alone differs."""
    marks: ClassVar[Sequence[pytest.MarkDecorator]]
    settle_seconds: ClassVar[float] = 60.0
    """An unconfirmed outcome must show within this."""
    cut_seconds: ClassVar[float] = 10.0
    """A verb whose calls get no answer must end within this (let `opener` set short time-outs inside `hang`)."""
    rings_to_begin: ClassVar[int] = 1
    """How often a watch rings for everything until it hears of every change."""
    usual_retries: ClassVar[int] = 0
    """How many retryable errors a verb may meet where nobody asked for one."""
    preload: ClassVar[Sequence[str]] = ()
    """Modules that the provider imports when it is opened, such as its SDK."""
    lacks: ClassVar[Mapping[Can, str]] = {}
    raw_states: ClassVar[Sequence[RawState]]
    """At least one for each `seen` that the provider can say; UP, ABSENT and FOREIGN have tests of their own."""
    unlisted: ClassVar[Mapping[str, str]] = {}
    """Raw states that a listing cannot tell from up, and why."""
    bad_works: ClassVar[Sequence[BadWork]]
    twins_are_settled: ClassVar[bool] = False
    """True: `create` keeps one of two twins and removes the other (ec2). False: nobody touches either."""

    # -- the provider and what it acts on

    @abstractmethod
    def opener(self, server_id: str) -> Callable[[], Provider]:
        """Something that opens the provider anew, as a restarted worker does. It is pickled and called in other
        processes as well: a `functools.partial` of a function at module level. Signatures are checked with
        `tests.support.works.verify`. Both servers of a harness share the one place."""

    @abstractmethod
    def work(self, **changes: Any) -> Work:
        """A new small instance of `self.server_id` unless `changes` say another, signed: what
        `tests.support.works.a_work(**changes)` makes (server_id, instance_id, generation, labels, name …), with
        recipes that pickle, a port where one is needed, and CANARY wherever its form takes a secret."""

    @abstractmethod
    def changed(self, work: Work) -> Work:
        """The same instance with something else in it that `modify` brings to the object."""

    # -- the truth, out of band

    @abstractmethod
    def objects(self, work: Work) -> Sequence[str]:
        """Ids of everything that is or could become this instance, running or stopped: 1 after a create, also
        while it is stopped, 0 after a delete (a terminated machine that is only still listed does not count)."""

    @abstractmethod
    def remains(self, work: Work) -> Sequence[str]:
        """Names of everything that exists because of this instance: objects, volumes, claims, secrets, files."""

    @abstractmethod
    def fingerprint(self, work: Work) -> object:
        """All that the provider's calls wrote for it, comparable by ==; nothing that moves by itself.

        Like `objects` and `remains` it is about this server id and instance id, planted objects included."""

    @abstractmethod
    def shows(self, work: Work) -> bool:
        """Whether the real object has the parameters and resources of this work."""

    @abstractmethod
    def exposed(self, work: Work) -> str:
        """All that others at the place can read of it: labels, tags, arguments, specs. Not the secret store, nor
        the environment where that is how the instance gets its secret."""

    def run_id(self, work: Work) -> str:
        """What differs after every real start: pid, start time, pod uid. For SHOW_RESTART."""
        raise NotImplementedError

    def write(self, work: Work, text: str) -> None:
        """Put `text` into the instance's data. For KEEP_DATA."""
        raise NotImplementedError

    def read(self, work: Work) -> str:
        """What `write` put there. For KEEP_DATA."""
        raise NotImplementedError

    def chatty(self) -> Work:
        """A work whose instance, once started, has written the lines `line 1` … `line 50`. For WRITE_LOGS."""
        raise NotImplementedError

    def leads_to(self, work: Work, host: str, port: int) -> bool:
        """Whether this inner address is this instance's. For INNER_ADDRESS."""
        raise NotImplementedError

    # -- what happens to it, out of band

    @abstractmethod
    def vanish(self, work: Work) -> None:
        """Its object goes without our asking; returns when the place itself says so."""

    def plant(self, work: Work, kind: Foreign) -> None:
        """Put a stranger's object where this instance's object belongs. For HOLD_UNSIGNED, HOLD_STOLEN."""
        raise NotImplementedError

    def add_twin(self, work: Work) -> None:
        """Make a second object with this signed identity, beside the first. For HOLD_TWINS."""
        raise NotImplementedError

    # -- faults: context managers, which on leaving assert that they were met and take themselves away

    def lose_answer(self, verb: Verb, work: Work) -> AbstractContextManager[None]:
        """The next change that `verb` makes is done, and its answer is lost. For LOSE_ANSWER."""
        raise NotImplementedError

    def refuse(
        self, verb: Verb, work: Work, kind: ProviderErrorKind, times: int = 1
    ) -> AbstractContextManager[None]:
        """The next `times` changes of `verb` are refused before their effect. For the REFUSE_… that it has.
        Exit need not see all of them used."""
        raise NotImplementedError

    def hang(self, verb: Verb, work: Work) -> AbstractContextManager[None]:
        """Inside, the calls that `verb` makes get no answer (`create`: its first change). For HANG, HANG_LOOKS."""
        raise NotImplementedError

    def unreachable(self) -> AbstractContextManager[None]:
        """Inside, the whole place is away. For BE_UNREACHABLE."""
        raise NotImplementedError

    # -- time

    def pause(self) -> None:
        """Between two looks at something that settles; a harness with a clock of its own advances it here."""
        time.sleep(0.05)

    def provider(self, server_id: str | None = None) -> Provider:
        """A fresh one: it knows only what is at the place."""
        return self.opener(server_id or self.server_id)()

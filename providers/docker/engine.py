"""The connection to the daemon: every call has a time-out, and every failure becomes a `ProviderError`.

All other modules ask through `Engine`. `ask` and `find` look, `act` changes something and passes the guard first.
"""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from typing import Any, TypeVar

import docker
from docker.errors import APIError, DockerException, create_api_error_from_http_exception
from requests.exceptions import HTTPError, RequestException, Timeout
from urllib3.exceptions import HTTPError as HTTPException
from urllib3.exceptions import ReadTimeoutError

from domain.errors import ProviderError, ProviderErrorKind
from domain.work import Call
from providers.docker.failures import translated
from providers.docker.options import Options

T = TypeVar("T")

_CONNECTIONS = 40
_OTHER_VERSION = "client version"
_DENIED = "Permission denied"


class Api(docker.APIClient):
    """The SDK's client, and what it lacks."""

    def update_limits(self, container_id: str, limits: Mapping[str, int]) -> None:
        """The SDK's own method knows neither NanoCpus nor PidsLimit."""
        url = f"{self.base_url}/v{self.api_version}/containers/{container_id}/update"
        try:
            self.post(url, json=dict(limits), timeout=self.timeout).raise_for_status()
        except HTTPError as error:
            create_api_error_from_http_exception(error)


class Events:
    """What the daemon tells of containers, for a bounded time of its own clock."""

    def __init__(self, labels: Iterable[str], kinds: Iterable[str]) -> None:
        self._filters = json.dumps({"type": ["container"], "label": list(labels), "event": list(kinds)})

    def read(self, api: Api, since: int, seconds: int, told: Callable[[Mapping[str, Any] | None], None]) -> None:
        """Call `told` with None once it listens, and then with every event until `seconds` after `since`."""
        query = {"since": str(since), "until": str(since + seconds), "filters": self._filters}
        url = f"{api.base_url}/v{api.api_version}/events"
        with closing(api.get(url, params=query, stream=True, timeout=seconds + api.timeout)) as answer:
            try:
                answer.raise_for_status()
            except HTTPError as error:
                create_api_error_from_http_exception(error)
            told(None)
            for line in answer.iter_lines():
                if line:
                    told(json.loads(line))


class Engine:
    """One daemon, connected to at the first call, so that Berth starts while it is down."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._apis: dict[int, Api] = {}
        weakref.finalize(self, _close, self._apis)

    def ask(self, question: Callable[[Api], T], *, hide: Iterable[str] = ()) -> T:
        """A look. `hide`: secrets that the daemon could repeat in an error."""
        return self._run(question, self._options.look_seconds, hide)

    def find(self, question: Callable[[Api], T]) -> T | None:
        """A look at something that may not be there."""
        try:
            return self.ask(question)
        except ProviderError as error:
            if error.kind is ProviderErrorKind.NOT_FOUND:
                return None
            raise

    def act(self, call: Call, change: Callable[[Api], T], *, hide: Iterable[str] = ()) -> T:
        """A change, if the operation still may make it."""
        call.guard()
        return self._run(change, self._options.act_seconds, hide)

    def _run(self, question: Callable[[Api], T], seconds: int, hide: Iterable[str]) -> T:
        try:
            return question(self._api(seconds))
        except APIError as error:
            if error.status_code == 400 and _OTHER_VERSION in str(error.explanation):
                self._forget()
            failure = translated(error, hide)
        except (Timeout, TimeoutError, ReadTimeoutError):
            failure = self._away(f"did not answer within {seconds} s")
        except (RequestException, DockerException, HTTPException, OSError) as error:  # urllib3's where it streams
            failure = self._forbidden() if _DENIED in str(error) else self._away("cannot be reached")
        raise failure  # out here it carries neither the SDK's exception nor what that one holds on to

    def _api(self, seconds: int) -> Api:
        found = self._apis.get(seconds)
        if found is None:  # not under a lock: a hanging daemon would make all callers wait in a row
            connection = self._options.connection
            made = Api(**connection, version="auto", timeout=seconds, max_pool_size=_CONNECTIONS)
            found = self._apis.setdefault(seconds, made)
            if found is not made:
                made.close()
        return found

    def _forget(self) -> None:
        """The daemon was replaced by one that speaks another version: agree on one anew."""
        _close(self._apis)

    def _forbidden(self) -> ProviderError:
        return ProviderError(
            ProviderErrorKind.AUTH,
            f"this user may not talk to the Docker daemon at {self._options.host}; put it into the socket's group",
        )

    def _away(self, how: str) -> ProviderError:
        return ProviderError(
            ProviderErrorKind.TRANSIENT, f"the Docker daemon at {self._options.host} {how}; is it running?"
        )


def _close(apis: dict[int, Api]) -> None:
    while apis:
        apis.popitem()[1].close()

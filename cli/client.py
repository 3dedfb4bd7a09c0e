"""The one module that speaks HTTP. Every command calls the API through `Client`, imported when it first does.

A lost connection is retried for ten seconds with the same Idempotency-Key, so that a restarting API neither
fails a command nor makes anything twice.
"""

from __future__ import annotations

import json
import ssl
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import httpx2

from cli import calls
from cli.calls import READ_SECONDS, Answer, Body, Call
from cli.errors import ApiProblem, Unreachable
from cli.target import Target, lives

CONNECT_SECONDS = 5.0
DOUBT = "; what was asked may have been accepted: look before asking again"
_BUSY = frozenset({429, 502, 503, 504})


class Client:
    """The API of one Berth. `on_silence` hears once per call that we are retrying."""

    def __init__(
        self,
        target: Target,
        on_silence: Callable[[str], None] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.target = target
        self.in_doubt = False
        """Whether a change was sent that nobody has answered: it may have been accepted."""
        self._on_silence = on_silence
        said = {"Accept": "application/json", "User-Agent": "berth-cli", **(headers or {})}
        if target.token:
            said["Authorization"] = f"Bearer {target.token}"
        self._http = httpx2.Client(
            base_url=target.url,
            headers=said,
            timeout=httpx2.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
            # A proxy is for other machines: through one, 127.0.0.1 would be the proxy's own.
            trust_env=not target.is_loopback,
            verify=_trusted(target),
        )

    def close(self) -> None:
        """Let go of the connection."""
        self._http.close()

    def get(self, path: str, params: Mapping[str, Any] | None = None, **options: Any) -> Answer:
        """Read one object."""
        return self.send(Call("GET", path, params=_given(params), **options))

    def post(self, path: str, body: Body | None = None, **options: Any) -> Answer:
        """Ask for something once, however often the request has to be sent."""
        return self.send(_once(Call("POST", path, body=body or {}, **options)))

    def patch(self, path: str, body: Body, etag: str | None = None) -> Answer:
        """Change what is named; with `etag` only what has not changed since that was read."""
        headers = {"Content-Type": "application/merge-patch+json", **({"If-Match": etag} if etag else {})}
        return self.send(_once(Call("PATCH", path, body=body, headers=headers)))

    def put(self, path: str, body: Body) -> Answer:
        """Set; sending it again changes nothing more."""
        return self.send(_once(Call("PUT", path, body=body)))

    def delete(self, path: str, params: Mapping[str, Any] | None = None) -> Answer:
        """Remove; repeating it returns the first operation."""
        return self.send(_once(Call("DELETE", path, params=_given(params))))

    def everything(
        self, path: str, params: Mapping[str, Any] | None = None, limit: int = 0, **options: Any
    ) -> dict[str, Any]:
        """A list with all its pages, in the form of one page; `limit` 0 means all."""
        wanted = {"page_size": min(limit, 200) if limit else 200, **_given(params)}
        whole = self.get(path, wanted, **options).body
        token = whole.get("next_page_token")
        while token and (not limit or len(whole["items"]) < limit):
            page = self.get(path, {**wanted, "page_token": token}, **options).body
            whole["items"].extend(page["items"])
            token = page.get("next_page_token")
        if limit:
            del whole["items"][limit:]
        whole.pop("next_page_token", None)
        if token:
            whole["next_page_token"] = token
        return whole

    def send(self, call: Call) -> Answer:
        """Send until there is an answer or patience is over. Raises `ApiProblem` or `Unreachable`."""
        deadline: float | None = None
        pause = 0.1
        told = False
        while True:
            try:
                answer = self._try(call)
            except httpx2.TransportError as error:
                failure: Unreachable | ApiProblem = self._unreachable(error)
            except ApiProblem as problem:
                if problem.status not in _BUSY:
                    raise
                failure = problem
                pause = max(pause, float(problem.problem.get("retry_after") or 0))
            else:
                return answer
            if deadline is None:  # from the first failure on: it may have taken long itself
                deadline = time.monotonic() + self._patience(call)
            if time.monotonic() + pause > deadline:
                raise failure
            if not told and self._on_silence:
                self._on_silence(failure.title)
                told = True
            time.sleep(pause)
            pause = min(pause * 2, 2.0)

    def _try(self, call: Call) -> Answer:
        doubt_before, self.in_doubt = self.in_doubt, self.in_doubt or call.method != "GET"
        try:
            response = self._http.request(
                call.method,
                call.url,
                params=dict(call.params) if call.params else None,
                headers=dict(call.headers or {}),
                content=None if call.body is None else json.dumps(call.body).encode(),
                timeout=httpx2.Timeout(call.read_seconds, connect=CONNECT_SECONDS),
            )
        except (httpx2.ConnectError, httpx2.ConnectTimeout):
            self.in_doubt = doubt_before  # it was not even sent
            raise
        self.in_doubt = False
        if response.status_code >= 400:
            raise _problem(response)
        return Answer(response.status_code, _object(response), response.headers.get("ETag"), _pause(response))

    def _patience(self, call: Call) -> float:
        """A supervisor that is gone restarts nothing: waiting for its API would be in vain."""
        if self.target.supervisor is not None and not lives(self.target.supervisor):
            return 0.0
        return calls.PATIENCE_SECONDS if call.patience is None else call.patience

    def _unreachable(self, error: Exception) -> Unreachable:
        return Unreachable(
            f"Berth does not answer at {self.target.url}.",
            detail=f"{error or type(error).__name__} ({self.target.named_by}){DOUBT if self.in_doubt else ''}",
            hints=(self.target.how_to_start,),
        )


def _trusted(target: Target) -> ssl.SSLContext | bool:
    """Reading all authorities takes longer than the question; where nothing is encrypted none is needed."""
    plain = target.is_loopback and target.url.startswith("http:")
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if plain else True


def _once(call: Call) -> Call:
    headers = {"Content-Type": "application/json", **(call.headers or {})}
    return replace(call, headers={"Idempotency-Key": uuid.uuid4().hex, **headers})


def _given(params: Mapping[str, Any] | None) -> dict[str, Any]:
    return {k: v for k, v in (params or {}).items() if v is not None}


def _object(response: httpx2.Response) -> dict[str, Any]:
    try:
        value = response.json()
    except ValueError:
        return {"text": response.text}
    return value if isinstance(value, dict) else {"items": value}


def _problem(response: httpx2.Response) -> ApiProblem:
    problem = _object(response)
    if "title" not in problem:
        reason = response.reason_phrase or "no reason given"
        what = f"{response.request.method} {response.request.url.path}: {response.status_code} {reason}"
        problem = {"title": what, "status": response.status_code, "detail": str(problem.get("detail") or "")}
    wait = _pause(response)
    if wait is not None:
        problem.setdefault("retry_after", wait)
    return ApiProblem(response.status_code, problem, _hints(response.status_code))


def _hints(status: int) -> tuple[str, ...]:
    if status == 401:
        return ("set BERTH_TOKEN, or name the data directory of your Berth with --data-dir",)
    return ()


def _pause(response: httpx2.Response) -> float | None:
    try:
        return float(response.headers.get("Retry-After", ""))
    except ValueError:
        return None

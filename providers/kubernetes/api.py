"""The few calls that this provider makes, as plain JSON, each with its time-out and its errors mapped.

Reads ask without a resource version: the API server answers them from its store, never from an older copy.
"""

from __future__ import annotations

import builtins
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import urllib3
from kubernetes import client
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException

from domain.errors import ProviderError, ProviderErrorKind
from providers.kubernetes.errors import ApiError, refusal, unreachable
from providers.kubernetes.resources import SECRET, Json, Resource

MANAGER = "berth"
_SECONDS = 5.0
_PAGE = 500
_JSON = "application/json"
_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"


@dataclass(frozen=True)
class _Request:
    """`doing`: in words, for errors. `secret`: a refusal's text may hold what must not be shown."""

    method: str
    path: str
    doing: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Json | None = field(default=None, repr=False)
    content: str | None = None
    accept: str = _JSON
    seconds: float = _SECONDS
    secret: bool = False


class Stream:
    """The events of one open watch."""

    def __init__(self, answer: Any, doing: str) -> None:
        self._answer = answer
        self._doing = doing

    def __iter__(self) -> Iterator[Json]:
        rest = b""
        try:
            for chunk in self._answer.stream(amt=None, decode_content=True):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if line:
                        yield json.loads(line)
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise unreachable(self._doing, error) from None

    def end(self) -> None:
        """Wake the thread that reads it; it sees the end of the stream."""
        with suppress(OSError, ValueError, RuntimeError, TypeError):  # it has just ended by itself
            self._answer.shutdown()


class Api:
    """One cluster. Safe to use from several threads."""

    def __init__(self, api_client: client.ApiClient) -> None:
        self._client: Any = api_client

    def get(
        self, resource: Resource, namespace: str | None, name: str, *, metadata_only: bool = False
    ) -> Json | None:
        """The object, or None where there is none. `metadata_only` keeps a Secret's values out of here."""
        accept = _METADATA if metadata_only else _JSON
        path = resource.path(namespace, name)
        try:
            return self._json(_Request("GET", path, f"reading {resource.kind} {name}", accept=accept))
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def list(self, resource: Resource, namespace: str | None, **query: str) -> list[Json]:
        """All pages. `query`: labelSelector, fieldSelector."""
        items: list[Json] = []
        token: str | None = ""
        while token is not None:
            page = self._page(resource, namespace, query | ({"continue": token} if token else {}))
            items += page.get("items") or []
            token = page["metadata"].get("continue") or None
        return items

    def version(self, resource: Resource, namespace: str, selector: str) -> str:
        """Where a watch of these may begin."""
        page = self._page(resource, namespace, {"labelSelector": selector, "limit": "1"})
        return str(page["metadata"]["resourceVersion"])

    def apply(self, resource: Resource, body: Json, *, force: bool) -> Json:
        """Server-side apply. With `force` only to what was seen to be ours: then `body` carries its uid."""
        metadata = body["metadata"]
        return self._json(
            _Request(
                "PATCH",
                resource.path(metadata.get("namespace"), metadata["name"]),
                f"applying {resource.kind} {metadata['name']}",
                {"fieldManager": MANAGER, "force": "true" if force else "false"},
                {"apiVersion": resource.api_version, "kind": resource.kind, **body},
                "application/apply-patch+yaml",
                secret=resource is SECRET,
            )
        )

    def create(self, resource: Resource, body: Json) -> Json | None:
        """Make it, or nothing: None where there is one already. Needs no right to change what exists."""
        metadata = body["metadata"]
        path, doing = resource.path(metadata.get("namespace")), f"creating {resource.kind} {metadata['name']}"
        full = {"apiVersion": resource.api_version, "kind": resource.kind, **body}
        try:
            return self._json(_Request("POST", path, doing, {"fieldManager": MANAGER}, full, _JSON))
        except ApiError as error:
            if error.status == 409:
                return None
            raise

    def merge(self, resource: Resource, namespace: str, name: str, body: Json) -> Json:
        """Change some fields. A `uid` in its metadata makes sure that it is still the object that was seen."""
        return self._json(
            _Request(
                "PATCH",
                resource.path(namespace, name),
                f"changing {resource.kind} {name}",
                {"fieldManager": f"{MANAGER}-verb"},
                body,
                "application/merge-patch+json",
            )
        )

    def delete(self, resource: Resource, namespace: str, found: Json, *, foreground: bool = False) -> None:
        """Ask for the end of exactly this object; gone already is fine."""
        name, uid = found["metadata"]["name"], found["metadata"]["uid"]
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid},
            "propagationPolicy": "Foreground" if foreground else "Background",
        }
        path, doing = resource.path(namespace, name), f"deleting {resource.kind} {name}"
        try:
            self._json(_Request("DELETE", path, doing, body=body, content=_JSON))
        except ApiError as error:
            if error.status != 404:
                raise

    def text(self, path: str, doing: str, query: Mapping[str, str]) -> str:
        """An answer that is not JSON: a log."""
        with self._send(_Request("GET", path, doing, query, accept="*/*")) as answer:
            return _read(answer, doing).decode(errors="replace")

    @contextmanager
    def watch(self, resource: Resource, namespace: str, query: Mapping[str, str]) -> Iterator[Stream]:
        """The events of a watch, names and labels only, for the `timeoutSeconds` of the query."""
        doing = f"watching {resource.plural}"
        seconds = float(query["timeoutSeconds"]) + _SECONDS
        asked = {**query, "watch": "true"}
        path = resource.path(namespace)
        with self._send(_Request("GET", path, doing, asked, accept=_METADATA, seconds=seconds)) as answer:
            yield Stream(answer, doing)

    def close(self) -> None:
        """Let go of idle connections."""
        self._client.rest_client.close()

    def _page(self, resource: Resource, namespace: str | None, query: Mapping[str, str]) -> Json:
        asked = {"limit": str(_PAGE), **query}
        return self._json(_Request("GET", resource.path(namespace), f"listing {resource.plural}", asked))

    def _json(self, asked: _Request) -> Json:
        with self._send(asked) as answer:
            said = _read(answer, asked.doing)
        try:
            found: Json = json.loads(said)
        except ValueError as error:  # something between us and the cluster answered
            raise unreachable(asked.doing, error) from None
        return found

    @contextmanager
    def _send(self, asked: _Request) -> Iterator[Any]:
        answer = self._answer(asked)
        try:
            if answer.status >= 400:
                said = _read(answer, asked.doing)
                raise refusal(asked.doing, answer.status, said, answer.headers, secret=asked.secret)
            yield answer
        finally:
            answer.close()  # a connection that was read to its end is back in the pool by now

    def _answer(self, asked: _Request) -> Any:
        headers = {"Accept": asked.accept} | ({"Content-Type": asked.content} if asked.content else {})
        try:
            parts = self._client.param_serialize(
                asked.method,
                asked.path,
                query_params=builtins.list(asked.query.items()),
                header_params=headers,
                body=asked.body,
                auth_settings=["BearerToken"],
            )
            return self._client.call_api(*parts[:4], _request_timeout=asked.seconds).response
        except ConfigException:
            raise ProviderError(
                ProviderErrorKind.AUTH,
                f"{asked.doing}: the kubeconfig gives no credentials; log in to the cluster again",
            ) from None
        except (urllib3.exceptions.HTTPError, ApiException, OSError) as error:
            raise unreachable(asked.doing, error) from None


def _read(answer: Any, doing: str) -> bytes:
    try:
        content: bytes = answer.read()
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise unreachable(doing, error) from None
    answer.release_conn()
    return content

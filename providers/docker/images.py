"""The image of a container: there, or pulled where that is allowed, or a refusal that says what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.errors import ProviderError, ProviderErrorKind
from domain.work import Call
from providers.docker.engine import Engine


class Images:
    def __init__(self, engine: Engine, *, pull: bool) -> None:
        self._engine = engine
        self._pull = pull

    def require(self, reference: str, call: Call) -> Mapping[str, Any]:
        """Its inspection."""
        found = self._find(reference)
        if found is None and self._pull:
            self._fetch(reference, call)
            found = self._find(reference)
        if found is None:
            raise ProviderError(
                ProviderErrorKind.INVALID,
                f"image {reference} is not on this host; pull or build it: docker pull {reference}",
            )
        return found

    def _find(self, reference: str) -> Mapping[str, Any] | None:
        """By name alone: Docker would also take the beginning of an id, of whatever image has it."""
        found: Mapping[str, Any] | None = self._engine.find(lambda api: api.inspect_image(reference))  # type: ignore[no-untyped-call]
        if found is None:
            return None
        names = (*(found.get("RepoTags") or ()), *(found.get("RepoDigests") or ()))
        return found if _full(reference) in {_full(name) for name in names} else None

    def _fetch(self, reference: str, call: Call) -> None:
        """Each piece of news resets the time-out: a pull that moves may take long, one that hangs may not."""
        repository, tag = _parts(reference)
        call.progress(f"pulling {reference}")
        try:
            news = self._engine.act(call, lambda api: api.pull(repository, tag=tag, stream=True, decode=True))
        except ProviderError as error:
            raise _refused(reference, error.message, error.kind) from None
        while (one := self._engine.ask(lambda _: next(news, None))) is not None:
            call.sleep(0)
            if "error" in one:
                raise _refused(reference, str(one["error"]), ProviderErrorKind.TRANSIENT)


def _parts(reference: str) -> tuple[str, str | None]:
    """Repository and tag or digest, as the SDK wants them; without a tag all of them would be pulled."""
    if "@" in reference:
        repository, _, digest = reference.partition("@")
        return repository, digest
    repository, colon, tag = reference.rpartition(":")
    return (repository, tag) if colon and "/" not in tag else (reference, "latest")


def _full(reference: str) -> tuple[str, str | None]:
    """Registry and repository, and tag or digest: the same for every way to write a name."""
    repository, version = _parts(reference)
    if "@" in reference:
        repository = _parts(repository)[0]  # a tag beside a digest means nothing
    host, slash, rest = repository.partition("/")
    if not slash or not (host == "localhost" or "." in host or ":" in host):
        host, rest = "docker.io", repository
    if host in {"docker.io", "index.docker.io"}:
        host, rest = "docker.io", rest if "/" in rest else f"library/{rest}"
    return f"{host}/{rest}", version


def _refused(reference: str, said: str, kind: ProviderErrorKind) -> ProviderError:
    if any(words in said for words in ("not found", "does not exist", "manifest unknown", "denied")):
        kind = ProviderErrorKind.INVALID
    return ProviderError(kind, f"image {reference} cannot be pulled: {said[:300]}")

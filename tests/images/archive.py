"""Writes an image as one file that `docker load` takes: a single layer, byte for byte the same each time."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Entry:
    """A directory (neither source nor link), a file (its source's bytes) or a symbolic link of the image."""

    path: str
    source: Path | bytes | None = None
    link: str | None = None
    mode: int = 0o755
    owner: int = 0


@dataclass(frozen=True)
class Image:
    """What an image is. `config` holds Docker's own keys, such as Entrypoint."""

    tags: tuple[str, ...]
    entries: tuple[Entry, ...]
    config: Mapping[str, Any] = field(default_factory=dict)


def write(image: Image, path: Path) -> None:
    """Replace `path` by the image's archive."""
    layer = _layer(image.entries)
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": dict(image.config),
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        }
    ).encode()
    name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = [{"Config": name, "RepoTags": list(image.tags), "Layers": ["layer.tar"]}]
    unfinished = path.with_name(f".{path.name}.new")
    with tarfile.open(unfinished, "w") as tar:
        for member, content in (
            (name, config),
            ("layer.tar", layer),
            ("manifest.json", json.dumps(manifest).encode()),
        ):
            _add(tar, Entry(member, content, mode=0o644))
    unfinished.replace(path)


def _layer(entries: Iterable[Entry]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for entry in entries:
            _add(tar, entry)
    return buffer.getvalue()


def _add(tar: tarfile.TarFile, entry: Entry) -> None:
    member = tarfile.TarInfo(entry.path.lstrip("/"))
    member.mode, member.uid, member.gid = entry.mode, entry.owner, entry.owner
    if entry.link is not None:
        member.type, member.linkname = tarfile.SYMTYPE, entry.link
        tar.addfile(member)
    elif entry.source is None:
        member.type = tarfile.DIRTYPE
        tar.addfile(member)
    else:
        content = entry.source if isinstance(entry.source, bytes) else entry.source.read_bytes()
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))

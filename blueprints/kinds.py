"""Types that the parameters of several blueprints share: images, environments, mount paths, one-line texts.

Nothing here reaches a shell: a value that could be taken for an option, another field or another line is refused.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from blueprints.base import Disruption

IMAGE_LENGTH = 255
MOST_VARIABLES, LONGEST_VALUE = 100, 8192
RESERVED_PREFIX = "BERTH_"
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)"
_WORD = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_IMAGE = re.compile(
    rf"(?:{_HOST}(?:\.{_HOST})*(?::\d{{1,5}})?/)?{_WORD}(?:/{_WORD})*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[a-f0-9]{64})?"
)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_PATH = re.compile(r"(?:/[A-Za-z0-9._@+-]+)+")
_KERNEL_TREES = tuple(map(PurePosixPath, ("/proc", "/sys", "/dev", "/run", "/var/run")))
_SYSTEM_FOLDERS = frozenset(
    map(
        PurePosixPath,
        ("/", "/bin", "/boot", "/etc", "/home", "/lib", "/lib64", "/root", "/sbin", "/usr", "/var"),
    )
)


def refused(kind: str, message: str) -> PydanticCustomError:
    """A refusal in words of ours; never with the value, which may be a secret."""
    return PydanticCustomError("refused", "{message}", {"kind": kind, "message": message})


def _printable(text: str) -> str:
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in text):
        raise refused("control_characters", "must be one line without control characters")
    return text


def _image(text: str) -> str:
    if len(text) > IMAGE_LENGTH or not _IMAGE.fullmatch(text):
        raise refused(
            "image",
            f"must be an image like name:tag, registry.example/team/name:tag or name@sha256:…, at most"
            f" {IMAGE_LENGTH} characters",
        )
    return text


def _variable(name: str) -> str:
    if not _VARIABLE.fullmatch(name):
        raise refused("variable", "a variable's name is 1 to 128 letters, digits and _, not starting with a digit")
    if name.upper().startswith(RESERVED_PREFIX):
        raise refused("variable", f"names that start with {RESERVED_PREFIX} are Berth's own")
    return name


def _not_many(found: dict[str, Any]) -> dict[str, Any]:
    if len(found) > MOST_VARIABLES:
        raise refused("too_many", f"at most {MOST_VARIABLES} variables")
    return found


def _mount_path(text: str) -> str:
    path = PurePosixPath(text)
    if len(text) > 255 or not _PATH.fullmatch(text) or {".", ".."} & set(text.split("/")):
        raise refused("mount_path", "must be an absolute path of letters, digits and . _ @ + -, without . and ..")
    if path in _SYSTEM_FOLDERS or any(path.is_relative_to(tree) for tree in _KERNEL_TREES):
        raise refused("mount_path", "belongs to the system; choose a folder of the application's own")
    return text


def _url_path(text: str) -> str:
    if not text.startswith("/") or text.startswith("//") or not text.isascii() or not text.isprintable():
        raise refused("url_path", "must be a path like /healthz")
    if any(character in text for character in " #\\"):
        raise refused("url_path", "must hold no space, # or backslash")
    return text


Line = Annotated[str, AfterValidator(_printable)]
Image = Annotated[str, AfterValidator(_image)]
Environment = Annotated[
    dict[Annotated[str, AfterValidator(_variable)], Annotated[Line, Field(max_length=LONGEST_VALUE)]],
    AfterValidator(_not_many),
]
MountPath = Annotated[str, AfterValidator(_mount_path)]
UrlPath = Annotated[str, Field(max_length=255), AfterValidator(_url_path)]

RELOAD: dict[str, Any] = {"disruption": Disruption.RELOAD.value}
RESTART: dict[str, Any] = {"disruption": Disruption.RESTART.value}
WRITE_ONLY: dict[str, Any] = {**RESTART, "writeOnly": True}
"""Of a secret parameter: programs may send it and never get it back."""


def on_forms(extra: dict[str, Any], *forms: str) -> dict[str, Any]:
    """`extra` of a parameter that means something in these forms only; elsewhere it is refused."""
    return {**extra, "forms": list(forms)}


def host_port() -> Any:
    """The parameter `port` of every blueprint that listens on a port of its host."""
    return Field(
        None, ge=1024, le=65535, description="TCP port on the host; chosen by Berth when absent; fixed for life"
    )

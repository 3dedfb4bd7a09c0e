"""What others have printed, made fit to be shown: providers and activities quote the output of instances."""

from __future__ import annotations

import re
import unicodedata

_SEQUENCES = re.compile(
    r"(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"  # titles, links, clipboard
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # colours, cursor
    r"|\x1b[ -/]*[0-~]?"
)
_HIDDEN = frozenset({"Cc", "Cf", "Zl", "Zp"})


def printable(text: str) -> str:
    """`text` without what a terminal would obey: escape sequences, control characters, turned directions."""
    plain = _SEQUENCES.sub("", text).replace("\t", " ")
    return "".join(letter for letter in plain if unicodedata.category(letter) not in _HIDDEN)

"""A worker opens its providers beside each other, and their SDKs share libraries: one at a time imports.

Without that, one start in some twenty found a library half made and went on without a provider.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.unit
_WHILE_SOMEBODY_IMPORTS = """
import sys, threading
from contextlib import suppress
from pathlib import Path
from domain.errors import ProviderError
from providers.entry import Setup, Unconfigured, importing
from providers.registry import PROVIDERS

nowhere = Path("/nonexistent")

def open_one(name):
    with suppress(Unconfigured, ProviderError):
        PROVIDERS[name].open(Setup({}, nowhere, nowhere, "server", "host", lambda identity: True))

threads = {name: threading.Thread(target=open_one, args=(name,)) for name in ("docker", "kubernetes", "ec2")}
with importing:
    for thread in threads.values():
        thread.start()
    for thread in threads.values():
        thread.join(0.5)
    print(*sorted(name for name, thread in threads.items() if thread.is_alive()))
    print(*sorted({"docker", "kubernetes", "boto3", "requests", "urllib3"} & set(sys.modules)))
for thread in threads.values():
    thread.join(60)
print(*sorted({"docker", "kubernetes", "boto3"} & set(sys.modules)))
"""


def test_providers_that_are_opened_together_import_one_after_the_other() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _WHILE_SOMEBODY_IMPORTS],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    waiting, begun, imported = done.stdout.split("\n")[:3]
    assert waiting == "docker ec2 kubernetes", done.stderr
    assert begun == ""
    assert imported == "boto3 docker kubernetes"

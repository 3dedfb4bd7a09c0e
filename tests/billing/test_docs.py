"""The example in docs/billing.md, as it stands there, against a running API."""

from __future__ import annotations

import json
import subprocess

import pytest

from scripts.generated import ROOT
from tests.support.api import Api
from tests.support.billing import OLD_SECRET

pytestmark = pytest.mark.servers


def example() -> str:
    text = (ROOT / "docs" / "billing.md").read_text()
    _, _, after = text.partition("<!-- run by tests/billing/test_docs.py -->")
    return after.split("```sh\n", 1)[1].split("```", 1)[0]


def test_the_example_of_the_docs_is_a_delivery_that_is_applied(quiet: Api) -> None:
    name = quiet.create(customer_id="acme")["instance"]["name"]
    known = {"PATH": "/usr/local/bin:/usr/bin:/bin", "SECRET": OLD_SECRET, "BERTH_URL": quiet.url}

    told = subprocess.run(
        ["/bin/bash", "-euo", "pipefail", "-c", example()],
        env=known,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["verdict"] == "applied", told.stdout
    assert quiet.get(f"/instances/{name}")["billing_status"] == "payment_required"

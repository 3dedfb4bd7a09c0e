"""docs/events.md and docs/asyncapi.json say what the feed does: their examples are checked, the program is run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from api.live.sockets import Subscribe
from api.schemas import Event
from api.schemas import stream as frames
from scripts import asyncapi
from tests.api.test_feed import emit
from tests.support.api import TOKEN, Api

pytestmark = pytest.mark.servers
PAGE = Path(__file__).parents[2] / "docs" / "events.md"
BY_TYPE: dict[str | None, type[BaseModel]] = {
    "hello": frames.Hello,
    "heartbeat": frames.Heartbeat,
    "events": frames.Events,
    "records": frames.Records,
    "snapshot_required": frames.SnapshotRequired,
    "subscribe": Subscribe,
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)


def model_of(form: dict[str, Any]) -> type[BaseModel]:
    if "type" in form:
        return BY_TYPE[form["type"]]
    return Event if "time" in form else frames.RetoldEvent


@pytest.mark.parametrize("text", blocks("json"))
def test_every_frame_on_the_page_has_the_form_that_the_code_has(text: str) -> None:
    form = json.loads(text)
    model_of(form).model_validate_json(text)


def test_every_kind_of_frame_is_on_the_page() -> None:
    shown = {model_of(json.loads(text)) for text in blocks("json")}
    assert shown >= {*BY_TYPE.values(), Event, frames.RetoldEvent}
    for code in asyncapi.CLOSE_CODES:
        assert f"| {code} |" in PAGE.read_text()


def test_the_committed_document_is_what_the_models_say() -> None:
    assert asyncapi.TARGET.read_text() == asyncapi.text(), "run `make docs` and review the difference"


def test_references_in_the_document_lead_somewhere_and_its_examples_fit() -> None:
    document = asyncapi.document()

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if "$ref" in node:
                found: Any = document
                for part in node["$ref"].removeprefix("#/").split("/"):
                    found = found[part]
            for child in node.values():
                walk(child)
        elif isinstance(node, list):
            for child in node:
                walk(child)

    walk(document)
    for name, example in asyncapi.EXAMPLES.items():
        model = next(m for m in (*asyncapi.SAID, *asyncapi.TOLD) if m.__name__ == name)
        model.model_validate_json(json.dumps(example))


def test_the_program_on_the_page_follows_the_feed(api: Api) -> None:
    (program,) = blocks("python")
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        env={"PATH": os.defpath, "BERTH_URL": api.url, "BERTH_TOKEN": TOKEN, "EVENTS": "3"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + 90
        number = 0
        while process.poll() is None and time.monotonic() < deadline:
            number += 1
            emit(api, 3, f"ins_page{number}")  # the program may not listen yet
            time.sleep(0.5)
        told, _ = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait(60)
    assert process.returncode == 0
    lines = told.splitlines()
    assert len(lines) >= 2
    assert all(" LAUNCH_CONFIRMED ins_page" in line for line in lines)

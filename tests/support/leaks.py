"""Find secret values in everything that Berth and Temporal write down: raw, decoded, quoted or encoded."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from google.protobuf.json_format import MessageToJson
from sqlalchemy import inspect, text
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryRequest
from temporalio.client import Client

from db.session import Database


def forms(secret: str) -> set[bytes]:
    """How a value may look when it has been written somewhere: base64 at each of its three offsets included."""
    raw = secret.encode()
    shifted = {base64.b64encode(b"x" * pad + raw)[4 if pad else 0 : -4] for pad in range(3)}
    texts = {quote(secret, safe=""), json.dumps(secret)[1:-1], raw.hex(), repr(secret)[1:-1]}
    return {raw, *shifted, *(form.encode() for form in texts)}


def leaks(places: Iterable[tuple[str, bytes]], secrets: Iterable[str]) -> list[str]:
    """The names of the places that hold any of the secrets in any form."""
    wanted = set().union(*(forms(secret) for secret in secrets))
    return [name for name, content in places if any(form in content for form in wanted)]


async def of_temporal(client: Client, folder: Path) -> list[tuple[str, bytes]]:
    """Every run's history raw and decoded, what describe and list say of it, and the server's own files."""
    places: list[tuple[str, bytes]] = []
    async for run in client.list_workflows():
        handle = client.get_workflow_handle(run.id, run_id=run.run_id)
        request = GetWorkflowExecutionHistoryRequest(
            namespace=client.namespace, execution=WorkflowExecution(workflow_id=run.id, run_id=run.run_id or "")
        )
        raw = await client.workflow_service.get_workflow_execution_history(request)
        history = await handle.fetch_history()
        decoded = [payload_text(event) for event in history.events]
        shown = (await handle.describe()).raw_description
        places += [
            (f"raw history of {run.id}", raw.SerializeToString()),
            (f"history of {run.id}", history.to_json().encode()),
            (f"decoded history of {run.id}", "\n".join(decoded).encode()),
            (f"description of {run.id}", shown.SerializeToString() + MessageToJson(shown).encode()),
            (f"listing of {run.id}", run.raw_info.SerializeToString()),
        ]
    return places + list(of_files(sorted(folder.glob("*.db*")) + sorted(folder.glob("*.log"))))


def payload_text(message: object) -> str:
    """The text of a message with every payload below it decoded."""
    found = str(message)
    for name, value in _fields(message):
        found += f" {name}={value!r}"
    return found


def _fields(message: object) -> Iterator[tuple[str, object]]:
    if not hasattr(message, "ListFields"):
        return
    for field, value in message.ListFields():
        for one in value if isinstance(value, Iterable) and not isinstance(value, str | bytes) else [value]:
            if isinstance(one, bytes):
                yield field.name, one.decode(errors="replace")
            else:
                yield from _fields(one)


class Recorded(Protocol):
    """What has records."""

    database: Database


def of_records(spine: Recorded) -> list[tuple[str, bytes]]:
    """Every row of every table but the one that holds them encrypted, and that one's ciphertext too."""
    engine = spine.database.engine
    places = []
    with engine.connect() as connection:
        for table in inspect(engine).get_table_names():
            rows = connection.execute(text(f'select t::text from "{table}" t')).scalars().all()
            places.append((f"table {table}", "\n".join(rows).encode()))
    assert len(places) > 10
    return places


def of_files(paths: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
    for path in paths:
        yield str(path), path.read_bytes()


def of_processes(uids: set[int]) -> Iterator[tuple[str, bytes]]:
    """Arguments and environments of everything that these users run."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if folder.stat().st_uid in uids:
                yield f"{folder}", (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
        except OSError:
            continue

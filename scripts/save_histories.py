"""Write tests/replay/histories again: run every scenario on real servers and keep what its runs left behind.

`python -m scripts.save_histories [SCENARIO …]`: all of them, or those that are named, the others staying as they
are. Do the first when workflow code changes on purpose, and read the diff: a history that no longer replays means
that an operation in flight would not survive the upgrade.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import tempfile
from pathlib import Path

from embedded.down import down
from embedded.installation import open_installation, prepare_directory
from tests.replay.scenarios import SCENARIOS
from tests.support.postgres import PostgresServer
from tests.support.spine import Spine
from tests.support.temporal import make_server
from workflows.connection import connect

HISTORIES = Path(__file__).parent.parent / "tests" / "replay" / "histories"


async def histories(spine: Spine, operation_ids: list[str]) -> list[str]:
    """The histories of the runs of these operations, as JSON, without the names of this machine."""
    client = await connect(spine.temporal.address, spine.namespace)
    found = []
    for operation_id in operation_ids:
        operation = spine.operation(operation_id)
        handle = client.get_workflow_handle(operation.workflow_id, run_id=operation.run_id)
        text = (await handle.fetch_history()).to_json()
        found.append(re.sub(r'"identity": "[^"]*"', '"identity": "worker"', text))
    return found


def main() -> None:
    """One file per run: `<scenario>.<number>.json`."""
    HISTORIES.mkdir(exist_ok=True)
    chosen = sys.argv[1:] or list(SCENARIOS)
    for old in (old for name in chosen for old in HISTORIES.glob(f"{name}.*.json")):
        old.unlink()
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch) / "records" / "data"
        data.parent.mkdir()
        prepare_directory(data)
        records = PostgresServer(open_installation(data))
        temporal = make_server(Path(scratch) / "temporal", namespaces=1)
        try:
            records.start()
            records.make_template()
            temporal.start()
            spine = Spine(Path(scratch) / "spine", records.new_database(), temporal, temporal.new_namespace())
            spine.start_worker()
            for name in chosen:
                saved = asyncio.run(histories(spine, SCENARIOS[name](spine)))
                for number, text in enumerate(saved, 1):
                    pretty = json.dumps(json.loads(text), indent=1, sort_keys=True)
                    (HISTORIES / f"{name}.{number}.json").write_text(pretty + "\n")
                sys.stderr.write(f"{name}: {len(saved)}\n")
            spine.close()
        finally:
            temporal.stop()
            down(records.installation, purge=True, say=lambda _: None)


if __name__ == "__main__":
    main()

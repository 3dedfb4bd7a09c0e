"""Let Temporal's SDK download its CLI into a folder, and print the file's path.

Run by `embedded.temporal_cli` as a process of its own: the SDK offers the download only as part of starting a
test server, and has no time limit for it.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from temporalio.testing import WorkflowEnvironment


async def download(version: str, folder: Path) -> Path:
    environment = await WorkflowEnvironment.start_local(
        dev_server_download_version=f"v{version}", download_dest_dir=str(folder)
    )
    await environment.shutdown()
    return next(path for path in folder.iterdir() if path.name.startswith("temporal"))


if __name__ == "__main__":
    print(asyncio.run(download(sys.argv[1], Path(sys.argv[2]))))  # noqa: T201

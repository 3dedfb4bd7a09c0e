"""The worker of the bare workflow. Run as `python -m bench.bare_worker ADDRESS NAMESPACE`; prints `ready`."""

from __future__ import annotations

import asyncio
import signal
import sys
from concurrent.futures import ThreadPoolExecutor

from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from bench.bare import PROVIDER_QUEUE, QUEUE, BareWorkflow, bare_act, bare_local
from workflows.connection import connect


async def main(address: str, namespace: str) -> None:
    """Serve until SIGTERM."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    client = await connect(address, namespace)
    runner = SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_all_modules())
    with ThreadPoolExecutor(16) as pool:
        async with (
            Worker(
                client,
                task_queue=QUEUE,
                workflows=[BareWorkflow],
                activities=[bare_local],
                activity_executor=pool,
                workflow_runner=runner,
                build_id="bench",
            ),
            Worker(client, task_queue=PROVIDER_QUEUE, activities=[bare_act], build_id="bench"),
        ):
            sys.stdout.write("ready\n")
            sys.stdout.flush()
            await stopping.wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))

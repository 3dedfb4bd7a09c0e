"""How every process of ours connects to Temporal: one converter, one set of options."""

from __future__ import annotations

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter


async def connect(address: str, namespace: str, *, lazy: bool = False) -> Client:
    """A client. `lazy`: connects with the first call, so that a process can start before Temporal does."""
    return await Client.connect(address, namespace=namespace, data_converter=pydantic_data_converter, lazy=lazy)

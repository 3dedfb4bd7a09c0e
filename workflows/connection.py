"""How every process of ours connects to Temporal: one converter, one set of options."""

from __future__ import annotations

from collections.abc import Sequence

from temporalio.client import Client, Interceptor, TLSConfig
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.runtime import Runtime


async def connect(
    address: str,
    namespace: str,
    *,
    lazy: bool = False,
    interceptors: Sequence[Interceptor] = (),
    runtime: Runtime | None = None,
    tls: TLSConfig | None = None,
    api_key: str | None = None,
) -> Client:
    """A client. `lazy`: connects with the first call, so that a process can start before Temporal does.

    `tls` None: in clear, also with an API key; `transport.py` gives neither without the other.
    """
    return await Client.connect(
        address,
        namespace=namespace,
        data_converter=pydantic_data_converter,
        lazy=lazy,
        interceptors=interceptors,
        runtime=runtime,
        tls=tls or False,
        api_key=api_key,
    )

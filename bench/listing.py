"""How long the list of instances takes at few rows and at many."""

from __future__ import annotations

import time
from typing import Any

import httpx2
from sqlalchemy import create_engine, text

from scripts.berth import Up
from settings import psycopg2_url

_REQUESTS = 400
_WARM_UP = 30
FILL = """
insert into deployments (id, project, name, blueprint, provider, params, resources, members, labels,
                         restart_policy, timeouts, created_at, updated_at)
select 'dep_bench' || n, 'default', 'bench-' || n, 'web', 'simulated', '{}', '{}', 1, '{}', 'never', '{}',
       now() - make_interval(secs => n), now()
from generate_series(:first, :last) n;
insert into instances_runtime (id, deployment_id, project, name, ordinal, role, blueprint, provider, labels,
                               status, provisioning_status, billing_status, applied_spec, created_at, updated_at)
select 'ins_bench' || n, 'dep_bench' || n, 'default', 'bench-' || n, 1, 'standalone', 'web', 'simulated', '{}',
       case when n % 10 = 0 then 'stopped' else 'running' end, 'completed', 'trial',
       '{"params": {}, "resources": {}}', now() - make_interval(secs => n), now()
from generate_series(:first, :last) n;
"""


def list_latency(up: Up, sizes: tuple[int, ...]) -> dict[str, Any]:
    """p50 and p99 in seconds of `GET /instances` (a full page, with counts), for growing numbers of rows."""
    engine = create_engine(psycopg2_url(up.exports()["DATABASE_URL"]))
    found: dict[str, Any] = {}
    filled = 0
    for size in sizes:
        with engine.begin() as connection:
            for statement in FILL.strip().split(";\n"):
                if statement:
                    connection.execute(text(statement), {"first": filled + 1, "last": size})
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("vacuum analyze instances_runtime, deployments"))
        filled = size
        found[str(size)] = _measure(up)
    engine.dispose()
    return found


def _measure(up: Up) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {up.token}"}
    samples = []
    with httpx2.Client(base_url=f"{up.url}/api/v1", headers=headers, timeout=30) as http:
        for number in range(_WARM_UP + _REQUESTS):
            began = time.perf_counter()
            http.get("/instances", params={"page_size": 50}).raise_for_status()
            if number >= _WARM_UP:
                samples.append(time.perf_counter() - began)
    ordered = sorted(samples)
    return {"p50": ordered[len(ordered) // 2], "p99": ordered[int(len(ordered) * 0.99)], "samples": samples}

"""The embedded PostgreSQL of an installation: made once, and found again by whoever starts it anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg2
import pytest

from embedded import cluster, postgres
from embedded.installation import open_installation, prepare_directory

pytestmark = pytest.mark.servers


def test_a_database_that_was_too_slow_to_answer_is_not_made_again(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare_directory(data_dir)
    server = cluster.prepare(open_installation(data_dir))
    first = postgres.start(server)
    connect, asked = psycopg2.connect, list[str]()

    def connect_late(url: str, **more: Any) -> Any:
        asked.append(url)
        if len(asked) == 1:
            raise psycopg2.OperationalError("timeout expired")
        return connect(url, **more)

    monkeypatch.setattr(psycopg2, "connect", connect_late)
    assert postgres.start(server) == first
    assert len(asked) > 1

"""Real PostgreSQL servers through the process provider, in both versions."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import psycopg2
import pytest

from blueprints.base import Disruption
from blueprints.postgres import PostgresBlueprint
from blueprints.postgres_settings import PostgresSettings, same_value
from domain.errors import ProviderError, ProviderErrorKind
from domain.work import Secrets, Seen, Work
from tests.support.calls import RecordingCall
from tests.support.instances import Workshop, changed
from tests.support.patience import busy

pytestmark = pytest.mark.processes
POSTGRES = PostgresBlueprint()
PATIENCE = 30.0
"""For an answer that is to come."""
both_versions = pytest.mark.parametrize("version", [16, 18])


@contextmanager
def connected(work: Work, user: str = "app", database: str = "app") -> Iterator[Any]:
    password = work.secrets["password" if user == "app" else "admin_password"]
    connection = psycopg2.connect(
        host="127.0.0.1", port=work.port, user=user, password=password, dbname=database, connect_timeout=30
    )
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


def value(work: Work, query: str, **who: str) -> Any:
    with connected(work, **who) as cursor:
        cursor.execute(query)
        return cursor.fetchone()[0]


def running(workshop: Workshop, **params: Any) -> Work:
    work = workshop.work("postgres", params)
    workshop.provider.create(work, RecordingCall())
    workshop.ready(work)
    return work


@both_versions
def test_rows_outlive_a_stop_and_a_start(workshop: Workshop, version: int) -> None:
    work = running(workshop, version=version)
    assert value(work, "show server_version").startswith(f"{version}.")
    with connected(work) as cursor:
        cursor.execute("create table t (v text); insert into t values ('kept')")
    workshop.provider.stop(work, RecordingCall())
    assert workshop.provider.observe(work).seen is Seen.DOWN
    workshop.provider.start(work, RecordingCall())
    workshop.ready(work)
    assert value(work, "select v from t") == "kept"


@both_versions
def test_a_changed_setting_waits_for_the_restart_that_it_needs(workshop: Workshop, version: int) -> None:
    work = running(workshop, version=version, work_mem="8MB")
    more = changed(work, max_connections=50)
    workshop.provider.modify(more, RecordingCall())
    assert POSTGRES.needs_restart(more)
    workshop.provider.restart(more, RecordingCall())
    workshop.ready(more)
    assert not POSTGRES.needs_restart(more)
    assert value(more, "show max_connections") == "50"
    assert value(more, "show work_mem") == "8MB"
    fewer = replace(work, params={"version": version, "max_connections": 50})
    workshop.provider.modify(fewer, RecordingCall())
    assert not POSTGRES.needs_restart(fewer)
    assert value(fewer, "show work_mem") == "4MB"
    workshop.provider.modify(work, RecordingCall())
    assert POSTGRES.needs_restart(work), "a restart is also needed to go back to a default"


@both_versions
def test_the_predicted_cost_and_the_defaults_are_those_of_the_server(workshop: Workshop, version: int) -> None:
    work = running(workshop, version=version)
    names = list(PostgresSettings.model_fields)
    with connected(work) as cursor:
        cursor.execute("select name, context, boot_val, unit from pg_settings where name = any(%s)", (names,))
        found = {row[0]: row[1:] for row in cursor.fetchall()}
    assert set(found) == set(names)
    for name, (context, boot_value, unit) in found.items():
        needs_restart = POSTGRES.disruption(name, "a", "b") is Disruption.RESTART
        assert needs_restart == (context == "postmaster"), name
        default = PostgresSettings.model_fields[name].default
        assert same_value(default, boot_value, unit), name


def until(condition: Any) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@both_versions
def test_people_get_a_role_that_owns_its_database_and_nothing_else(workshop: Workshop, version: int) -> None:
    work = running(workshop, version=version)
    with connected(work) as cursor:
        cursor.execute(
            "select rolsuper, rolcreatedb, rolcreaterole, rolreplication from pg_roles where rolname='app'"
        )
        assert cursor.fetchone() == (False, False, False, False)
        for forbidden in (
            "copy (select 1) to program 'id'",
            "select pg_read_file('/etc/passwd')",
            "create role other",
        ):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                cursor.execute(forbidden)
        with pytest.raises((psycopg2.errors.InsufficientPrivilege, psycopg2.errors.FeatureNotSupported)):
            cursor.execute("alter system set work_mem = '1GB'")
        cursor.execute("create schema mine; create table mine.t (v int)")
    with pytest.raises(psycopg2.OperationalError, match=r"rejects connection|no pg_hba"):
        value(work, "select 1", database="postgres")


@both_versions
def test_nobody_enters_without_the_password(workshop: Workshop, version: int) -> None:
    work = running(workshop, version=version)
    assert (
        value(
            work,
            "select count(*) from pg_hba_file_rules where auth_method = 'trust'",
            user="berth_admin",
            database="postgres",
        )
        == 0
    )
    wrong = replace(work, secrets=Secrets(password="wrong", admin_password="wrong"))
    with pytest.raises(ProviderError, match="password authentication failed") as refused:
        POSTGRES.probe(wrong, PATIENCE)
    assert refused.value.kind is ProviderErrorKind.AUTH
    assert "wrong" not in refused.value.message


def test_a_password_that_was_changed_behind_our_back_is_set_right(workshop: Workshop) -> None:
    work = running(workshop)
    with connected(work) as cursor:
        cursor.execute("alter role app password 'other'")
    with pytest.raises(ProviderError):
        POSTGRES.probe(work, PATIENCE)
    POSTGRES.prepare(work, RecordingCall())
    POSTGRES.probe(work, PATIENCE)


def test_preparing_side_by_side_and_again_is_the_same_as_once(workshop: Workshop) -> None:
    work = workshop.work("postgres")
    workshop.provider.create(work, RecordingCall())
    until(lambda: workshop.ready(work) is not None)
    with connected(work, user="berth_admin", database="postgres") as cursor:
        cursor.execute("drop database app")
        cursor.execute("drop role app")
    failures: list[Exception] = []

    def attempt() -> None:
        try:
            POSTGRES.prepare(work, RecordingCall())
        except ProviderError as error:
            failures.append(error)

    attempts = [threading.Thread(target=attempt) for _ in range(3)]
    for one in attempts:
        one.start()
    for one in attempts:
        one.join(60)
    assert failures == []
    POSTGRES.probe(work, PATIENCE)


def test_a_server_whose_slots_are_all_taken_does_serve(workshop: Workshop) -> None:
    work = running(workshop, max_connections=10)
    others = "select count(*) from pg_stat_activity where usename = 'app'"
    until(lambda: value(work, others, user="berth_admin", database="postgres") == 0)  # probes, on their way out
    held = []
    try:
        for _ in range(7):
            held.append(psycopg2.connect(POSTGRES.connection_uri(work), connect_timeout=30))
        with pytest.raises(psycopg2.OperationalError):
            psycopg2.connect(POSTGRES.connection_uri(work), connect_timeout=30)
        POSTGRES.probe(work, PATIENCE)
    finally:
        for connection in held:
            connection.close()


def test_a_paused_server_is_not_waited_for_longer_than_allowed(workshop: Workshop) -> None:
    work = running(workshop)
    (pid,) = workshop.pids(work)
    os.kill(pid, signal.SIGSTOP)
    started = time.monotonic()
    with pytest.raises(ProviderError, match="does not answer in time") as refused:
        POSTGRES.probe(work, 0.5)
    assert time.monotonic() - started < 5 * busy()
    assert refused.value.kind is ProviderErrorKind.NOT_READY


def test_nobody_there_is_not_ready(workshop: Workshop) -> None:
    with pytest.raises(ProviderError, match="Connection refused") as refused:
        POSTGRES.probe(workshop.work("postgres"), 1.0)
    assert refused.value.kind is ProviderErrorKind.NOT_READY


def test_a_killed_server_recovers_with_its_committed_rows(workshop: Workshop) -> None:
    work = running(workshop)
    with connected(work) as cursor:
        cursor.execute("create table t (v int); insert into t values (1)")
    (pid,) = workshop.pids(work)
    os.kill(pid, signal.SIGKILL)
    until(lambda: workshop.provider.observe(work).seen is Seen.DOWN)
    workshop.provider.start(work, RecordingCall())
    workshop.ready(work)
    assert value(work, "select v from t") == 1
    assert len(workshop.pids(work)) == 1


def test_open_sessions_do_not_hold_up_a_stop(workshop: Workshop) -> None:
    work = running(workshop)
    with connected(work) as cursor:
        cursor.execute("begin; create table t ()")
        started = time.monotonic()
        workshop.provider.stop(work, RecordingCall())
        assert time.monotonic() - started < 10 * busy(), "half of the time after which it is aborted"


def test_settings_at_their_bounds_start(workshop: Workshop) -> None:
    work = running(
        workshop,
        max_connections=10,
        shared_buffers="1MB",
        max_worker_processes=1,
        max_locks_per_transaction=10,
        max_wal_size="32MB",
        min_wal_size="32MB",
        statement_timeout="1ms",
        checkpoint_timeout="30s",
    )
    assert not POSTGRES.needs_restart(work)
    most = replace(
        work,
        params={
            "max_connections": 10_000,
            "work_mem": "64GB",
            "maintenance_work_mem": "64GB",
            "effective_cache_size": "4TB",
            "max_wal_size": "1TB",
            "temp_file_limit": "1TB",
            "statement_timeout": "20d",
            "autovacuum_naptime": "1500ms",
            "lock_timeout": "20d",
        },
    )
    workshop.provider.restart(most, RecordingCall())
    workshop.ready(most)
    assert not POSTGRES.needs_restart(most)


def test_the_password_is_in_no_file_argument_environment_or_log(workshop: Workshop) -> None:
    work = running(workshop)
    (pid,) = workshop.pids(work)
    home = workshop.root / work.instance_id
    places = [home / "process.json", *(home / "conf").iterdir(), *(home / "log").iterdir()]
    seen = b"".join(path.read_bytes() for path in places)
    for process in ("cmdline", "environ"):
        with open(f"/proc/{pid}/{process}", "rb") as file:  # noqa: PTH123
            seen += file.read()
    assert not any(secret.encode() in seen for secret in work.secrets.values())


def test_a_life_is_quick(workshop: Workshop) -> None:
    """Generous bounds: a quiet machine takes 0.6 s, 0.05 s and 0.06 s."""
    running(workshop)  # copies the programs
    work, call = workshop.work("postgres"), RecordingCall()
    started = time.monotonic()
    workshop.provider.create(work, call)
    workshop.ready(work)
    created = time.monotonic()
    workshop.provider.stop(work, call)
    stopped = time.monotonic()
    workshop.provider.start(work, call)
    workshop.ready(work)
    ended = time.monotonic()
    assert created - started < 6 * busy()
    assert stopped - created < 4 * busy()
    assert ended - stopped < 4 * busy()

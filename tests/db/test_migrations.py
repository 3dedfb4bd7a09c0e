"""The migrations make what the models say, CHECKs and partial indexes included, and may run again at any time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Connection, create_engine, text

from db.migrate import current, head, upgrade
from db.models import Base, Meta
from db.session import EVENT_SEQUENCE, open_database
from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.servers

_ASIDE = "alembic_version"
_CATALOG = {
    "column": """
        select table_name || '.' || column_name, data_type || coalesce(character_maximum_length::text, '')
               || ' null ' || is_nullable || ' default ' || coalesce(column_default, '-')
        from information_schema.columns where table_schema = 'public'""",
    "constraint": """
        select conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
        from pg_constraint where connamespace = 'public'::regnamespace and contype <> 'n'""",
    "index": "select tablename || '.' || indexname, indexdef from pg_indexes where schemaname = 'public'",
    "sequence": "select sequencename, data_type::text from pg_sequences where schemaname = 'public'",
}


def _shape(connection: Connection) -> dict[str, str]:
    """Everything that the catalogue knows of our tables."""
    found = {}
    for kind, query in _CATALOG.items():
        for name, definition in connection.execute(text(query)):
            if not str(name).startswith(_ASIDE):
                found[f"{kind} {name}"] = str(definition)
    return found


@pytest.fixture
def empty_url(postgres_server: PostgresServer) -> str:
    """A database without any of our tables."""
    url = postgres_server.new_database()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("drop schema public cascade"))
        connection.execute(text("create schema public"))
    engine.dispose()
    return url


def test_migrations_and_models_make_the_same_tables(database_url: str, empty_url: str) -> None:
    migrated, modelled = create_engine(database_url), create_engine(empty_url)
    assert EVENT_SEQUENCE.metadata is Base.metadata
    with modelled.begin() as connection:
        Base.metadata.create_all(connection)
        expected = _shape(connection)
    with migrated.connect() as connection:
        assert _shape(connection) == expected
    migrated.dispose()
    modelled.dispose()


def test_several_processes_may_migrate_at_once_and_later_again(empty_url: str) -> None:
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(upgrade, [empty_url] * 3))
    database = open_database(empty_url, pool_size=1)
    with database.begin() as tx:
        first = {row.key: row.value for row in tx.session.query(Meta)}
        assert current(tx.session) == head()
    upgrade(empty_url)
    with database.begin() as tx:
        assert {row.key: row.value for row in tx.session.query(Meta)} == first
    database.engine.dispose()
    assert first.keys() == {"server_id", "epoch"}

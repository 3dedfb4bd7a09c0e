"""Bring the schema to head, under one advisory lock. Run by `berth up`, and by hand: `python -m db.migrate`."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from ulid import ULID

from db.grants import GRANTS, ROLE
from db.models import Meta
from db.session import MIGRATION_LOCK

HERE = Path(__file__).parent / "migrations"


def configuration(url: str) -> Config:
    """Alembic's configuration, without an ini file: `url` is the only setting."""
    config = Config()
    config.set_main_option("script_location", str(HERE))
    config.attributes["url"] = url
    return config


def head() -> str:
    """The newest revision that this code knows."""
    revision = ScriptDirectory.from_config(configuration("")).get_current_head()
    assert revision is not None
    return revision


def upgrade(url: str) -> None:
    """Migrate to head; several processes may call this at once, one does the work."""
    engine = create_engine(url, connect_args={"connect_timeout": 5})
    with engine.connect() as connection:
        connection.execute(text("select pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
        connection.commit()
        config = configuration(url)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
        with Session(connection) as session:
            _first_facts(session)
            _rights_of_the_application(session)
            session.commit()
        connection.execute(text("select pg_advisory_unlock(:key)"), {"key": MIGRATION_LOCK})
        connection.commit()
    engine.dispose()


def _first_facts(session: Session) -> None:
    """What is decided once for this database: its server id and the epoch of its cursor."""
    for key in ("server_id", "epoch"):
        session.execute(
            insert(Meta).values(key=key, value=str(ULID()).lower()).on_conflict_do_nothing(index_elements=["key"])
        )


def _rights_of_the_application(session: Session) -> None:
    """Where there is such a role, new tables are for it, too."""
    if session.scalar(text("select 1 from pg_roles where rolname = :role"), {"role": ROLE}) is None:
        return
    for statement in GRANTS:
        session.execute(text(statement))


def current(session: Session) -> str | None:
    """The revision that the database is at; None before the first migration."""
    if session.scalar(select(func.to_regclass("alembic_version"))) is None:
        return None
    revision: str | None = session.scalar(text("select version_num from alembic_version"))
    return revision


def main() -> None:
    """Entry of `python -m db.migrate`."""
    from settings import Settings  # noqa: PLC0415 - entry point: only it reads the environment

    upgrade(Settings().database_url)


if __name__ == "__main__":
    main()

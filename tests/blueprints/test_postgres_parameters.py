"""What users may say of a PostgreSQL server, and what becomes of it; no server is started here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import pytest

from blueprints.base import Disruption, validated
from blueprints.postgres import PostgresBlueprint, PostgresParameters
from blueprints.postgres_settings import PostgresSettings, as_configuration, host_memory_kb, same_value
from blueprints.postgres_sql import is_verifier_of
from domain.errors import InvalidInput
from domain.work import Home, Secrets
from tests.support.works import a_work

pytestmark = pytest.mark.unit
POSTGRES = PostgresBlueprint()
HOME = Home(*(PurePosixPath("/i", part) for part in ("", "data", "conf", "run", "log")))


def configuration(**params: Any) -> dict[str, str]:
    work = a_work(blueprint="postgres", params=params, port=5000, secrets=Secrets(admin_password="x"))
    text = POSTGRES.process_recipe(work, HOME).files["postgresql.conf"]
    return dict(line.split(" = ", 1) for line in text.splitlines())


def test_only_what_was_given_is_kept_so_that_defaults_may_change() -> None:
    assert validated(PostgresParameters, {}) == {}
    assert validated(PostgresParameters, {"work_mem": "8MB"}) == {"work_mem": "8MB"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("version", 17),
        ("version", "18"),
        ("port", 80),
        ("port", 70_000),
        ("max_connections", 5),
        ("max_connections", 20_000),
        ("max_connections", "200"),
        ("max_connections", True),
        ("shared_buffers", "128"),
        ("shared_buffers", "128 MB"),
        ("shared_buffers", "8kB"),
        ("shared_buffers", "999GB"),
        ("shared_buffers", "-1MB"),
        ("work_mem", "99999GB"),
        ("work_mem", "64MB\nlisten_addresses = '*'"),
        ("statement_timeout", "30"),
        ("statement_timeout", "40d"),
        ("checkpoint_timeout", "1s"),
        ("random_page_cost", -1),
        ("random_page_cost", float("nan")),
        ("autovacuum", "yes"),
        ("default_transaction_isolation", "chaos"),
        ("archive_command", "rm -rf /"),
        ("shared_preload_libraries", "evil"),
        ("listen_addresses", "*"),
        ("data_directory", "/etc"),
        ("unix_socket_directories", "/tmp"),
    ],
)
def test_what_would_not_start_or_is_not_allowed_is_refused_with_a_pointer(name: str, value: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        validated(PostgresParameters, {name: value})
    assert [error.pointer for error in refused.value.errors] == [f"/params/{name}"]


def test_a_refusal_says_what_is_allowed() -> None:
    with pytest.raises(InvalidInput, match="must be from 64kB to 64GB, written like '64MB'"):
        validated(PostgresParameters, {"work_mem": "lots"})


def test_settings_that_only_together_need_too_much_memory_are_refused() -> None:
    memory = {"max_connections": 10_000, "max_locks_per_transaction": 1024}
    buffers = f"{int(host_memory_kb() * 0.74) >> 10}MB"
    assert validated(PostgresParameters, {"shared_buffers": buffers})
    with pytest.raises(InvalidInput, match="together need"):
        validated(PostgresParameters, {**memory, "shared_buffers": buffers})


def test_the_configuration_is_whole_and_a_parameter_taken_back_falls_to_the_servers_default() -> None:
    assert configuration(work_mem="8MB", jit=False)["work_mem"] == "'8MB'"
    assert configuration(jit=False)["jit"] == "off"
    assert "work_mem" not in configuration()


def test_a_server_listens_on_the_loopback_interface_only() -> None:
    settings = configuration()
    assert settings["listen_addresses"] == "'127.0.0.1'"
    assert settings["unix_socket_directories"] == "''"
    assert settings["port"] == "5000"


def test_only_18_can_forbid_alter_system() -> None:
    assert configuration()["allow_alter_system"] == "off"
    assert "allow_alter_system" not in configuration(version=16)


def test_a_quote_cannot_leave_its_setting() -> None:
    assert as_configuration("x", "a'b\\c\nd") == "x = 'a''b\\\\c d'"


@pytest.mark.parametrize(
    ("wanted", "setting", "unit", "same"),
    [
        ("128MB", "16384", "8kB", True),
        ("129MB", "16384", "8kB", False),
        ("1025kB", "128", "8kB", True),
        ("1GB", "1024", "MB", True),
        ("1500ms", "2", "s", True),
        ("1min", "60", "s", True),
        ("0", "0", "ms", True),
        ("-1", "-1", "kB", True),
        ("30s", "0", "ms", False),
        (100, "100", None, True),
        (0.9, "0.9", None, True),
        (True, "on", None, True),
        (False, "on", None, False),
        ("read committed", "read committed", None, True),
    ],
)
def test_a_value_is_compared_in_the_servers_own_unit(
    wanted: object, setting: str, unit: str | None, same: bool
) -> None:
    assert same_value(wanted, setting, unit) is same


def test_no_password_stands_in_a_file_or_an_argument() -> None:
    own = POSTGRES.new_secrets()
    recipe = POSTGRES.process_recipe(a_work(blueprint="postgres", port=5000, secrets=own), HOME)
    visible = repr([recipe.files, recipe.run, recipe.initialise])
    assert not any(secret in visible for secret in own.values())
    assert recipe.initialise[0].stdin == own["admin_password"]


@pytest.mark.parametrize(
    ("path", "after", "expected"),
    [
        ("/params/max_connections", 200, Disruption.RESTART),
        ("params.work_mem", "8MB", Disruption.RELOAD),
        ("work_mem", "8MB", Disruption.RELOAD),
        ("/params/version", 16, Disruption.REPLACE),
        ("/params/port", 6000, Disruption.REPLACE),
        ("/labels/team", "a", Disruption.NONE),
        ("/params/work_mem", "4MB", Disruption.NONE),
    ],
)
def test_the_cost_of_a_change_follows_from_the_setting(path: str, after: object, expected: Disruption) -> None:
    assert POSTGRES.disruption(path, "4MB", after) is expected


def test_every_setting_says_its_cost_and_its_meaning_in_the_schema() -> None:
    properties = PostgresParameters.model_json_schema()["properties"]
    assert list(properties)[:3] == ["version", "port", "image"]
    for name in PostgresSettings.model_fields:
        assert properties[name]["disruption"] in ("reload", "restart")
        assert properties[name]["description"]


def test_the_uri_escapes_the_password_and_the_endpoint_has_none() -> None:
    work = a_work(blueprint="postgres", port=5000, secrets=Secrets(password="a/b@c"))
    assert POSTGRES.connection_uri(work) == "postgresql://app:a%2Fb%40c@127.0.0.1:5000/app"
    assert POSTGRES.connection_uri(replace(work, port=None), "shop.apps.svc:5432") == (
        "postgresql://app:a%2Fb%40c@shop.apps.svc:5432/app"
    )
    assert POSTGRES.connection_uri(replace(work, port=None)) is None
    assert POSTGRES.endpoint(work) == "postgresql://app@127.0.0.1:5000/app"


def test_secrets_are_new_each_time() -> None:
    first, second = POSTGRES.new_secrets(), POSTGRES.new_secrets()
    assert set(first) == {"password", "admin_password"}
    assert not set(first.values()) & set(second.values())


def test_a_stored_verifier_is_compared_without_a_login() -> None:
    # The example of RFC 7677: user "user", password "pencil".
    stored = (
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
        "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    )
    assert is_verifier_of(stored, "pencil")
    assert not is_verifier_of(stored, "pen")
    assert not is_verifier_of("md5abc", "pencil")

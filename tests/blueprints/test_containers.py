"""How blueprints run in containers and machines, and what may be said of them; nothing is started here."""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Any

import pytest

from blueprints.base import Disruption, validated
from blueprints.registry import BLUEPRINTS
from domain.errors import InvalidInput, ProviderError, ProviderErrorKind
from domain.work import ContainerRecipe, DatabaseAccess, Form, HealthCheck, MachineRecipe, Secrets, Work
from tests.support.works import a_work

pytestmark = pytest.mark.unit
IMAGE = {"image": "registry.example:5000/team/shop:1.4"}
ODOO = {"admin_email": "admin@example.com"}
MACHINE = {"instance_type": "t3.micro"}
MINIMAL: dict[str, dict[str, Any]] = {"container": IMAGE, "odoo": ODOO, "vm": MACHINE, "postgres": {}, "web": {}}


def work(blueprint: str, params: dict[str, Any], **changes: Any) -> Work:
    return a_work(blueprint=blueprint, params=params, form=Form.CONTAINER, **changes)


def recipe(blueprint: str, params: dict[str, Any], **changes: Any) -> ContainerRecipe:
    return BLUEPRINTS[blueprint].container_recipe(work(blueprint, params, **changes))


def refusal(blueprint: str, params: dict[str, Any]) -> InvalidInput:
    with pytest.raises(InvalidInput) as refused:
        validated(BLUEPRINTS[blueprint].parameters, params)
    return refused.value


@pytest.mark.parametrize(
    "image",
    [
        "postgres",
        "postgres:18",
        "library/postgres:18-trixie",
        "localhost:5000/a/b_c/d--e:v1.0_x",
        "registry.example/team/app@sha256:" + "a" * 64,
        "registry.example/team/app:1@sha256:" + "0" * 64,
    ],
)
def test_an_image_is_named_as_engines_name_them(image: str) -> None:
    assert validated(BLUEPRINTS["container"].parameters, {"image": image}) == {"image": image}


@pytest.mark.parametrize(
    "image",
    [
        "",
        "-v",
        "--privileged",
        "a b",
        "a\nb",
        "a;b",
        "$(id)",
        "Shop",
        "a:",
        "a:-x",
        "a@sha256:12",
        "/a",
        "a//b",
        "../a",
        "http://x/a",
        "a:" + "b" * 129,
        "a" * 256,
        7,
        None,
    ],
)
def test_what_could_be_an_option_or_a_shell_is_no_image(image: object) -> None:
    assert [e.pointer for e in refusal("container", {"image": image}).errors] == ["/params/image"]


@pytest.mark.parametrize(
    ("params", "pointer"),
    [
        ({}, "/params/image"),
        ({**IMAGE, "privileged": True}, "/params/privileged"),
        ({**IMAGE, "arguments": "sh -c id"}, "/params/arguments"),
        ({**IMAGE, "arguments": ["a\nb"]}, "/params/arguments/0"),
        ({**IMAGE, "arguments": ["x"] * 101}, "/params/arguments"),
        ({**IMAGE, "environment": {"A B": "x"}}, "/params/environment/A B"),
        ({**IMAGE, "environment": {"A=B": "x"}}, "/params/environment/A=B"),
        ({**IMAGE, "environment": {"1A": "x"}}, "/params/environment/1A"),
        ({**IMAGE, "environment": {"BERTH_TOKEN": "x"}}, "/params/environment/BERTH_TOKEN"),
        ({**IMAGE, "environment": {"A": 1}}, "/params/environment/A"),
        ({**IMAGE, "environment": {"A": "x" * 8193}}, "/params/environment/A"),
        ({**IMAGE, "environment": {f"V{n}": "" for n in range(101)}}, "/params/environment"),
        ({**IMAGE, "container_port": 0}, "/params/container_port"),
        ({**IMAGE, "container_port": 65536}, "/params/container_port"),
        ({**IMAGE, "container_port": 80, "port": 80}, "/params/port"),
        ({**IMAGE, "container_port": 80, "health_path": "healthz"}, "/params/health_path"),
        ({**IMAGE, "container_port": 80, "health_path": "//evil.example/"}, "/params/health_path"),
        ({**IMAGE, "container_port": 80, "health_path": "/a b"}, "/params/health_path"),
        ({**IMAGE, "health_path": "/"}, "/params"),
        ({**IMAGE, "port": 5000}, "/params"),
        ({**IMAGE, "environment": {"A": "1"}, "secret_environment": {"A": "2"}}, "/params"),
        ({**IMAGE, "volumes": {"a": "/data", "b": "/data"}}, "/params"),
        ({**IMAGE, "volumes": {"A": "/data"}}, "/params/volumes/A"),
        ({**IMAGE, "user": 0}, "/params/user"),
        ({**IMAGE, "user": "root"}, "/params/user"),
    ],
)
def test_what_a_container_cannot_be_told_is_refused_with_a_pointer(params: dict[str, Any], pointer: str) -> None:
    assert [e.pointer for e in refusal("container", params).errors] == [pointer]


@pytest.mark.parametrize(
    "path",
    [
        "data",
        "/",
        "/proc",
        "/proc/1/root",
        "/sys/fs/cgroup",
        "/dev/shm",
        "/run/docker.sock",
        "/var/run/secrets/kubernetes.io",
        "/etc",
        "/usr",
        "/a/../etc",
        "/a/./b",
        "//data",
        "/data/",
        "/data:ro",
        "/data,x",
        "/da ta",
        "~/x",
        "C:\\x",
    ],
)
def test_a_volume_is_mounted_in_a_folder_of_the_applications_own(path: str) -> None:
    assert [e.pointer for e in refusal("container", {**IMAGE, "volumes": {"data": path}}).errors] == [
        "/params/volumes/data"
    ]


def test_a_container_is_run_as_it_was_said() -> None:
    params = {
        **IMAGE,
        "arguments": ["serve", "--fast"],
        "environment": {"MODE": "x y"},
        "container_port": 80,
        "health_path": "/healthz",
        "volumes": {"data": "/srv/data"},
        "user": 1234,
    }
    validated(BLUEPRINTS["container"].parameters, params)
    made = recipe("container", params, secrets=Secrets({"secret_environment.TOKEN": "t0p", "other": "no"}))
    assert made.image == IMAGE["image"]
    assert made.arguments == ("serve", "--fast")
    assert made.environment == {"MODE": "x y"}
    assert made.secrets == {"TOKEN": "t0p"}
    assert (made.port, made.health, made.user) == (80, HealthCheck("http", "/healthz"), 1234)
    assert made.volumes == {"data": PurePosixPath("/srv/data")}
    assert "t0p" not in repr(made)


@pytest.mark.parametrize(
    ("params", "health", "endpoint"),
    [
        ({}, None, None),
        ({"container_port": 6379}, HealthCheck("tcp"), "tcp://127.0.0.1:5000"),
        ({"container_port": 80, "health_path": "/"}, HealthCheck("http", "/"), "http://127.0.0.1:5000"),
    ],
)
def test_how_a_container_is_seen_to_serve(
    params: dict[str, Any], health: HealthCheck | None, endpoint: str | None
) -> None:
    assert recipe("container", {**IMAGE, **params}).health == health
    assert BLUEPRINTS["container"].endpoint(work("container", {**IMAGE, **params}, port=5000)) == endpoint


DATABASE = DatabaseAccess("shop-db", 5432, "app", "app", "pa$$word")


def test_an_odoo_gets_its_database_and_shows_no_password() -> None:
    made = recipe("odoo", ODOO, database=DATABASE, secrets=Secrets(admin_password="adm1n-pass"))
    assert made.image == "odoo:17.0"
    assert dict(made.environment) == {
        "HOST": "shop-db",
        "PORT": "5432",
        "USER": "app",
        "DATABASE_NAME": "app",
        "ADMIN_EMAIL": "admin@example.com",
    }
    assert made.secrets == {"PASSWORD": "pa$$word", "ADMIN_PASSWORD": "adm1n-pass"}
    assert (made.port, made.health) == (8069, HealthCheck("http", "/web/health"))
    assert made.volumes == {"filestore": PurePosixPath("/var/lib/odoo")}
    assert not any(secret in repr(made) for secret in ("pa$$word", "adm1n-pass"))
    assert (
        recipe(
            "odoo",
            {**ODOO, "odoo_version": "18.0"},
            database=DATABASE,
            secrets=made.secrets | {"admin_password": "x"},
        ).image
        == "odoo:18.0"
    )


def test_an_odoo_without_a_database_is_refused_with_the_reason() -> None:
    with pytest.raises(ProviderError, match="has no database") as refused:
        recipe("odoo", ODOO, secrets=Secrets(admin_password="x"))
    assert refused.value.kind is ProviderErrorKind.INVALID


@pytest.mark.parametrize(
    ("params", "pointer"),
    [
        ({}, "/params/admin_email"),
        ({"admin_email": "admin"}, "/params/admin_email"),
        ({"admin_email": "a@b"}, "/params/admin_email"),
        ({"admin_email": "a b@example.com"}, "/params/admin_email"),
        ({**ODOO, "admin_password": "short"}, "/params/admin_password"),
        ({**ODOO, "admin_password": "x" * 129}, "/params/admin_password"),
        ({**ODOO, "admin_password": 12345678}, "/params/admin_password"),
        ({**ODOO, "odoo_version": "19.0"}, "/params/odoo_version"),
        ({**ODOO, "odoo_version": 17.0}, "/params/odoo_version"),
        ({**ODOO, "database_name": "a b"}, "/params/database_name"),
        ({**ODOO, "database_name": "1a"}, "/params/database_name"),
        ({**ODOO, "database_name": "x" * 64}, "/params/database_name"),
        ({**ODOO, "host": "evil.example"}, "/params/host"),
    ],
)
def test_what_an_odoo_cannot_be_told_is_refused_with_a_pointer(params: dict[str, Any], pointer: str) -> None:
    error = refusal("odoo", params)
    assert [e.pointer for e in error.errors] == [pointer]
    assert "short" not in error.message
    assert "12345678" not in error.message


def test_a_password_that_nobody_gave_is_drawn() -> None:
    first, second = (BLUEPRINTS["odoo"].new_secrets()["admin_password"] for _ in range(2))
    assert first != second
    validated(BLUEPRINTS["odoo"].parameters, {**ODOO, "admin_password": first})


@pytest.mark.parametrize(
    ("version", "mount", "data"),
    [
        (16, "/var/lib/postgresql/data", "/var/lib/postgresql/data/pgdata"),
        (18, "/var/lib/postgresql", "/var/lib/postgresql/18/docker"),
    ],
)
def test_a_postgres_container_keeps_its_data_below_its_volume(version: int, mount: str, data: str) -> None:
    made = recipe("postgres", {"version": version}, secrets=BLUEPRINTS["postgres"].new_secrets())
    assert made.image == f"postgres:{version}"
    assert made.volumes == {"data": PurePosixPath(mount)}
    assert made.environment["PGDATA"] == data
    assert (made.port, made.health, made.user, made.stop_signal) == (5432, HealthCheck("tcp"), 999, 2)


def test_a_postgres_container_is_told_its_settings_as_arguments_and_its_password_as_a_secret() -> None:
    own = BLUEPRINTS["postgres"].new_secrets()
    params = {"max_connections": 50, "jit": False, "work_mem": "8MB", "image": "mirror.example/postgres:18.1"}
    made = recipe("postgres", params, secrets=own)
    settings = dict(word.split("=", 1) for word in made.arguments[2::2])
    assert made.arguments[0] == "postgres"
    assert set(made.arguments[1::2]) == {"-c"}
    assert settings["max_connections"] == "50"
    assert settings["jit"] == settings["allow_alter_system"] == "off"
    assert settings["work_mem"] == "8MB"
    assert made.image == "mirror.example/postgres:18.1"
    assert made.secrets == {"POSTGRES_PASSWORD": own["password"]}
    assert (made.environment["POSTGRES_USER"], made.environment["POSTGRES_DB"]) == ("app", "app")
    assert not any(value in repr([made.arguments, made.environment]) for value in own.values())


def test_a_web_container_is_told_what_it_shows() -> None:
    made = recipe("web", {"greeting": "Hi"}, port=5000)
    assert made.image == "berth/web:1"
    assert json.loads(made.environment["INSTANCE"])["greeting"] == "Hi"
    assert int(made.environment["PORT"]) == made.port
    assert made.health == HealthCheck("http", "/healthz")


def test_a_machine_is_as_large_and_where_it_was_said() -> None:
    vm = BLUEPRINTS["vm"]
    placed = {**MACHINE, "availability_zone": "us-east-1a", "image_id": "ami-0123456789abcdef0"}
    assert vm.machine_recipe(a_work(params=MACHINE)) == MachineRecipe("t3.micro")
    assert vm.machine_recipe(a_work(params=placed)) == MachineRecipe(
        "t3.micro", ("us-east-1a",), "ami-0123456789abcdef0"
    )


@pytest.mark.parametrize(
    ("params", "pointer"),
    [
        ({}, "/params/instance_type"),
        ({"instance_type": "large"}, "/params/instance_type"),
        ({"instance_type": "t3.micro\n"}, "/params/instance_type"),
        ({"instance_type": "T3.MICRO"}, "/params/instance_type"),
        ({**MACHINE, "availability_zone": "us east"}, "/params/availability_zone"),
        ({**MACHINE, "image_id": "ubuntu"}, "/params/image_id"),
        ({**MACHINE, "user_data": "#!/bin/sh"}, "/params/user_data"),
    ],
)
def test_what_a_machine_cannot_be_told_is_refused_with_a_pointer(params: dict[str, Any], pointer: str) -> None:
    assert [e.pointer for e in refusal("vm", params).errors] == [pointer]


@pytest.mark.parametrize(
    ("blueprint", "path", "expected"),
    [
        ("container", "/params/environment/MODE", Disruption.RESTART),
        ("container", "/secrets/secret_environment.TOKEN", Disruption.RESTART),
        ("container", "/params/volumes/data", Disruption.REPLACE),
        ("odoo", "/secrets/admin_password", Disruption.RESTART),
        ("odoo", "/params/odoo_version", Disruption.REPLACE),
        ("vm", "/params/instance_type", Disruption.RESTART),
        ("vm", "/params/availability_zone", Disruption.REPLACE),
        ("web", "/params/greeting", Disruption.RELOAD),
    ],
)
def test_what_a_change_costs_follows_from_its_parameter(blueprint: str, path: str, expected: Disruption) -> None:
    assert BLUEPRINTS[blueprint].disruption(path, "a", "b") is expected
    assert BLUEPRINTS[blueprint].disruption(path, "a", "a") is Disruption.NONE


@pytest.mark.parametrize("name", BLUEPRINTS)
def test_a_form_that_a_blueprint_lacks_is_refused_and_each_that_it_says_works(name: str) -> None:
    known = BLUEPRINTS[name]
    given = work(
        name, MINIMAL[name], database=DATABASE, port=5000, secrets=Secrets(password="p", admin_password="q")
    )
    for form, make in ((Form.CONTAINER, known.container_recipe), (Form.MACHINE, known.machine_recipe)):
        if form in known.forms:
            assert make(given)
        else:
            with pytest.raises(ProviderError, match=f"does not run as a {form}"):
                make(given)


@pytest.mark.parametrize("name", BLUEPRINTS)
def test_every_parameter_says_its_meaning_and_what_a_change_costs(name: str) -> None:
    known = BLUEPRINTS[name]
    for field, schema in known.parameters.model_json_schema()["properties"].items():
        assert schema["description"], field
        assert field in known.immutable() or schema["disruption"] in ("reload", "restart")
        assert schema.get("writeOnly", False) is (field in known.secret_params)
    assert known.secret_params <= set(known.parameters.model_fields)
    assert not known.secret_params & known.immutable()

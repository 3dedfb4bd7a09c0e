"""What can be configured for Docker, and the sentences that say what is wrong with it."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from providers.docker import ENTRY
from providers.docker.failures import masked
from providers.docker.images import _parts
from providers.docker.options import read_options
from providers.entry import Setup, Unconfigured

pytestmark = pytest.mark.unit


@pytest.fixture
def listening(tmp_path: Path) -> str:
    """A socket is there; whether a daemon answers is found out later."""
    path = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))
    return f"unix://{path}"


def test_everything_has_a_default_but_the_socket(listening: str) -> None:
    options = read_options({"host": listening})
    assert (options.host, options.bind_address, options.pids_limit, options.pull) == (
        listening,
        "127.0.0.1",
        1024,
        False,
    )


def test_the_sdks_own_variables_are_heard(listening: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", listening)
    assert read_options({}).host == listening


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"host": "unix:///nowhere/docker.sock"}, "there is no Docker socket at /nowhere/docker.sock"),
        ({"host": "gopher://x"}, "does not name a Docker daemon"),
        ({"bind_address": "10.0.0.1"}, "allowed are 127.0.0.1 and 0.0.0.0"),
        ({"pids_limit": "many"}, "BERTH_DOCKER_PIDS_LIMIT is 'many'"),
        ({"pids_limit": "3"}, "a number from 16 up"),
        ({"pull": "maybe"}, "it must be true or false"),
        ({"colour": "red"}, "BERTH_DOCKER_COLOUR is not a setting of Docker"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(listening: str, given: dict[str, str], says: str) -> None:
    with pytest.raises(Unconfigured) as reason:
        read_options({"host": listening, **given})
    assert says in str(reason.value)


def test_a_machine_without_docker_is_told_what_to_configure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    setup = Setup({}, tmp_path, tmp_path, "server", "host", lambda _: True)
    with pytest.raises(Unconfigured, match="start Docker Engine, or set BERTH_DOCKER_HOST"):
        ENTRY.open(setup)


def test_a_daemon_that_is_down_does_not_stop_the_start(listening: str, tmp_path: Path) -> None:
    setup = Setup({"host": listening}, tmp_path, tmp_path, "server", "host", lambda _: True)
    assert ENTRY.open(setup).name == "docker"


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("odoo", ("odoo", "latest")),
        ("odoo:17.0", ("odoo", "17.0")),
        ("localhost:5000/odoo", ("localhost:5000/odoo", "latest")),
        ("localhost:5000/a/odoo:1", ("localhost:5000/a/odoo", "1")),
        ("odoo@sha256:00", ("odoo", "sha256:00")),
    ],
)
def test_an_image_is_pulled_by_one_tag(reference: str, parts: tuple[str, str]) -> None:
    assert _parts(reference) == parts


def test_a_secret_that_contains_another_is_masked_whole() -> None:
    assert masked("a=abc b=abcdef", ["abc", "abcdef", ""]) == "a=*** b=***"

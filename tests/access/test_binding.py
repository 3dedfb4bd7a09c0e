"""Without real access control nobody but this machine is served."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from api.app import create_app
from api.gate.trust import ADMIN, Trust, is_loopback
from settings import Settings

pytestmark = pytest.mark.unit


@pytest.fixture
def known(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "token").write_text("any")
    (tmp_path / "keys").write_text(Fernet.generate_key().decode())
    return {"data_dir": tmp_path, "DATABASE_URL": "postgresql://127.0.0.1:1/none"}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "berth.example", "::ffff:10.0.0.1", ""])
def test_beyond_the_loopback_local_access_does_not_start(known: dict[str, Any], host: str) -> None:
    with pytest.raises(RuntimeError, match="reached from other machines, and access is local"):
        create_app(Settings(**known, api_host=host))


def test_beyond_the_loopback_nothing_is_simulated(known: dict[str, Any]) -> None:
    with pytest.raises(RuntimeError, match="BERTH_LOCAL_MODE=false"):
        create_app(Settings(**known, api_host="0.0.0.0", access="tokens"))
    assert create_app(Settings(**known, api_host="0.0.0.0", access="tokens", local_mode=False))


def test_an_issuer_that_is_not_named_is_missed_at_the_start(known: dict[str, Any]) -> None:
    with pytest.raises(RuntimeError, match="needs BERTH_OIDC_ISSUER"):
        create_app(Settings(**known, access="oidc"))


def test_a_role_that_there_is_not_is_missed_at_the_start(known: dict[str, Any]) -> None:
    with pytest.raises(RuntimeError, match="BERTH_OIDC_ROLES"):
        create_app(Settings(**known, oidc_issuer="https://issuer.example", oidc_roles="x=god"))


@pytest.mark.parametrize(
    ("server", "served"),
    [(("127.0.0.1", 80), True), (("::1", 80), True), (("10.0.0.1", 80), False), (("/run/x.sock", None), True)],
)
def test_a_server_that_listens_further_than_it_was_told_serves_the_loopback_only(
    server: tuple[str, int | None], served: bool
) -> None:
    trust = Trust("any", frozenset())
    assert trust.serves({"server": server}) is served
    assert Trust("any", frozenset(), "tokens").serves({"server": server})


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "localhost", "::1", "::ffff:127.0.0.1"])
def test_addresses_of_this_machine_are_known(host: str) -> None:
    assert is_loopback(host)


def test_the_administrator_has_a_name() -> None:
    assert ADMIN.name == "admin"

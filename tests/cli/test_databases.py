"""Databases on the command line: which kind a create asks for, and `berth secrets rotate`."""

from __future__ import annotations

import pytest

from tests.cli.canned import CannedBerth, Reply, accepted, operation
from tests.cli.conftest import Run

pytestmark = pytest.mark.unit


def test_a_create_says_which_database_it_wants(canned: CannedBerth, berth: Run) -> None:
    canned.on("POST", "/instances", accepted(operation(kind="create")))
    assert berth("create", "shop", "--blueprint", "odoo", "--database", "shared").code == 0
    assert canned.requests("POST")[0].body["database"] == {"mode": "shared"}


def test_without_a_name_everything_stored_is_encrypted_anew(canned: CannedBerth, berth: Run) -> None:
    canned.on("POST", "/secrets:rotate", Reply(200, {"keys": 2, "secrets": 7}))
    ran = berth("secrets", "rotate")
    assert (ran.code, ran.out) == (0, "7 secrets encrypted anew; the key file holds 2 keys\n")
    assert berth("secrets", "rotate", "--json").document == {"keys": 2, "secrets": 7}


def test_with_a_name_the_database_gets_a_new_password(canned: CannedBerth, berth: Run) -> None:
    canned.on("POST", "/instances/shop/secrets:rotate", accepted(operation(kind="modify")))
    ran = berth("secrets", "rotate", "shop")
    assert (ran.code, ran.out) == (0, "op_01  modify shop  pending\n")

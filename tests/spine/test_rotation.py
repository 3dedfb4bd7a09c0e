"""New keys for what is stored, and new passwords for databases, while everything goes on."""

from __future__ import annotations

from pathlib import Path

import psycopg2
import pytest
from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import select

from db.keys import KeyFile, WrongKey
from db.models import DatabaseAllocation, Secret
from db.vault import Vault
from domain.errors import OperationNotAllowed
from domain.lifecycle import Operation, Status
from domain.specs import Accepted
from services.operations.works import GrantedDatabase
from services.requests.rotation import rotate_keys, rotate_password
from tests.support.allocations import DEDICATED, SHARED, allocated, credentials, login, server
from tests.support.process_spine import ProcessSpine
from tests.support.spine import ME, Spine
from tests.support.spines import MakeSpine

pytestmark = pytest.mark.servers


def ciphertexts(spine: Spine) -> list[bytes]:
    found = spine.rows(select(Secret.ciphertext)) + spine.rows(select(DatabaseAllocation.ciphertext))
    return [text for text in found if text is not None]


def rotate(spine: Spine) -> dict[str, int]:
    return spine.write(lambda tx: rotate_keys(tx, spine.vault))


def test_everything_is_encrypted_anew_and_a_worker_that_runs_reads_on(make_spine: MakeSpine) -> None:
    spine = make_spine()
    spine.start_worker()
    made = spine.create_done(blueprint="postgres")
    before = spine.write(lambda tx: spine.vault.get(tx, spine.instance(made.deployment_id).id))
    old = Fernet((spine.folder / "keys").read_bytes().split()[0])
    assert rotate(spine) == {"keys": 2, "secrets": len(ciphertexts(spine))}
    assert (spine.folder / "keys").stat().st_mode & 0o777 == 0o600
    for text in ciphertexts(spine):
        with pytest.raises(InvalidToken):
            old.decrypt(text)
    assert spine.write(lambda tx: spine.vault.get(tx, spine.instance(made.deployment_id).id)) == before
    # The object carries a signature of before, and the running worker has to read what the new key wrote.
    spine.succeeded(spine.act(Operation.RESTART, made.deployment_id))
    spine.create_done(blueprint="postgres")
    for row in spine.instances(made.deployment_id):
        assert row.status is Status.RUNNING
    spine.invariants()


def test_the_oldest_key_stays_to_sign_and_the_one_before_last_to_read(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_bytes(first := Fernet.generate_key())
    one, other = Vault.open(path), Vault.open(path)
    signed, written = one.sign("x"), one.encrypt("secret")
    assert [one.add_key() for _ in range(3)] == [2, 3, 3]
    keys = path.read_bytes().split()
    assert (len(keys), keys[-1]) == (3, first)
    assert other.verify(signed, "x")
    assert other.decrypt(written) == other.decrypt(one.encrypt("secret")) == "secret"
    assert Vault.open(path).sign("x") == signed


def test_a_key_file_of_somebody_else_is_not_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_bytes(Fernet.generate_key())
    vault = Vault.open(path)
    written = vault.encrypt("secret")
    path.write_bytes(Fernet.generate_key() + b"\n")
    assert vault.decrypt(written) == "secret"
    path.unlink()
    assert vault.decrypt(written) == "secret"
    with pytest.raises(WrongKey, match="missing"):
        KeyFile(path)


def renew(spine: Spine, made: Accepted) -> Accepted:
    row = spine.instance(made.deployment_id)
    return spine.write(lambda tx: rotate_password(tx, ME, spine.vault, row.id))


@pytest.mark.processes
def test_a_new_password_reaches_the_server_and_what_uses_it(process_spine: ProcessSpine) -> None:
    spine = process_spine
    spine.start_worker()
    shared = spine.on_host("common", blueprint="web", database=SHARED)
    apart = spine.on_host("apart", blueprint="web", database=DEDICATED)
    for made in (shared, apart):
        spine.succeeded(made, 60)
        before, port = credentials(spine, made), server(spine, made).port
        assert port is not None
        done = spine.succeeded(renew(spine, made), 60)
        assert [step.name for step in spine.steps(done.id)] == ["plan", "allocate", "modify", "finish"]
        after = credentials(spine, made)
        assert (after.name, after.user) == (before.name, before.user)
        assert login(after, port) == f"{after.user}@{after.name}"
        with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
            login(before, port)
        assert allocated(spine, made).state == "ready"
        assert spine.instance(made.deployment_id).status is Status.RUNNING

    beside = server(spine, apart)
    with pytest.raises(OperationNotAllowed, match="rotate that of apart"):
        spine.write(lambda tx: rotate_password(tx, ME, spine.vault, beside.id))


@pytest.mark.processes
def test_a_server_of_its_own_gets_a_new_password_too(process_spine: ProcessSpine) -> None:
    spine = process_spine
    spine.start_worker()
    made = spine.on_host()
    spine.succeeded(made, 60)
    row = spine.instance(made.deployment_id)

    def password() -> str:
        return spine.write(lambda tx: spine.vault.get(tx, row.id))["password"]

    before = password()
    assert row.port is not None
    spine.succeeded(renew(spine, made), 60)
    assert password() != before
    assert login(GrantedDatabase("app", "app", password()), row.port) == "app@app"


def test_what_has_no_password_that_berth_could_change_is_refused(make_spine: MakeSpine) -> None:
    spine = make_spine()
    spine.start_worker()
    made = spine.create_done()
    with pytest.raises(OperationNotAllowed, match="has no database"):
        renew(spine, made)
    apart = spine.create_done(database=DEDICATED)
    with pytest.raises(OperationNotAllowed, match="Berth does not reach servers on simulated itself"):
        renew(spine, apart)

"""A data directory: made once, private, and never taken from somebody else."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from embedded import cluster
from embedded.errors import AlreadyUpError, NotUsableError
from embedded.installation import (
    Installation,
    find_installation,
    open_installation,
    prepare_directory,
    remove_files,
)
from embedded.state import locked

pytestmark = pytest.mark.unit


@pytest.fixture
def made(tmp_path: Path):  # type: ignore[no-untyped-def]
    prepare_directory(tmp_path / "data")
    installation = open_installation(tmp_path / "data")
    yield installation
    if installation.data_dir.exists():
        remove_files(installation)


def test_opening_again_gives_the_same_installation_token_and_key(made: Installation) -> None:
    secrets = [(made.data_dir / name).read_text() for name in ("token", "keys")]
    again = open_installation(made.data_dir)
    assert again.id == made.id
    assert made.fresh
    assert not again.fresh
    assert [(made.data_dir / name).read_text() for name in ("token", "keys")] == secrets


def test_a_lost_key_file_is_not_replaced(made: Installation) -> None:
    (made.data_dir / "keys").unlink()
    open_installation(made.data_dir)
    assert not (made.data_dir / "keys").exists()


def test_a_first_start_that_was_killed_early_is_taken_up_again(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    prepare_directory(folder)
    (folder / "keys").write_text("made just before the kill\n")
    prepare_directory(folder)
    installation = open_installation(folder)
    assert (folder / "keys").read_text() == "made just before the kill\n"
    remove_files(installation)


def test_a_loose_directory_of_ours_is_made_private(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)
    prepare_directory(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_no_parent_folder_is_opened_or_closed_to_others(tmp_path: Path) -> None:
    parent = tmp_path / "parent"
    parent.mkdir(mode=0o750)
    prepare_directory(parent / "data")
    assert stat.S_IMODE(parent.stat().st_mode) == 0o750


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(NotUsableError, match="--data-dir"):
        prepare_directory(tmp_path / "data")


def test_an_empty_place_has_no_installation(tmp_path: Path) -> None:
    assert find_installation(tmp_path) is None
    assert find_installation(tmp_path / "missing") is None


def test_the_lock_names_its_holder_and_is_free_after_it(made: Installation) -> None:
    with locked(made.data_dir), pytest.raises(AlreadyUpError, match=r"pid \d+"), locked(made.data_dir):
        pytest.fail("both hold the lock")
    with locked(made.data_dir):
        pass


def test_a_socket_path_fits_into_107_bytes_however_long_the_data_directory(tmp_path: Path) -> None:
    deep = Installation(tmp_path / ("d" * 120), "0123456789abcdef")
    assert len(str(cluster.socket_folder(deep) / ".s.PGSQL.5432.lock")) <= 107

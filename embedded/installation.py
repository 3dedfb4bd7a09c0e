"""The data directory: what makes one Berth on this machine and where its files lie.

Called by the supervisor, `berth down` and the local commands. As root, what other OS users must reach lies below
/var/lib/berth/<installation id>, because a data directory below root's home cannot be entered by them.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from embedded.errors import NotUsableError
from system.users import is_root

SHARED_ROOT = Path("/var/lib/berth")
_ID_FILE = "installation-id"
# What a first start that was killed early may have left in an otherwise new directory.
_EARLY_FILES = frozenset({_ID_FILE, "token", "keys", "up.lock", "logs"})


@dataclass(frozen=True)
class Installation:
    data_dir: Path
    id: str
    fresh: bool = False
    """Made by this very start."""

    @property
    def shared(self) -> Path:
        """What other OS users must be able to reach."""
        return SHARED_ROOT / self.id if is_root() else self.data_dir

    @property
    def user_prefix(self) -> str:
        return f"berth-{self.id[:8]}"

    @property
    def instance_root(self) -> Path:
        return self.shared / "instances"

    @property
    def runtime_root(self) -> Path:
        return self.shared / "runtime"

    @property
    def records(self) -> Path:
        return self.shared / "records"

    @property
    def bin(self) -> Path:
        return self.data_dir / "bin"

    @property
    def logs(self) -> Path:
        return self.data_dir / "logs"

    @property
    def temporal_db(self) -> Path:
        return self.data_dir / "temporal.db"

    @property
    def token_file(self) -> Path:
        return self.data_dir / "token"

    @property
    def state_file(self) -> Path:
        """What runs now: pids, ports, addresses. Holds no secret."""
        return self.data_dir / "up.json"

    @property
    def servers_file(self) -> Path:
        return self.data_dir / "server-ids"

    @property
    def ports_file(self) -> Path:
        """The ports of the last start, so that the next one has the same URLs."""
        return self.data_dir / "ports.json"


def find_installation(data_dir: Path) -> Installation | None:
    """The installation in this data directory, when there is one."""
    try:
        found = (data_dir / _ID_FILE).read_text().strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError:
        raise NotUsableError(
            f"{data_dir} belongs to another user: run as its owner, or choose another one with --data-dir"
        ) from None
    if not found.isalnum():
        raise NotUsableError(f"{data_dir / _ID_FILE} is damaged: it must hold letters and digits only")
    return Installation(data_dir, found)


def prepare_directory(data_dir: Path) -> None:
    """Make the data directory, private to us. Refuses a directory that holds other people's files."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        names = {path.name for path in data_dir.iterdir()}
    except OSError as error:
        raise NotUsableError(
            f"cannot use {data_dir} as data directory: {error.strerror}; choose another one with --data-dir"
        ) from None
    if data_dir.stat().st_uid != os.geteuid():
        raise NotUsableError(f"{data_dir} belongs to another user; choose another one with --data-dir")
    if _ID_FILE not in names and names - _EARLY_FILES:
        strange = sorted(names - _EARLY_FILES)[0]
        raise NotUsableError(
            f"{data_dir} is not a Berth data directory, and it is not empty ({strange}); "
            "choose an empty or a new one with --data-dir"
        )
    data_dir.chmod(0o700)


def open_installation(data_dir: Path) -> Installation:
    """The installation of a prepared and locked data directory, made when it is new.

    The key file is made only here, together with a new installation: a key made beside secrets that an
    earlier key sealed would hide that they are lost.
    """
    found = find_installation(data_dir)
    if found is None:
        write_private(data_dir / "keys", Fernet.generate_key().decode() + "\n", keep=True)
        found = Installation(data_dir, secrets.token_hex(8), fresh=True)
        write_private(data_dir / _ID_FILE, found.id + "\n")
    write_private(found.token_file, secrets.token_urlsafe(32) + "\n", keep=True)
    found.logs.mkdir(mode=0o700, exist_ok=True)
    _make_shared(found)
    return found


def write_private(path: Path, text: str, keep: bool = False) -> None:
    """Write a 0600 file whole or not at all. With `keep` an existing one stays as it is."""
    if keep and path.exists():
        return
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.unlink(missing_ok=True)
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def read_record(path: Path) -> dict[str, Any]:
    """A JSON file of ours; empty when it is missing or damaged, for each of them can be made anew."""
    try:
        record = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def remove_files(installation: Installation) -> None:
    """Remove everything of a stopped installation."""
    if installation.shared != installation.data_dir and installation.shared.exists():
        shutil.rmtree(installation.shared)
    shutil.rmtree(installation.data_dir)


def abandoned_installations() -> list[Path]:
    """Folders below /var/lib/berth whose data directory was removed without `berth down --purge`."""
    if not is_root() or not SHARED_ROOT.is_dir():
        return []
    folders = [path for path in sorted(SHARED_ROOT.iterdir()) if (path / "data-dir").is_file()]
    return [path for path in folders if not _is_in_use(path)]


def _is_in_use(shared: Path) -> bool:
    home = Path((shared / "data-dir").read_text().strip())
    owner = find_installation(home)
    return owner is not None and owner.id == shared.name


def _make_shared(installation: Installation) -> None:
    if not is_root():
        installation.instance_root.mkdir(mode=0o700, exist_ok=True)
        return
    for folder, mode in ((SHARED_ROOT, 0o755), (installation.shared, 0o711), (installation.instance_root, 0o711)):
        folder.mkdir(exist_ok=True)
        if stat.S_IMODE(folder.stat().st_mode) != mode:
            folder.chmod(mode)
    write_private(installation.shared / "data-dir", f"{installation.data_dir}\n")

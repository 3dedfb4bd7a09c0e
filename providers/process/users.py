"""The OS user that the instances of one project run as."""

from __future__ import annotations

import hashlib
import pwd

from domain.errors import ProviderError, ProviderErrorKind
from system.users import OsUser, OsUserError, current_user, ensure_user, is_root


def user_prefix(server_id: str) -> str:
    """What all users of one server begin with. The end of the id: its beginning is a time that others share."""
    return f"berth-{server_id[-8:]}-"


def user_name(server_id: str, project: str) -> str:
    """`berth-<8 of the server id>-<hash of the project>`: valid for every name a project may have."""
    return f"{user_prefix(server_id)}{hashlib.sha256(project.encode()).hexdigest()[:8]}"


def project_user(server_id: str, project: str) -> OsUser:
    """The user, made when it is missing. Without root: the current user."""
    try:
        return ensure_user(user_name(server_id, project))
    except OsUserError as error:
        raise ProviderError(ProviderErrorKind.TRANSIENT, str(error)) from None


def known_uid(server_id: str, project: str) -> int | None:
    """The user's id where it exists; a look must not make users."""
    if not is_root():
        return current_user().uid
    try:
        return pwd.getpwnam(user_name(server_id, project)).pw_uid
    except KeyError:
        return None

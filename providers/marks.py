"""An identity as the marks of a real object – labels, annotations or tags – and read back from them."""

from __future__ import annotations

from collections.abc import Mapping

from domain.work import Identity


def marks_of(identity: Identity, prefix: str) -> dict[str, str]:
    """`<prefix>server-id` and so on."""
    return {
        f"{prefix}server-id": identity.server_id,
        f"{prefix}project": identity.project,
        f"{prefix}deployment-id": identity.deployment_id,
        f"{prefix}instance-id": identity.instance_id,
        f"{prefix}generation": str(identity.generation),
        f"{prefix}signature": identity.signature,
    }


def claimed_by(marks: Mapping[str, str], prefix: str) -> Identity | None:
    """What an object says of itself, None where it says nothing whole. Whether it is true, the signature says."""
    try:
        return Identity(
            server_id=marks[f"{prefix}server-id"],
            project=marks[f"{prefix}project"],
            deployment_id=marks[f"{prefix}deployment-id"],
            instance_id=marks[f"{prefix}instance-id"],
            generation=int(marks[f"{prefix}generation"]),
            signature=marks[f"{prefix}signature"],
        )
    except (KeyError, ValueError):
        return None

"""Secret parameters: written once, shown never. Values lie encrypted with each instance, as its other secrets do.

The spec keeps their names, each with the generation at which it was set: that is how a plan and a modify see a new
value. A parameter that holds several secrets (an environment) has one name for each: `secret_environment.TOKEN`.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import delete, select

from blueprints.base import Blueprint
from db.models import Instance, Secret
from db.session import Tx
from db.vault import Vault
from domain.errors import FieldError
from domain.specs import Spec
from domain.work import Secrets

_STANDS = "unchanged-value"
"""In the place of a value that stands, while the rest of its parameters is checked."""


def split(known: Blueprint, params: Mapping[str, Any]) -> tuple[dict[str, Any], Secrets]:
    """Parameters that may be shown, and the values of those that may not, by their names."""
    public = {name: value for name, value in params.items() if name not in known.secret_params}
    return public, Secrets(_flat({n: v for n, v in params.items() if n in known.secret_params}))


def _flat(params: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in params.items():
        if isinstance(value, Mapping):
            found |= {f"{name}.{inner}": v for inner, v in value.items()}
        else:
            found[name] = value
    return found


def standing(revisions: Collection[str]) -> dict[str, Any]:
    """What stands in the place of the values that are set, in the shape of parameters."""
    found: dict[str, Any] = {}
    for name in revisions:
        outer, dot, inner = name.partition(".")
        if dot:
            found.setdefault(outer, {})[inner] = _STANDS
        else:
            found[outer] = _STANDS
    return found


def taken_away(known: Blueprint, revisions: Collection[str], params: Mapping[str, Any]) -> list[FieldError]:
    """Mistakes: a single secret can be set anew, not taken away; what runs would go on using it."""
    return [
        FieldError(f"/params/{name}", "cannot be taken away; give another value")
        for name in sorted(known.secret_params)
        if name in revisions and params.get(name) is None
    ]


def revised(known: Blueprint, current: Spec, patch: Mapping[str, Any], wanted: Spec) -> Spec:
    """`wanted`, whose values include those that only stand: with the new ones alone, and with revisions."""
    params = patch.get("params")
    said = _flat({n: v for n, v in params.items() if n in known.secret_params}) if params else {}
    fresh = Secrets({name: value for name, value in wanted.secrets.items() if name in said})
    kept = {name: at for name, at in current.revisions.items() if name in wanted.secrets}
    return replace(wanted, secrets=fresh, revisions={**kept, **dict.fromkeys(fresh, current.generation + 1)})


def without_repeats(tx: Tx, vault: Vault, deployment_id: str, current: Spec, wanted: Spec) -> Spec:
    """`wanted` without values that are stored already: to say them again changes nothing."""
    if not wanted.secrets:
        return wanted
    stored = _stored(tx, vault, _members(tx, deployment_id))
    same = {
        name
        for name, value in wanted.secrets.items()
        if name in current.revisions and hmac.compare_digest(value.encode(), stored.get(name, "").encode())
    }
    return replace(
        wanted,
        secrets=Secrets({name: value for name, value in wanted.secrets.items() if name not in same}),
        revisions={**wanted.revisions, **{name: current.revisions[name] for name in same}},
    )


def keep(tx: Tx, vault: Vault, deployment_id: str, before: Spec, after: Spec) -> None:
    """Store what is new, drop what is no longer set, and give new members what the others have."""
    if not before.revisions and not after.revisions:
        return
    members = _members(tx, deployment_id)
    stored = _stored(tx, vault, members)
    others = Secrets({n: stored[n] for n in after.revisions if n not in after.secrets and n in stored})
    for instance_id in members:
        vault.replace(tx, instance_id, after.secrets)
        vault.put(tx, instance_id, others)
    dropped = set(before.revisions) - set(after.revisions)
    if dropped:
        tx.session.execute(delete(Secret).where(Secret.instance_id.in_(members), Secret.name.in_(dropped)))


def _members(tx: Tx, deployment_id: str) -> list[str]:
    rows = select(Instance.id).where(Instance.deployment_id == deployment_id).order_by(Instance.ordinal)
    return list(tx.session.scalars(rows))


def _stored(tx: Tx, vault: Vault, members: Collection[str]) -> Secrets:
    found = Secrets()
    for instance_id in members:
        found |= {n: v for n, v in vault.get(tx, instance_id).items() if n not in found}
    return found

"""Every blueprint by its name. The API and the activities look them up here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from blueprints.base import Blueprint
from blueprints.container import ContainerBlueprint
from blueprints.odoo import OdooBlueprint
from blueprints.postgres import PostgresBlueprint
from blueprints.vm import MachineBlueprint
from blueprints.web import WebBlueprint
from domain.errors import FieldError, InvalidInput

_ALL: tuple[Blueprint, ...] = (
    PostgresBlueprint(),
    WebBlueprint(),
    OdooBlueprint(),
    ContainerBlueprint(),
    MachineBlueprint(),
)
BLUEPRINTS: Mapping[str, Blueprint] = MappingProxyType({blueprint.name: blueprint for blueprint in _ALL})


def blueprint(name: str, pointer: str = "/blueprint") -> Blueprint:
    """The blueprint, or `InvalidInput` that lists those there are."""
    found = BLUEPRINTS.get(name)
    if found is None:
        raise InvalidInput(FieldError(pointer, f"no blueprint {name!r}; there are: {', '.join(BLUEPRINTS)}"))
    return found

"""What every blueprint offers: validated parameters, what it needs, how it runs, how to see that it is ready.

The API asks it to validate and to predict a change; activities ask it for secrets, recipes and probes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from domain.errors import FieldError, InvalidInput, ProviderError, ProviderErrorKind
from domain.lifecycle import Operation
from domain.work import Call, ContainerRecipe, Form, Home, MachineRecipe, ProcessRecipe, Secrets, Work


class Disruption(StrEnum):
    """What a change costs the people who use the instance, mildest first."""

    NONE = "none"
    RELOAD = "reload"
    RESTART = "restart"
    REPLACE = "replace"


class Parameters(BaseModel):
    """Base of every blueprint's parameters: typed, bounded, unknown names refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Blueprint(Protocol):
    """What runs."""

    name: ClassVar[str]
    title: ClassVar[str]
    description: ClassVar[str]
    parameters: ClassVar[type[Parameters]]
    max_members: ClassVar[int]
    operations: ClassVar[frozenset[Operation]]
    """Those of the table that this blueprint can do now."""
    forms: ClassVar[frozenset[Form]]
    """The ways in which it can be run; a provider takes one of them."""
    needs_database: ClassVar[bool]
    """Whether a database is allocated before the first start."""
    secret_params: ClassVar[frozenset[str]]
    """Parameters that are written once and shown never: they go to the secrets, not into the spec."""

    def disruption(self, path: str, before: object, after: object) -> Disruption:
        """What changing parameter `path` is expected to cost; the plan shows it."""

    def immutable(self) -> frozenset[str]:
        """Parameters that cannot change during a life."""

    def new_secrets(self) -> Secrets:
        """Fresh secrets for a new instance."""

    def process_recipe(self, work: Work, home: Home) -> ProcessRecipe:
        """How it runs as a plain process."""

    def container_recipe(self, work: Work) -> ContainerRecipe:
        """How it runs as a container."""

    def machine_recipe(self, work: Work) -> MachineRecipe:
        """How it runs as a virtual machine."""

    def prepare(self, work: Work, call: Call) -> None:
        """Bring about what the first start cannot, such as roles. Called before every readiness probe of a
        create, start or restart; again is the same; `ProviderError(NOT_READY)` as in `probe`."""

    def probe(self, work: Work, timeout_seconds: float) -> None:
        """Return when it serves; raise `ProviderError(NOT_READY)` with the reason when it does not yet."""

    def needs_restart(self, work: Work) -> bool:
        """After a reload, once the running instance has taken over what it can: whether the rest needs a restart.

        Waits a bounded time for that; `ProviderError(NOT_READY)` when the instance has not done it by then."""

    def endpoint(self, work: Work) -> str | None:
        """The address at which people of this host reach it, without any password; None: it has none here."""

    def connection_uri(self, work: Work, address: str | None = None) -> str | None:
        """The address with its password, for `secrets:reveal` only. `address`: the host and port that its provider
        names, for what has no port of this host."""


LIFE_OPERATIONS = frozenset(Operation) - {
    Operation.UPDATE,
    Operation.PROMOTE,
    Operation.BACKUP,
    Operation.RESTORE,
}
"""What every blueprint can do: no more than living, changing and dying."""


class BlueprintBase:
    """What most blueprints share: one life without secrets, a database or a form, costs that the fields say."""

    name: ClassVar[str]
    parameters: ClassVar[type[Parameters]]
    max_members: ClassVar[int] = 1
    operations: ClassVar[frozenset[Operation]] = LIFE_OPERATIONS
    needs_database: ClassVar[bool] = False
    secret_params: ClassVar[frozenset[str]] = frozenset()
    fixed: ClassVar[frozenset[str]] = frozenset()

    def disruption(self, path: str, before: object, after: object) -> Disruption:
        """As the parameter's field says; of what is fixed for life, another instance."""
        if before == after:
            return Disruption.NONE
        name = parameter_of(path)
        if name in self.fixed:
            return Disruption.REPLACE
        field = self.parameters.model_fields.get(name)
        extra = None if field is None else field.json_schema_extra
        return Disruption(str(extra["disruption"])) if isinstance(extra, dict) else Disruption.NONE

    def immutable(self) -> frozenset[str]:
        return self.fixed

    def new_secrets(self) -> Secrets:
        return Secrets()

    def prepare(self, work: Work, call: Call) -> None:
        """Nothing is missing once it has started."""

    def needs_restart(self, work: Work) -> bool:  # noqa: ARG002
        return False

    def endpoint(self, work: Work) -> str | None:  # noqa: ARG002
        return None

    def connection_uri(self, work: Work, address: str | None = None) -> str | None:  # noqa: ARG002
        return None

    def process_recipe(self, work: Work, home: Home) -> ProcessRecipe:  # noqa: ARG002
        raise self._lacking(Form.PROCESS)

    def container_recipe(self, work: Work) -> ContainerRecipe:  # noqa: ARG002
        raise self._lacking(Form.CONTAINER)

    def machine_recipe(self, work: Work) -> MachineRecipe:  # noqa: ARG002
        raise self._lacking(Form.MACHINE)

    def _lacking(self, form: Form) -> ProviderError:
        return ProviderError(ProviderErrorKind.INVALID, f"blueprint {self.name} does not run as a {form}")


_PART = re.compile(r"[/.]")


def parameter_of(path: str) -> str:
    """The parameter that a JSON pointer or dotted path is about; secret ones have a branch of their own."""
    parts = [part for part in _PART.split(path) if part]
    return parts[1] if len(parts) > 1 and parts[0] in ("params", "secrets") else parts[0] if parts else ""


def validated(model: type[Parameters], params: Mapping[str, Any], pointer: str = "/params") -> dict[str, Any]:
    """`params` checked, without filling in defaults, so that defaults may change. Raises `InvalidInput`."""
    try:
        return model.model_validate(dict(params)).model_dump(mode="json", exclude_unset=True)
    except ValidationError as error:
        raise InvalidInput(
            *(
                FieldError("/".join([pointer, *(str(part) for part in e["loc"] if part != "[key]")]), e["msg"])
                for e in error.errors(include_input=False, include_url=False)
            )
        ) from None

"""The query parameters of lists, as models: unknown ones are refused, so that a misspelt filter is not ignored."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from api.paging import DEFAULT_SIZE, LARGEST_SIZE
from db.queries.audit import AuditFilter
from db.queries.instances import InstanceFilter, Order, Sort
from db.queries.operations import OperationFilter
from db.queries.runs import RunFilter
from domain.errors import FieldError, InvalidInput
from domain.lifecycle import Health, Operation, Status
from domain.operations import OperationStatus
from services.access.audit import Outcome
from services.forms.moments import Moment

Word = TypeVar("Word", bound=StrEnum)
Text = Annotated[str, Field(min_length=1, max_length=300, pattern=r"^[^\x00-\x1f\x7f]*$")]


def _split(values: object) -> object:
    """`?status=a,b` and `?status=a&status=b` are the same."""
    return [part for value in values for part in str(value).split(",")] if isinstance(values, list) else values


Words = Annotated[list[str], BeforeValidator(_split), Field(max_length=50)]
Ids = Annotated[list[Text], BeforeValidator(_split), Field(max_length=LARGEST_SIZE)]


class Page(BaseModel):
    """One page of a list. A larger `page_size` than 200 is taken as 200."""

    model_config = ConfigDict(extra="forbid")

    page_size: int = Field(DEFAULT_SIZE, ge=1, description=f"At most {LARGEST_SIZE}; more is taken as that.")
    page_token: str | None = Field(None, max_length=4000, description="`next_page_token` of the page before.")

    @property
    def size(self) -> int:
        """How many rows."""
        return min(self.page_size, LARGEST_SIZE)


InstanceSort = Literal[
    "name",
    "-name",
    "status",
    "-status",
    "created_at",
    "-created_at",
    "updated_at",
    "-updated_at",
    "health",
    "-health",
]
MOST_ROWS = 1000


class InstanceQuery(Page):
    """Which instances, in which order."""

    status: Words = []
    blueprint: Text | None = None
    provider: Text | None = None
    health: Health | None = None
    deployment: Text | None = Field(None, description="Id or name.")
    label: Words = Field([], description="`key=value` or `key=value,key2=value2`: all of them.")
    q: Text | None = Field(None, description="Part of the name, a label, the host, the blueprint or the error.")
    needs_you: bool | None = Field(
        None, description="In error, busy for longer than its deadline, or with a notice."
    )
    ids: Ids = Field([], description="Ids or names: these only.")
    sort: InstanceSort = Field("-created_at", description="`-` is descending; ties by id.")

    @property
    def order(self) -> Order:
        """As an order of the records."""
        return Order(Sort(self.sort.removeprefix("-")), self.sort.startswith("-"))

    def wanted(self, project: str) -> InstanceFilter:
        """As a filter of the records. Raises `InvalidInput`."""
        return InstanceFilter(
            project,
            words(Status, self.status, "status"),
            self.blueprint,
            self.provider,
            self.deployment,
            self.q,
            labels(self.label),
            self.needs_you,
            self.health,
            tuple(self.ids),
        )


class RowQuery(InstanceQuery):
    """Which instances, as rows: pages may be longer."""

    page_size: int = Field(LARGEST_SIZE, ge=1, description=f"At most {MOST_ROWS}; more is taken as that.")

    @property
    def size(self) -> int:
        """How many rows."""
        return min(self.page_size, MOST_ROWS)


class OperationQuery(Page):
    """Which operations."""

    status: Words = []
    kind: Operation | None = None
    deployment: Text | None = Field(None, description="Id or name.")
    instance: Text | None = Field(None, description="Id or name.")
    blueprint: Text | None = None
    provider: Text | None = None
    needs_you: bool | None = Field(None, description="Overdue, or failed and listening for a retry.")
    q: Text | None = Field(
        None, description="Part of its id, of a name it touches, of who asked, or of its error."
    )
    since: Moment | None = Field(None, description="Asked for at this time or later.")
    actor: Text | None = Field(None, description="Who asked.")

    def wanted(self, project: str, instance_id: str | None) -> OperationFilter:
        """As a filter of the records; `instance` is looked up before. Raises `InvalidInput`."""
        return OperationFilter(
            project,
            words(OperationStatus, self.status, "status"),
            self.kind,
            self.deployment,
            instance_id,
            self.blueprint,
            self.provider,
            self.needs_you,
            self.q,
            self.since,
            self.actor,
        )


class DeploymentQuery(Page):
    """Which deployments."""

    q: Text | None = Field(None, description="Part of the name.")


class RunQuery(Page):
    """Which finished lives."""

    name: Text | None = None
    q: Text | None = Field(None, description="Part of the name.")
    instance_id: Text | None = None
    deployment_id: Text | None = None
    blueprint: Text | None = None
    provider: Text | None = None

    def wanted(self, project: str) -> RunFilter:
        """As a filter of the records."""
        return RunFilter(
            project, self.name, self.q, self.instance_id, self.deployment_id, self.blueprint, self.provider
        )


class AuditQuery(Page):
    """Which entries of the audit trail."""

    actor: Text | None = None
    action: Text | None = None
    outcome: Outcome | None = None
    project: Text | None = None
    since: Moment | None = Field(None, description="RFC 3339, with a zone.")

    def wanted(self) -> AuditFilter:
        """As a filter of the records."""
        return AuditFilter(self.actor, self.action, self.outcome, self.project, self.since)


LONGEST_CURSOR = 200


class EventStreamQuery(BaseModel):
    """Which events, from where."""

    model_config = ConfigDict(extra="forbid")

    after: str | None = Field(None, max_length=LONGEST_CURSOR, description="`next` or the `cursor` of an event.")
    instance_id: Text | None = None
    deployment_id: Text | None = None
    operation_id: Text | None = None
    event_type: Text | None = None


class LiveQuery(EventStreamQuery):
    """A stream of them."""

    records: bool = Field(
        False, description="Also operations and instances themselves, whenever they show something new."
    )


class EventQuery(EventStreamQuery):
    """A page of them."""

    limit: int = Field(100, ge=1, description="At most 1000.")
    wait: float = Field(0, ge=0, le=60, description="Seconds to wait for the first event after `after`.")
    since: Moment | None = Field(
        None, description="Without `after`: begin with the first event of this time or later, not with the latest."
    )


def words(enum: type[Word], values: list[str], parameter: str) -> tuple[Word, ...]:
    """`values` as members of `enum`. Raises `InvalidInput`, naming what is allowed."""
    unknown = [value for value in values if value not in set(enum)]
    if unknown:
        allowed = ", ".join(enum)
        raise InvalidInput(FieldError(f"/{parameter}", f"{unknown[0][:60]!r} is not one of: {allowed}"))
    return tuple(enum(value) for value in values)


def labels(values: list[str]) -> dict[str, str]:
    """`key=value` pairs. Raises `InvalidInput`."""
    found: dict[str, str] = {}
    for value in values:
        key, equals, wanted = value.partition("=")
        if not key or not equals:
            raise InvalidInput(FieldError("/label", "must be key=value"))
        if not value.isprintable():
            raise InvalidInput(FieldError("/label", "must not contain control characters"))
        found[key] = wanted
    return found

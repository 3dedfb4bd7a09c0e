"""The forms of older documents, said in the words of the API: an Odoo at the root, a virtual machine by launch.

Called by their routes. Mistakes point at the fields of the older form.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from db.models import Instance, OperationInstance, OperationRow
from db.session import Tx
from domain.errors import FieldError, InvalidInput, ProviderUnavailable
from domain.lifecycle import Operation, ProvisioningStatus, Status
from domain.operations import OPERATION_DETAILS
from domain.specs import Accepted, Ask, NewDeployment
from providers.registry import PROVIDERS
from services.forms.bodies import LaunchBody, OdooBody
from services.forms.validation import Rules, new_deployment, parsed
from services.operations.events import instance_event
from services.places import catalog
from services.places.reported import places, why_not_here
from services.requests.edits import retry_instance

ODOO: Final = "odoo"
MACHINE: Final = "vm"
MACHINES_ON: Final = "ec2"
_PARAMS = "/params"


def odoo_deployment(session: Session, body: Any, configured: str, rules: Rules) -> NewDeployment:
    """`{name, admin_email, admin_password, database_name, odoo_version}` as a deployment. Raises `InvalidInput`,
    or `ProviderUnavailable` with what to configure where nothing here runs it."""
    form = parsed(OdooBody, body)
    params = form.model_dump(exclude={"name"}, exclude_none=True)
    provider = _place_for(session, ODOO, rules, configured)
    wanted = {"name": form.name, "blueprint": ODOO, "provider": provider, "params": params}
    return _checked(wanted, rules)


def _place_for(session: Session, blueprint: str, rules: Rules, configured: str) -> str:
    """As configured; else the first provider that runs it and is there now, or is configured at least."""
    names = catalog.provider_names(local_mode=rules.local_mode, known=catalog.blueprint(blueprint))
    if configured:
        if configured not in names:
            raise ProviderUnavailable(configured, f"BERTH_ODOO_PROVIDER names it; allowed: {', '.join(names)}")
        return configured
    real = [name for name in names if not PROVIDERS[name].local_only]
    reports = places(session)
    for quality in ("available", "configured"):
        for name in real:
            if any(report[quality] for report in reports.get(name, ())):
                return name
    why = "; ".join(f"{name}: {why_not_here(name, reports)}" for name in real) or "this version has none"
    raise ProviderUnavailable(" or ".join(real) or "for containers", why)


def machine_deployment(name: str, form: LaunchBody, rules: Rules) -> NewDeployment:
    """`{instance_type, availability_zone}` for a name that nobody has, as a deployment. Raises `InvalidInput`."""
    params = form.model_dump(include={"instance_type", "availability_zone"}, exclude_none=True)
    wanted = {"name": name, "blueprint": MACHINE, "provider": MACHINES_ON, "params": params}
    return _checked(wanted, rules)


def _checked(wanted: Mapping[str, Any], rules: Rules) -> NewDeployment:
    try:
        return new_deployment(wanted, rules)
    except InvalidInput as error:
        raise InvalidInput(
            *(FieldError(e.pointer.removeprefix(_PARAMS), e.detail) for e in error.errors)
        ) from None


def check_launched_like(row: Any, form: LaunchBody) -> None:
    """To launch what is stopped is to start it as it is. Raises `InvalidInput` for a machine that is otherwise."""
    asked = {"instance_type": form.instance_type, "availability_zone": form.availability_zone}
    mistakes = [
        FieldError(f"/{name}", f"{row.name} has {getattr(row, name)}; a modify changes what can be changed")
        for name, value in asked.items()
        if value is not None and getattr(row, name) not in (None, value)
    ]
    if mistakes:
        raise InvalidInput(*mistakes)


def retry_at_once(tx: Tx, ask: Ask, instance_id: str) -> Accepted:
    """Accept a retry; what it makes anew shows `creating` and `pending` from now on, before it is planned."""
    accepted = retry_instance(tx, ask, instance_id)
    if accepted.replayed:
        return accepted
    made = select(OperationInstance.instance_id).where(
        OperationInstance.operation_id == accepted.operation_id, OperationInstance.verb == Operation.CREATE
    )
    shown = tx.session.execute(
        update(Instance)
        .where(Instance.id.in_(made), Instance.status == Status.ERROR)
        .values(
            status=Status.CREATING,
            provisioning_status=ProvisioningStatus.PENDING,
            operation_id=accepted.operation_id,
            error_code=None,
            error_message=None,
            error_origin=None,
            version=Instance.version + 1,
            updated_at=tx.now,
        )
        .returning(Instance.id, Instance.name, Instance.version)
        .execution_options(synchronize_session=False)
    ).all()
    operation = tx.session.get_one(OperationRow, accepted.operation_id)
    event = OPERATION_DETAILS[Operation.CREATE].event
    for row in shown:
        change, data = (Status.ERROR, Status.CREATING), {"name": row.name}
        instance_event(
            tx, operation, row.id, "PENDING", event=event, version=row.version, change=change, data=data
        )
    return accepted

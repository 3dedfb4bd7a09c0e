"""The oldest addresses, without a prefix: an Odoo is made, looked at and acted upon. Nothing is decided here."""

from __future__ import annotations

from fastapi import APIRouter, Response

from api import schemas
from api.access import needs
from api.changes.transactions import commit
from api.dependencies import AskDep, BodyDep, PartsDep
from api.docs import takes
from api.routes import actions, instances
from api.routes.instances import accepted_instance
from domain.access import Right
from services.forms.bodies import OdooBody
from services.requests.edits import create_deployment
from services.requests.older_forms import odoo_deployment

router = APIRouter(tags=["instances"])


@router.post(
    "/instances",
    operation_id="odoo_create",
    status_code=202,
    response_model=schemas.AcceptedInstance,
    openapi_extra=takes(OdooBody),
    dependencies=[needs(Right.OPERATE)],
)
def create(parts: PartsDep, ask: AskDep, body: BodyDep) -> Response:
    """Make an Odoo where this installation runs such: `BERTH_ODOO_PROVIDER`, or what is there."""
    with parts.database.read() as session:
        wanted = odoo_deployment(session, body, parts.settings.odoo_provider, parts.rules)
    made = commit(parts.database, lambda tx: create_deployment(tx, ask, wanted, parts.vault))
    return accepted_instance(parts, ask.caller, made.operation_id)


router.add_api_route(
    "/instances/{key}",
    instances.get,
    methods=["GET"],
    response_model=schemas.Instance,
    dependencies=[needs(Right.READ)],
)
router.add_api_route(
    "/instances/{key}/actions",
    actions.act,
    methods=["POST"],
    response_model=schemas.AcceptedInstance,
    dependencies=[needs(Right.OPERATE)],
)

"""Role × route, generated from the application's own routes: every cell is asked, every answer as agreed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from fastapi import FastAPI
from fastapi.routing import APIRoute

from api.access import right_of
from api.app import create_app
from api.gate.middleware import OPEN_PATHS, is_open
from domain.access import AccessRole, Right, may
from settings import Settings
from tests.support.access import bearing, new_token
from tests.support.api import Api

pytestmark = pytest.mark.servers

ADMIN = re.compile(
    r"(/api/v1)?/(admin/stats|stats|tokens.*|audit|projects.*|hosts.*|orphans.*|secrets:rotate|providers/\w+/faults"
    r"|providers/\{name\}/inventory|webhooks(?!/billing).*|deliveries.*)$"
)
"""What belongs to no project: for administrators alone. Written down here a second time, by its addresses."""
SPECIAL = {
    "/api/v1/me": Right.SELF,
    "/api/v1/me/session": Right.SELF,
    "/api/v1/ws-tickets": Right.SELF,
    "/api/v1/login-codes": Right.SELF,
    "/api/v1/instances/{key}/secrets:reveal": Right.REVEAL,
    "/api/v1/instances/{key}/secrets:rotate": Right.REVEAL,
    "/api/v1/instances/{key}/confirmations": Right.CONFIRM,
    "/metrics": Right.METRICS,
    "/api/v1/metrics": Right.METRICS,
}
ROLES = list(AccessRole)


def routes(app: FastAPI) -> Iterator[tuple[str, str, APIRoute]]:
    """(method, path, route) of everything that the application answers."""
    for included in app.routes:
        contexts = getattr(included, "effective_route_contexts", lambda: ())
        for context in contexts():
            if isinstance(context.original_route, APIRoute):
                for method in sorted(context.methods or ()):
                    yield method, context.path_format, context.original_route


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str, APIRoute]]:
    folder = tmp_path_factory.mktemp("app")
    (folder / "token").write_text("any")
    (folder / "keys").write_text(Fernet.generate_key().decode())
    found = list(routes(create_app(Settings(data_dir=folder, DATABASE_URL="postgresql://127.0.0.1:1/none"))))
    assert len(found) > 60
    return found


def expected(method: str, path: str) -> Right:
    """What was agreed, said by address and method alone."""
    if path in SPECIAL:
        return SPECIAL[path]
    if ADMIN.match(path):
        return Right.ADMIN
    return Right.READ if method == "GET" else Right.OPERATE


def test_every_route_names_the_right_that_was_agreed(every: list[tuple[str, str, APIRoute]]) -> None:
    wrong = [
        (method, path, right_of(route))
        for method, path, route in every
        if not is_open(path) and right_of(route) is not expected(method, path)
    ]
    assert wrong == []


def test_only_the_listed_paths_are_open(every: list[tuple[str, str, APIRoute]]) -> None:
    unmarked = {path for _, path, route in every if right_of(route) is None}
    assert unmarked <= OPEN_PATHS, unmarked - OPEN_PATHS


@pytest.fixture(scope="module")
def bearers(api: Api) -> dict[AccessRole, str]:
    return {role: str(new_token(api, role.value)["token"]) for role in ROLES}


def test_every_cell_of_the_matrix_is_answered_as_agreed(
    api: Api, every: list[tuple[str, str, APIRoute]], bearers: dict[AccessRole, str]
) -> None:
    lines, wrong = [], []
    for method, path, _ in every:
        cells = [_cell(api, method, path, token) for token in (None, *(bearers[role] for role in ROLES))]
        agreed = [_agreed(method, path, None)] + [_agreed(method, path, role) for role in ROLES]
        lines.append(f"{method:7}{path:55}" + " ".join(f"{cell:8}" for cell in cells))
        wrong += [(method, path, cells, agreed)] if cells != agreed else []
    print(f"\n{'':62}nobody   " + " ".join(f"{role.value:8}" for role in ROLES))  # noqa: T201 - the matrix itself
    print("\n".join(lines))  # noqa: T201
    assert wrong == []


def _agreed(method: str, path: str, role: AccessRole | None) -> str:
    if is_open(path):
        return "in"
    if role is None:
        return "401"
    return "in" if may(role, expected(method, path)) else "403"


def _cell(api: Api, method: str, path: str, token: str | None) -> str:
    """What comes back: 401, 403, or anything else, which is: let in."""
    asked = Path(re.sub(r"\{[^}]+\}", "nothing-here", path)).as_posix()
    headers = {"Authorization": f"Bearer {token}" if token else ""}
    with api.client.stream(method, asked, headers=headers) as answer:
        refused = answer.status_code in {401, 403}
        # An open path may well refuse what was sent to it: a code, a signature.
        return str(answer.status_code) if refused and not is_open(path) else "in"


def test_a_refusal_names_the_roles_that_may(api: Api, bearers: dict[AccessRole, str]) -> None:
    with bearing(api, bearers[AccessRole.VIEWER]) as viewer:
        answer = viewer.post("/api/v1/instances", json={})
    form = answer.json()
    assert (answer.status_code, form["code"]) == (403, "forbidden")
    assert "operator, admin" in form["detail"]


def test_actions_that_a_role_may_not_ask_for_are_disabled_with_the_reason(
    api: Api, bearers: dict[AccessRole, str]
) -> None:
    name = api.an_instance()
    shown = {}
    for role in ROLES:
        with bearing(api, bearers[role]) as client:
            actions = client.get(f"/api/v1/instances/{name}").json()["allowed_actions"]
            shown[role] = {a["action"]: a for a in actions}

    assert not any(action["enabled"] for action in shown[AccessRole.VIEWER].values())
    assert shown[AccessRole.VIEWER]["stop"]["reason"] == "needs the role operator or admin; yours is viewer"
    assert shown[AccessRole.OPERATOR]["stop"]["enabled"]
    assert shown[AccessRole.OPERATOR]["suspend"]["reason"] == "needs the role admin; yours is operator"
    assert shown[AccessRole.ADMIN]["suspend"]["enabled"]


def test_wherever_actions_are_shown_they_are_those_of_who_asks(api: Api, bearers: dict[AccessRole, str]) -> None:
    name = api.an_instance()
    deployment = api.get(f"/instances/{name}")["deployment_id"]
    for role in ROLES:
        with bearing(api, bearers[role]) as client:
            rows = client.get(f"/api/v1/instances?q={name}").json()["items"]
            short = client.get("/api/v1/instances:rows?page_size=1000").json()["items"]
            members = client.get(f"/api/v1/deployments/{deployment}").json()["instances"]
        found = [next(row for row in some if row["name"] == name) for some in (rows, short, members)]
        for row in found:
            on = {action["action"] for action in row["allowed_actions"] if action["enabled"]}
            assert ("stop" in on) == may(role, Right.OPERATE), role
            assert ("suspend" in on) == may(role, Right.ADMIN), role


def test_a_refusal_offers_instead_what_the_role_may_ask_for(api: Api, bearers: dict[AccessRole, str]) -> None:
    name = api.an_instance()
    for role, suspends in ((AccessRole.OPERATOR, False), (AccessRole.ADMIN, True)):
        with bearing(api, bearers[role]) as client:
            alone = client.post(f"/api/v1/instances/{name}/actions", json={"action": "start"})
            several = client.post("/api/v1/instances:batch", json={"action": "start", "ids": [name]})
        assert alone.status_code == 409
        for form in (alone.json(), several.json()["items"][0]["problem"]):
            assert "stop" in form["allowed_actions"]
            assert ("suspend" in form["allowed_actions"]) == suspends
            assert ("suspend" in form["detail"].split("allowed now:")[1]) == suspends


def test_what_is_for_administrators_in_the_table_of_moves_is_refused_to_an_operator(
    api: Api, bearers: dict[AccessRole, str]
) -> None:
    name = api.an_instance()
    with bearing(api, bearers[AccessRole.OPERATOR]) as operator:
        answer = operator.post(f"/api/v1/instances/{name}/actions", json={"action": "suspend"})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert api.get(f"/instances/{name}")["status"] == "running"

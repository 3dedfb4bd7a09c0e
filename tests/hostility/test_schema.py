"""The whole API against its own document: made-up requests, alone and in sequences; no 5xx, no other form.

The seed is fixed, so that a failure comes again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.support.api import TOKEN, Api

pytestmark = pytest.mark.servers
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}
EXAMPLES = 6
SEQUENCES = 6
ENDLESS = {"events_stream"}
"""Answers that only end with the client; they have tests of their own."""
CHECKS = [content_type_conformance, response_schema_conformance, status_code_conformance]
CALM = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def schema(api: Api) -> Any:
    found = schemathesis.openapi.from_dict(api.get("/openapi.json"))
    found.config.update(base_url=api.url)
    return found


def _operations() -> list[str]:
    paths = json.loads((Path(__file__).parents[2] / "docs" / "openapi.json").read_text())["paths"]
    ids = [o["operationId"] for methods in paths.values() for o in methods.values() if "operationId" in o]
    return sorted(set(ids) - ENDLESS)


def no_server_error(status: int, text: str) -> None:
    """503 is an answer where Temporal is away; everything else above is a defect."""
    assert status < 500 or status == 503, text


@pytest.mark.parametrize("operation_id", _operations())
def test_whatever_is_sent_the_answer_is_one_of_the_document(schema: Any, operation_id: str) -> None:
    operation = next(
        o.ok() for o in schema.get_all_operations() if o.ok().definition.raw.get("operationId") == operation_id
    )

    @seed(1)
    @CALM
    @given(case=operation.as_strategy())
    def ask(case: Any) -> None:
        if (case.query or {}).get("follow") in {True, "true"} or (case.query or {}).get("wait"):
            return
        answer = case.call(headers=AUTHORIZED, timeout=20)
        no_server_error(answer.status_code, answer.text)
        case.validate_response(answer, checks=CHECKS)

    ask()


def test_requests_that_follow_each_others_answers_find_no_defect(schema: Any) -> None:
    machine = schema.exclude(operation_id=sorted(ENDLESS)).as_state_machine()

    class Follow(machine):  # type: ignore[misc, valid-type]
        """Goes from an answer to what its ids and links lead to."""

        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return {"headers": AUTHORIZED, "timeout": 20}

        def before_call(self, case: Any) -> None:
            for name in ("follow", "wait"):
                (case.query or {}).pop(name, None)

        def validate_response(self, response: Any, case: Any, **_: Any) -> None:
            no_server_error(response.status_code, str(response.content[:500]))
            case.validate_response(response, checks=CHECKS)

    Follow.run(settings=settings(CALM, max_examples=SEQUENCES, stateful_step_count=15))

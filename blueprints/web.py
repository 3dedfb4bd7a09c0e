"""A small web page of its own: for demos, and for tests that want a real process that starts in a moment."""

from __future__ import annotations

import http.client
import json
import signal
import time
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from blueprints import http_probe
from blueprints.base import BlueprintBase, Parameters
from blueprints.kinds import RELOAD, RESTART, Image, Line, host_port, on_forms
from domain.errors import ProviderError, ProviderErrorKind
from domain.work import Command, ContainerRecipe, Form, HealthCheck, Home, ProcessRecipe, Work

DEFAULT_GREETING = "Hello from Berth"
DEFAULT_IMAGE = "berth/web:1"
_INNER_PORT = 8080
_STOP_SECONDS = 5.0
_RELOAD_SECONDS, _RELOAD_STEP_SECONDS = 2.0, 0.01
_LONGEST_ANSWER = 4096


class WebParameters(Parameters):
    greeting: Line = Field(
        DEFAULT_GREETING, max_length=200, description="The headline of the page", json_schema_extra=RELOAD
    )
    port: int | None = host_port()
    image: Image | None = Field(
        None,
        description=f"Container image that serves on $PORT and answers /healthz; by default {DEFAULT_IMAGE}",
        json_schema_extra=on_forms(RESTART, Form.CONTAINER),
    )


class WebBlueprint(BlueprintBase):
    name: ClassVar[str] = "web"
    title: ClassVar[str] = "Web page"
    description: ClassVar[str] = "A small HTTP server that shows its own instance."
    parameters: ClassVar[type[Parameters]] = WebParameters
    max_members: ClassVar[int] = 10
    forms: ClassVar[frozenset[Form]] = frozenset({Form.PROCESS, Form.CONTAINER})
    fixed: ClassVar[frozenset[str]] = frozenset({"port"})

    def process_recipe(self, work: Work, home: Home) -> ProcessRecipe:
        instance = _shown(work, work.port)
        server, file = home.conf / "web_server.py", home.conf / "instance.json"
        return ProcessRecipe(
            runtime="python",
            run=Command("python3", ("-I", str(server), str(file))),
            files={server.name: _server_source(), file.name: json.dumps(instance, indent=1) + "\n"},
            stop_signal=signal.SIGTERM,
            stop_seconds=_STOP_SECONDS,
            reload_signal=signal.SIGHUP,
        )

    def container_recipe(self, work: Work) -> ContainerRecipe:
        return ContainerRecipe(
            image=work.params.get("image") or DEFAULT_IMAGE,
            environment={"PORT": str(_INNER_PORT), "INSTANCE": json.dumps(_shown(work, _INNER_PORT))},
            port=_INNER_PORT,
            health=HealthCheck("http", "/healthz"),
            stop_seconds=_STOP_SECONDS,
        )

    def probe(self, work: Work, timeout_seconds: float) -> None:
        if work.form is Form.CONTAINER:
            http_probe.check(work, "/healthz", timeout_seconds)
        else:
            _health(work, timeout_seconds)

    def needs_restart(self, work: Work) -> bool:
        """Never; but the page has to show the greeting before the change is done."""
        if work.form is Form.CONTAINER:
            return False
        deadline = time.monotonic() + _RELOAD_SECONDS
        while _health(work, _RELOAD_SECONDS).get("greeting") != _greeting(work):
            if time.monotonic() > deadline:
                raise ProviderError(ProviderErrorKind.NOT_READY, "the page does not show the new greeting yet")
            time.sleep(_RELOAD_STEP_SECONDS)
        return False

    def endpoint(self, work: Work) -> str | None:
        return None if work.port is None else f"http://127.0.0.1:{work.port}/"

    def connection_uri(self, work: Work, address: str | None = None) -> str | None:
        return self.endpoint(work) or (address and f"http://{address}/")


def _shown(work: Work, port: int | None) -> dict[str, Any]:
    """What the page shows of its instance."""
    return {
        "name": work.name,
        "id": work.instance_id,
        "blueprint": work.blueprint,
        "port": port,
        "greeting": _greeting(work),
        "params": {key: value for key, value in work.params.items() if key in WebParameters.model_fields},
    }


def _greeting(work: Work) -> str:
    return str(work.params.get("greeting") or DEFAULT_GREETING)


def _health(work: Work, timeout_seconds: float) -> dict[str, Any]:
    """What /healthz says. A stranger on the port may answer too: the answer must name the instance."""
    connection = http.client.HTTPConnection("127.0.0.1", work.own_port, timeout=timeout_seconds)
    try:
        connection.request("GET", "/healthz", headers={"Connection": "close"})
        answer = connection.getresponse()
        found = json.loads(answer.read(_LONGEST_ANSWER)) if answer.status == http.client.OK else None
    except (OSError, http.client.HTTPException) as error:
        raise ProviderError(ProviderErrorKind.NOT_READY, f"no answer from /healthz: {error}") from None
    except ValueError:
        found = None
    finally:
        connection.close()
    if not isinstance(found, dict) or found.get("id") != work.instance_id:
        raise ProviderError(
            ProviderErrorKind.NOT_READY, f"/healthz answered {answer.status}, but not as this instance"
        )
    return found


@lru_cache
def _server_source() -> str:
    return Path(__file__).with_name("web_server.py").read_text(encoding="utf-8")

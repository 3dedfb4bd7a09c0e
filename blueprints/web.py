"""A small web page of its own: for demos, and for tests that want a real process that starts in a moment."""

from __future__ import annotations

import http.client
import json
import signal
import time
import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from blueprints.base import LIFE_OPERATIONS, BlueprintBase, Disruption, Parameters
from domain.errors import ProviderError, ProviderErrorKind
from domain.lifecycle import Operation
from domain.work import Call, Command, Form, Home, ProcessRecipe, Secrets, Work

DEFAULT_GREETING = "Hello from Berth"
_STOP_SECONDS = 5.0
_RELOAD_SECONDS, _RELOAD_STEP_SECONDS = 2.0, 0.01
_LONGEST_ANSWER = 4096


def _printable(text: str) -> str:
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in text):
        raise PydanticCustomError("control_characters", "must be one line without control characters")
    return text


class WebParameters(Parameters):
    greeting: Annotated[str, AfterValidator(_printable)] = Field(
        DEFAULT_GREETING,
        max_length=200,
        description="The headline of the page",
        json_schema_extra={"disruption": Disruption.RELOAD.value},
    )
    port: int | None = Field(
        None, ge=1024, le=65535, description="TCP port on the host; chosen by Berth when absent; fixed for life"
    )


class WebBlueprint(BlueprintBase):
    name: ClassVar[str] = "web"
    title: ClassVar[str] = "Web page"
    description: ClassVar[str] = "A small HTTP server that shows its own instance."
    parameters: ClassVar[type[Parameters]] = WebParameters
    max_members: ClassVar[int] = 10
    operations: ClassVar[frozenset[Operation]] = LIFE_OPERATIONS
    forms: ClassVar[frozenset[Form]] = frozenset({Form.PROCESS})

    def disruption(self, path: str, before: object, after: object) -> Disruption:
        if before == after:
            return Disruption.NONE
        name = path.rpartition("/")[2].rpartition(".")[2]
        if name in self.immutable():
            return Disruption.REPLACE
        return Disruption.RELOAD if name == "greeting" else Disruption.NONE

    def immutable(self) -> frozenset[str]:
        return frozenset({"port"})

    def new_secrets(self) -> Secrets:
        return Secrets()

    def process_recipe(self, work: Work, home: Home) -> ProcessRecipe:
        instance = {
            "name": work.name,
            "id": work.instance_id,
            "blueprint": work.blueprint,
            "port": work.port,
            "greeting": _greeting(work),
            "params": {key: value for key, value in work.params.items() if key in WebParameters.model_fields},
        }
        server, file = home.conf / "web_server.py", home.conf / "instance.json"
        return ProcessRecipe(
            runtime="python",
            run=Command("python3", ("-I", str(server), str(file))),
            files={server.name: _server_source(), file.name: json.dumps(instance, indent=1) + "\n"},
            stop_signal=signal.SIGTERM,
            stop_seconds=_STOP_SECONDS,
            reload_signal=signal.SIGHUP,
        )

    def prepare(self, work: Work, call: Call) -> None:
        """Nothing: the page needs nothing but its files."""

    def probe(self, work: Work, timeout_seconds: float) -> None:
        _health(work, timeout_seconds)

    def needs_restart(self, work: Work) -> bool:
        """Never; but the page has to show the greeting before the change is done."""
        deadline = time.monotonic() + _RELOAD_SECONDS
        while _health(work, _RELOAD_SECONDS).get("greeting") != _greeting(work):
            if time.monotonic() > deadline:
                raise ProviderError(ProviderErrorKind.NOT_READY, "the page does not show the new greeting yet")
            time.sleep(_RELOAD_STEP_SECONDS)
        return False

    def endpoint(self, port: int) -> str:
        return f"http://127.0.0.1:{port}/"

    def connection_uri(self, work: Work) -> str | None:
        return None if work.port is None else self.endpoint(work.port)


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

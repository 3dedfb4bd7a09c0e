"""EC2 for tests: moto's server, the double that gives it time and faults, and the faulty proxy in front of both.

Three processes, none of them Berth's. A test speaks to `Ec2.endpoint`, configures delays and faults, and reads the
truth from `instances()`; no test sets the state of an instance.
"""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from tests.support.faulty_proxy import FaultyProxy, Server, control

REGION = "eu-central-1"
ZONES = tuple(f"{REGION}{letter}" for letter in "abc")
ACCESS = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "an-example-key"}


def refusal(code: str, message: str = "as the test wants it") -> str:
    """The body of an answer of EC2 that says no."""
    said = f"<Code>{code}</Code><Message>{message}</Message>"
    return f"<Response><Errors><Error>{said}</Error></Errors><RequestID>double</RequestID></Response>"


INTERNAL_ERROR = refusal("InternalError")


class Ec2:
    def __init__(self) -> None:
        self._moto = Server("tests.support.ec2_moto")
        self._double = Server("tests.support.ec2_double", str(self._moto.ready["port"]))
        self._control = int(self._double.ready["control"])
        self.proxy = FaultyProxy.start(f"http://127.0.0.1:{self._double.ready['port']}")
        """Between the client and everything else: its rules match actions by `body="Action=RunInstances&"`."""
        self._warm_up()

    @property
    def endpoint(self) -> str:
        return self.proxy.url

    def _warm_up(self) -> None:
        """moto reads its tables at the first request, which takes longer than a client waits."""
        connection = http.client.HTTPConnection("127.0.0.1", self._moto.ready["port"], timeout=120)
        scope = f"Credential=x/20260101/{REGION}/ec2/aws4_request, SignedHeaders=host, Signature=x"
        headers = {"Authorization": f"AWS4-HMAC-SHA256 {scope}"}
        for action in ("DescribeInstances", "DescribeInstanceTypes"):
            connection.request("POST", "/", f"Action={action}&Version=2016-11-15", headers)
            connection.getresponse().read()
        connection.close()

    def configure(self, **settings: Any) -> None:
        """The names of `ec2_world.Settings`."""
        control(self._control, "POST", "/settings", settings)

    @contextmanager
    def still(self) -> Iterator[None]:
        """Meanwhile nothing moves on by itself: what is on its way stays there, and is in time afterwards."""
        self.hold()
        try:
            yield
        finally:
            control(self._control, "POST", "/clock/go-on")

    def hold(self) -> None:
        """Until the reset, time passes by `advance` alone."""
        control(self._control, "POST", "/clock/hold")

    def advance(self, seconds: float) -> None:
        """Let so much time pass where it is held."""
        control(self._control, "POST", "/clock/advance", {"seconds": seconds})

    def reset(self) -> None:
        """An empty account, the first settings, no rules."""
        self.proxy.clear()
        self.proxy.forget_requests()
        control(self._control, "POST", "/reset")

    def instances(self) -> list[dict[str, Any]]:
        """All that ever was, states as they are now, whether DescribeInstances would show it or not."""
        found: list[dict[str, Any]] = control(self._control, "GET", "/instances")
        return found

    def alive(self) -> list[dict[str, Any]]:
        return [one for one in self.instances() if one["state"] not in ("shutting-down", "terminated")]

    def calls(self, action: str | None = None) -> list[dict[str, Any]]:
        """What reached EC2, oldest first: `action`, `error` (its code), `at`."""
        found: list[dict[str, Any]] = control(self._control, "GET", "/calls")
        return [one for one in found if action in (None, one["action"])]

    def forget_calls(self) -> None:
        control(self._control, "DELETE", "/calls")

    def stop(self) -> None:
        for one in (self.proxy, self._double, self._moto):
            one.stop()

    def __enter__(self) -> Ec2:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

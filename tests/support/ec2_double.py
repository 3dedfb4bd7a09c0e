"""EC2 with time: the process between a client and moto's server, `python -m tests.support.ec2_double MOTO_PORT`.

moto answers at once and forgets ClientToken; here instances take their time to come and to go, are not found right
after their launch, tokens count, zones fill up and requests are throttled. What it does not know it passes on.
Prints one line of JSON when it listens; ends with its standard input.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode
from xml.etree import ElementTree as ET

from tests.support import ec2_xml as xml
from tests.support.ec2_serving import Server, handler
from tests.support.ec2_world import Refusal, World
from tests.support.faulty_proxy_server import end_with_stdin

Parameters = dict[str, str]


class Double:
    def __init__(self, moto_port: int) -> None:
        self.world = World()
        self.lock = threading.RLock()
        self._moto_port = moto_port
        self._pictures: dict[str, ET.Element] = {}
        """moto's word on each instance, until something changes it: moto takes 20 ms to describe one."""
        self._verbs: dict[str, Callable[[Parameters, dict[str, str]], bytes]] = {
            "RunInstances": self._run,
            "DescribeInstances": self._describe,
            "DescribeInstanceStatus": self._status,
            "StopInstances": self._stop,
            "StartInstances": self._start,
            "RebootInstances": self._reboot,
            "TerminateInstances": self._terminate,
            "ModifyInstanceAttribute": self._modify,
            "GetConsoleOutput": self._console,
        }

    def forget_all(self) -> None:
        self.world.reset()
        self._pictures.clear()

    def answer(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        parameters = dict(parse_qsl(body.decode(), keep_blank_values=True))
        action = parameters.get("Action", "")
        with self.lock:
            status, code = 200, None
            try:
                if action != "GetCallerIdentity":
                    self.world.throttle(action)
                verb = self._verbs.get(action)
                found = self._pass_on(parameters, headers) if verb is None else verb(parameters, headers)
            except Refusal as refusal:
                status, code, found = refusal.status, refusal.code, xml.error(refusal.code, refusal.message)
            self.world.calls.append({"action": action, "error": code, "at": time.monotonic()})
        return status, found

    def _pass_on(self, parameters: Parameters, headers: dict[str, str]) -> bytes:
        """To moto. Its own refusals come back as refusals."""
        connection = http.client.HTTPConnection("127.0.0.1", self._moto_port, timeout=60)
        try:
            connection.request("POST", "/", urlencode(parameters), headers)
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        if answer.status >= 400:
            code, message = xml.read_error(body)
            raise Refusal(code, message, answer.status)
        if not parameters["Action"].startswith(("Describe", "Get", "RunInstances")):
            self._forget(parameters)
        return body

    def _forget(self, parameters: Parameters) -> None:
        """The pictures that a change spoils; all of them when it names no instance."""
        named = [value for value in parameters.values() if value in self._pictures]
        for one in named or list(self._pictures):
            self._pictures.pop(one, None)

    def _picture(self, instance_id: str, like: Parameters, headers: dict[str, str]) -> ET.Element:
        if instance_id not in self._pictures:
            found = self._pass_on(_plain("DescribeInstances", like, instance_id), headers)
            self._pictures[instance_id] = xml.pictures(found)[0]
        return self._pictures[instance_id]

    def _run(self, parameters: Parameters, headers: dict[str, str]) -> bytes:
        token, now = parameters.get("ClientToken"), self.world.clock.now()
        before = self.world.remembered(token, parameters)
        if before is not None:
            return xml.run_answer(
                xml.dressed(self._picture(before.id, parameters, headers), before, now, tagged=True)
            )
        zone = parameters.get("Placement.AvailabilityZone") or self._zone_of_subnet(parameters, headers)
        if zone is not None:
            self.world.make_room(zone, now)
        found = self._pass_on(parameters, headers)
        picture = xml.pictures(found)[0]
        instance_id, zone = xml.instance_and_zone(picture)
        life = self.world.born(instance_id, zone, token)
        self._pictures[life.id] = picture
        if life.becomes == "terminated":
            self._pass_on(_plain("TerminateInstances", parameters, life.id), headers)
        return xml.run_answer(xml.dressed(picture, life, now, tagged=True))

    def _zone_of_subnet(self, parameters: Parameters, headers: dict[str, str]) -> str | None:
        subnet = parameters.get("SubnetId") or parameters.get("NetworkInterface.1.SubnetId")
        if subnet is None:
            return None
        ask = {"Action": "DescribeSubnets", "Version": parameters["Version"], "SubnetId.1": subnet}
        return xml.first(self._pass_on(ask, headers), "availabilityZone")

    def _describe(self, parameters: Parameters, headers: dict[str, str]) -> bytes:
        now = self.world.clock.now()
        ids = _numbered(parameters, "InstanceId")
        if ids and "MaxResults" in parameters:
            raise Refusal("InvalidParameterCombination", "instancesSet cannot be used with maxResults")
        self.world.need(ids, now)
        filters = _filters(parameters)
        shown = []
        for life in list(self.world.lives.values()):
            if self.world.visible(life.id, now) is None or (ids and life.id not in ids):
                continue
            tagged = self.world.tagged(life, now)
            item = xml.dressed(self._picture(life.id, parameters, headers), life, now, tagged=tagged)
            if all(xml.satisfies(item, name, values) for name, values in filters.items()):
                shown.append(item)
        return xml.page(shown, parameters.get("NextToken"), int(parameters.get("MaxResults", "1000")))

    def _status(self, parameters: Parameters, headers: dict[str, str]) -> bytes:
        now = self.world.clock.now()
        ids = _numbered(parameters, "InstanceId")
        lives = self.world.need(ids, now) if ids else [x for x in self.world.lives.values() if x.shown(now)]
        if parameters.get("IncludeAllInstances") != "true":
            lives = [life for life in lives if life.shown(now) == "running"]
        if parameters.get("Filter.1.Value.1") == "impaired" and not self.world.settings.impaired:
            lives = []
        return xml.statuses(lives, now, self.world.settings)

    def _stop(self, parameters: Parameters, headers: dict[str, str]) -> bytes:
        seconds = self.world.settings.stopping
        return self._move(parameters, headers, "running", ("stopping", "stopped"), seconds)

    def _start(self, parameters: Parameters, headers: dict[str, str]) -> bytes:
        now = self.world.clock.now()
        for life in self.world.need(_numbered(parameters, "InstanceId"), now):
            if life.shown(now) == "stopped" and self.world.settings.capacity.get(life.zone) == 0:
                raise Refusal("InsufficientInstanceCapacity", f"No capacity in {life.zone}.", 500)
        seconds = self.world.settings.pending
        return self._move(parameters, headers, "stopped", ("pending", "running"), seconds)

    def _move(
        self, parameters: Parameters, headers: dict[str, str], source: str, way: tuple[str, str], seconds: float
    ) -> bytes:
        """From `source` along `way`; nothing for what is on this way already, refused for everything else."""
        now = self.world.clock.now()
        lives = self.world.need(_numbered(parameters, "InstanceId"), now)
        for life in lives:
            if life.shown(now) not in (source, *way):
                why = f"The instance '{life.id}' is not in a state from which it can be {parameters['Action']}."
                raise Refusal("IncorrectInstanceState", why)
        before = {life.id: life.shown(now) for life in lives}
        moving = [life for life in lives if before[life.id] == source]
        if moving:
            self._pass_on(_plain(parameters["Action"], parameters, *(life.id for life in moving)), headers)
        for life in moving:
            life.move(*way, now, seconds)
            life.up_since = life.at
        return xml.changes(parameters["Action"], lives, before, now)

    def _reboot(self, parameters: Parameters, headers: dict[str, str]) -> bytes:
        now = self.world.clock.now()
        for life in self.world.need(_numbered(parameters, "InstanceId"), now):
            if life.shown(now) != "running":
                raise Refusal("IncorrectInstanceState", f"The instance '{life.id}' is not running.")
        return self._pass_on(parameters, headers)

    def _terminate(self, parameters: Parameters, headers: dict[str, str]) -> bytes:
        now = self.world.clock.now()
        lives = self.world.need(_numbered(parameters, "InstanceId"), now)
        before = {life.id: life.shown(now) for life in lives}
        moving = [life for life in lives if before[life.id] not in ("shutting-down", "terminated")]
        if moving:
            self._pass_on(_plain("TerminateInstances", parameters, *(life.id for life in moving)), headers)
        for life in moving:
            life.move("shutting-down", "terminated", now, self.world.settings.shutting_down)
            life.reason = "Client.UserInitiatedShutdown"
        return xml.changes("TerminateInstances", lives, before, now)

    def _modify(self, parameters: Parameters, headers: dict[str, str]) -> bytes:
        now = self.world.clock.now()
        (life,) = self.world.need([parameters["InstanceId"]], now)
        changes_type = "InstanceType.Value" in parameters or parameters.get("Attribute") == "instanceType"
        if changes_type and life.shown(now) != "stopped":
            raise Refusal("IncorrectInstanceState", f"The instance '{life.id}' is not in the 'stopped' state.")
        return self._pass_on(parameters, headers)

    def _console(self, parameters: Parameters, headers: dict[str, str]) -> bytes:
        (life,) = self.world.need([parameters["InstanceId"]], self.world.clock.now())
        return xml.console(life.id, "".join(f"line {number}\n" for number in range(1, 51)))


def _plain(action: str, like: Parameters, *ids: str) -> Parameters:
    numbered = {f"InstanceId.{number}": one for number, one in enumerate(ids, 1)}
    return {"Action": action, "Version": like["Version"], **numbered}


def _numbered(parameters: Parameters, name: str) -> list[str]:
    return [value for key, value in parameters.items() if key.startswith(f"{name}.")]


def _filters(parameters: Parameters) -> dict[str, list[str]]:
    filters: dict[str, list[str]] = {}
    for key, name in parameters.items():
        if key.startswith("Filter.") and key.endswith(".Name"):
            filters[name] = _numbered(parameters, f"{key.removesuffix('.Name')}.Value")
    return filters


def _control(double: Double, moto_port: int, method: str, path: str, body: bytes) -> tuple[int, bytes]:
    """`POST /settings`, `POST /clock/hold|advance|go-on`, `GET|DELETE /calls`, `GET /instances`, `POST /reset`."""
    with double.lock:
        found: Any = {}
        match (method, path):
            case ("POST", "/settings"):
                try:
                    double.world.settings.change(json.loads(body))
                except ValueError as error:
                    return 400, json.dumps({"error": str(error)}).encode()
            case ("POST", "/clock/hold"):
                double.world.clock.hold()
            case ("POST", "/clock/advance"):
                double.world.clock.advance(json.loads(body)["seconds"])
            case ("POST", "/clock/go-on"):
                double.world.clock.go_on()
            case ("GET", "/calls"):
                found = double.world.calls
            case ("DELETE", "/calls"):
                double.world.calls.clear()
            case ("GET", "/instances"):
                found = double.world.truth()
            case ("POST", "/reset"):
                double.forget_all()
                connection = http.client.HTTPConnection("127.0.0.1", moto_port, timeout=60)
                connection.request("POST", "/moto-api/reset")
                connection.getresponse().read()
                connection.close()
            case _:
                return 400, json.dumps({"error": f"no {method} {path}"}).encode()
        return 200, json.dumps(found).encode()


def main() -> None:
    moto_port = int(sys.argv[1])
    double = Double(moto_port)
    front = Server(("127.0.0.1", 0), handler(lambda _, path, body, headers: double.answer(path, body, headers)))
    back = Server(
        ("127.0.0.1", 0), handler(lambda method, path, body, _: _control(double, moto_port, method, path, body))
    )
    threading.Thread(target=back.serve_forever, daemon=True).start()
    end_with_stdin()
    ready = {"port": front.server_address[1], "control": back.server_address[1]}
    print(json.dumps(ready), flush=True)  # noqa: T201 - the line its starter waits for
    front.serve_forever()


if __name__ == "__main__":
    main()

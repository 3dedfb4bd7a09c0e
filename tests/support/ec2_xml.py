"""EC2's answers as XML: those of moto with states and tags as the double has them, and the double's own."""

from __future__ import annotations

import base64
from collections.abc import Callable
from xml.etree import ElementTree as ET

from tests.support.ec2_world import CODES, Life, Settings

NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15"
_NS = f"{{{NAMESPACE}}}"
ET.register_namespace("", NAMESPACE)

_SETS = {"StopInstances": "stopping", "StartInstances": "starting", "TerminateInstances": "terminating"}


def error(code: str, message: str) -> bytes:
    inner = f"<Code>{code}</Code><Message>{_escaped(message)}</Message>"
    return f"<Response><Errors><Error>{inner}</Error></Errors><RequestID>double</RequestID></Response>".encode()


def read_error(body: bytes) -> tuple[str, str]:
    try:
        root = ET.fromstring(body)
    except ET.ParseError:
        return "InternalError", body.decode(errors="replace")[:300]
    code, message = (next((one.text for one in root.iter() if one.tag.endswith(tag)), None) for tag in _ERROR)
    return code or "InternalError", message or ""


_ERROR = ("Code", "Message")


def first(body: bytes, name: str) -> str | None:
    return next((one.text for one in ET.fromstring(body).iter(f"{_NS}{name}")), None)


def instance_and_zone(body: bytes) -> tuple[str, str]:
    instance, zone = first(body, "instanceId"), first(body, "availabilityZone")
    assert instance is not None
    assert zone is not None
    return instance, zone


def rewrite(
    body: bytes,
    shown: Callable[[str], Life | None],
    now: float,
    tagged: Callable[[Life, float], bool] | None,
) -> bytes:
    """moto's instances with their present states; without those that are not to be seen."""
    root = ET.fromstring(body)
    for instances in root.iter(f"{_NS}instancesSet"):
        for item in list(instances):
            life = shown(item.findtext(f"{_NS}instanceId") or "")
            if life is None:
                instances.remove(item)
            else:
                _dress(item, life, now, tagged is None or tagged(life, now))
    for reservations in root.iter(f"{_NS}reservationSet"):
        for item in list(reservations):
            found = item.find(f"{_NS}instancesSet")
            if found is not None and len(found) == 0:
                reservations.remove(item)
    return ET.tostring(root)


def _dress(item: ET.Element, life: Life, now: float, tagged: bool) -> None:
    state = life.shown(now)
    _set_state(item, "instanceState", state)
    for name in ("stateReason", "reason"):
        for old in item.findall(f"{_NS}{name}"):
            item.remove(old)
    if state in ("terminated", "shutting-down") and life.reason:
        why = ET.SubElement(item, f"{_NS}stateReason")
        ET.SubElement(why, f"{_NS}code").text = life.reason
        ET.SubElement(why, f"{_NS}message").text = f"{life.reason}: as the double was told"
    for old in item.findall(f"{_NS}tagSet") if not tagged else ():
        item.remove(old)


def _set_state(item: ET.Element, name: str, state: str) -> None:
    found = item.find(f"{_NS}{name}")
    if found is None:
        found = ET.SubElement(item, f"{_NS}{name}")
    for child in list(found):
        found.remove(child)
    ET.SubElement(found, f"{_NS}code").text = str(CODES[state])
    ET.SubElement(found, f"{_NS}name").text = state


def as_run_answer(body: bytes) -> bytes:
    """The one reservation of a DescribeInstances answer, in the form of RunInstances."""
    found = ET.fromstring(body).find(f"{_NS}reservationSet/{_NS}item")
    assert found is not None
    root = ET.Element(f"{_NS}RunInstancesResponse")
    root.extend(list(found))
    return ET.tostring(root)


def changes(action: str, lives: list[Life], before: dict[str, str], now: float) -> bytes:
    root = ET.Element(f"{_NS}{action}Response")
    holder = ET.SubElement(root, f"{_NS}instancesSet")
    for life in lives:
        item = ET.SubElement(holder, f"{_NS}item")
        ET.SubElement(item, f"{_NS}instanceId").text = life.id
        _set_state(item, "currentState", life.shown(now))
        _set_state(item, "previousState", before[life.id])
    return ET.tostring(root)


def statuses(lives: list[Life], now: float, settings: Settings) -> bytes:
    root = ET.Element(f"{_NS}DescribeInstanceStatusResponse")
    holder = ET.SubElement(root, f"{_NS}instanceStatusSet")
    for life in lives:
        state = life.shown(now)
        early = now < life.up_since + settings.initializing
        check = "impaired" if settings.impaired else "initializing" if early else "ok"
        item = ET.SubElement(holder, f"{_NS}item")
        ET.SubElement(item, f"{_NS}instanceId").text = life.id
        ET.SubElement(item, f"{_NS}availabilityZone").text = life.zone
        _set_state(item, "instanceState", state)
        for name in ("systemStatus", "instanceStatus"):
            one = ET.SubElement(item, f"{_NS}{name}")
            ET.SubElement(one, f"{_NS}status").text = check if state == "running" else "not-applicable"
    return ET.tostring(root)


def console(instance_id: str, text: str) -> bytes:
    root = ET.Element(f"{_NS}GetConsoleOutputResponse")
    ET.SubElement(root, f"{_NS}instanceId").text = instance_id
    ET.SubElement(root, f"{_NS}output").text = base64.b64encode(text.encode()).decode()
    return ET.tostring(root)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")

"""EC2's answers as XML: those of moto with states and tags as the double has them, and the double's own."""

from __future__ import annotations

import base64
import copy
from xml.etree import ElementTree as ET

from tests.support.ec2_world import CODES, Life, Refusal, Settings

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


def pictures(body: bytes) -> list[ET.Element]:
    """The instances of an answer of RunInstances or DescribeInstances."""
    return [item for instances in ET.fromstring(body).iter(f"{_NS}instancesSet") for item in instances]


def instance_and_zone(picture: ET.Element) -> tuple[str, str]:
    instance = picture.findtext(f"{_NS}instanceId")
    zone = picture.findtext(f"{_NS}placement/{_NS}availabilityZone")
    assert instance is not None
    assert zone is not None
    return instance, zone


def dressed(picture: ET.Element, life: Life, now: float, *, tagged: bool) -> ET.Element:
    """moto's word on an instance with its present state, and without tags that do not show yet."""
    item, state = copy.deepcopy(picture), life.shown(now)
    _set_state(item, "instanceState", state)
    hidden = ("stateReason", "reason") if tagged else ("stateReason", "reason", "tagSet")
    for name in hidden:
        for old in item.findall(f"{_NS}{name}"):
            item.remove(old)
    if state in ("terminated", "shutting-down") and life.reason:
        why = ET.SubElement(item, f"{_NS}stateReason")
        ET.SubElement(why, f"{_NS}code").text = life.reason
        ET.SubElement(why, f"{_NS}message").text = f"{life.reason}: as the double was told"
    return item


def satisfies(item: ET.Element, name: str, values: list[str]) -> bool:
    """The filters that the double knows; a test that meets another one should hear of it."""
    tags = {one.findtext(f"{_NS}key"): one.findtext(f"{_NS}value") or "" for one in item.iterfind(_TAGS)}
    if name == "instance-id":
        return item.findtext(f"{_NS}instanceId") in values
    if name == "instance-state-name":
        return item.findtext(f"{_NS}instanceState/{_NS}name") in values
    if name == "tag-key":
        return any(value in tags for value in values)
    if name.startswith("tag:"):
        return tags.get(name.removeprefix("tag:")) in values
    raise Refusal("InvalidParameterValue", f"The double knows no filter {name}")


_TAGS = f"{_NS}tagSet/{_NS}item"


def page(items: list[ET.Element], after: str | None, size: int) -> bytes:
    """One page of DescribeInstances; the token is the last instance of the one before."""
    ids = [item.findtext(f"{_NS}instanceId") for item in items]
    start = ids.index(after) + 1 if after in ids else 0
    root = ET.Element(f"{_NS}DescribeInstancesResponse")
    holder = ET.SubElement(root, f"{_NS}reservationSet")
    for item in items[start : start + size]:
        reservation = ET.SubElement(holder, f"{_NS}item")
        ET.SubElement(reservation, f"{_NS}reservationId").text = "r-0"
        ET.SubElement(reservation, f"{_NS}instancesSet").append(item)
    if start + size < len(items):
        ET.SubElement(root, f"{_NS}nextToken").text = ids[start + size - 1]
    return ET.tostring(root)


def run_answer(item: ET.Element) -> bytes:
    root = ET.Element(f"{_NS}RunInstancesResponse")
    ET.SubElement(root, f"{_NS}reservationId").text = "r-0"
    ET.SubElement(root, f"{_NS}instancesSet").append(item)
    return ET.tostring(root)


def _set_state(item: ET.Element, name: str, state: str) -> None:
    found = item.find(f"{_NS}{name}")
    if found is None:
        found = ET.SubElement(item, f"{_NS}{name}")
    for child in list(found):
        found.remove(child)
    ET.SubElement(found, f"{_NS}code").text = str(CODES[state])
    ET.SubElement(found, f"{_NS}name").text = state


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

"""The policy in deploy/iam allows exactly what the provider calls, and the provider calls all of it."""

from __future__ import annotations

import ast
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest

from domain.work import MachineRecipe, Resources, Seen
from providers.base import Provider
from tests.support.calls import RecordingCall
from tests.support.ec2 import REGION, Ec2
from tests.support.ec2_machines import OneMachine, a_machine, seen_as

pytestmark = [pytest.mark.servers, pytest.mark.ec2]

ROOT = Path(__file__).parents[2]
POLICY = json.loads((ROOT / "deploy/iam/ec2-policy.json").read_text())
_FREE = {"GetCallerIdentity"}
"""Needs no permission."""
_DOORS = {"read", "pages", "change"}


def _allowed() -> set[str]:
    listed = [statement["Action"] for statement in POLICY["Statement"]]
    names = [name for one in listed for name in ([one] if isinstance(one, str) else one)]
    return {name.removeprefix("ec2:") for name in names}


def _written() -> set[str]:
    """The first argument of every call of the provider's one door."""
    trees = [ast.parse(path.read_text()) for path in (ROOT / "providers/ec2").glob("*.py")]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args]
    through_the_door = [one for one in calls if isinstance(one.func, ast.Attribute) and one.func.attr in _DOORS]
    named = [one.args[0] for one in through_the_door]
    return {str(name.value) for name in named if isinstance(name, ast.Constant)}


def test_the_policy_has_what_the_code_calls_and_no_more() -> None:
    assert _allowed() == _written()


def test_a_life_with_everything_in_it_calls_all_that_the_policy_allows(ec2: Ec2, machines: Provider) -> None:
    machines.identity()
    work = a_machine(labels={"a": "1"}, resources=Resources(disk_gb=20))
    made = machines.create(work, RecordingCall())
    work = replace(work, provider_id=made.provider_id)
    seen_as(machines, work, Seen.UP)
    machines.logs(work, 5)
    changed = replace(
        work,
        labels={"b": "2"},
        resources=Resources(disk_gb=30),
        recipes=OneMachine(MachineRecipe("t3.small")),
    )
    machines.modify(changed, RecordingCall())
    seen_as(machines, work, Seen.UP)
    _leave_things_behind(ec2, str(work.provider_id))
    machines.delete(work, RecordingCall())
    seen_as(machines, work, Seen.ABSENT)
    mine = {call["action"] for call in ec2.calls()} - _others()
    assert mine - _FREE == _allowed()


def _others() -> set[str]:
    return {"CreateVolume", "AllocateAddress", "AssociateAddress"}


def _leave_things_behind(ec2: Ec2, machine: str) -> None:
    client: Any = boto3.client("ec2", region_name=REGION, endpoint_url=ec2.endpoint)
    found = client.describe_instances(InstanceIds=[machine])["Reservations"][0]["Instances"][0]
    client.create_volume(
        AvailabilityZone=found["Placement"]["AvailabilityZone"],
        Size=5,
        TagSpecifications=[{"ResourceType": "volume", "Tags": found["Tags"]}],
    )
    specification = [{"ResourceType": "elastic-ip", "Tags": found["Tags"]}]
    address = client.allocate_address(Domain="vpc", TagSpecifications=specification)
    client.associate_address(InstanceId=machine, AllocationId=address["AllocationId"])


def test_nothing_is_changed_that_does_not_carry_the_mark() -> None:
    unmarked = {one["Sid"] for one in POLICY["Statement"] if "berth:server-id" not in json.dumps(one)}
    assert unmarked == {"Look", "LaunchWith", "MarkAtLaunch", "LetGoOfAddress"}
    assert [one["Sid"] for one in POLICY["Statement"] if one["Resource"] == "*"] == ["Look"]

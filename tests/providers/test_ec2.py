"""A machine's life on EC2, against the double: asked for, confirmed by looking, changed, ended."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import boto3
import pytest

from domain.errors import ProviderError, ProviderErrorKind
from domain.work import MachineRecipe, Resources, Seen, Work
from providers.base import PreviousGone, Provider
from tests.support.calls import RecordingCall
from tests.support.ec2 import REGION, ZONES, Ec2
from tests.support.ec2_machines import (
    HIDDEN,
    IMAGE,
    OTHER_IMAGE,
    OneMachine,
    ShownWhileWaiting,
    a_machine,
    open_ec2,
    seen_as,
    until_done,
)
from tests.support.works import an_id, signed

pytestmark = [pytest.mark.servers, pytest.mark.ec2]


def _client(ec2: Ec2) -> Any:
    """A way to EC2 that is not the provider's."""
    return boto3.client("ec2", region_name=REGION, endpoint_url=ec2.endpoint)


def _described(ec2: Ec2, machine: str) -> dict[str, Any]:
    found = _client(ec2).describe_instances(InstanceIds=[machine])
    return dict(found["Reservations"][0]["Instances"][0])


def _running(provider: Provider, **changes: Any) -> Work:
    work = a_machine(**changes)
    outcome = provider.create(work, RecordingCall())
    seen_as(provider, work, Seen.UP)
    return replace(work, provider_id=outcome.provider_id)


def _of_type(work: Work, instance_type: str) -> Work:
    return replace(work, recipes=OneMachine(MachineRecipe(instance_type)))


def test_a_create_is_accepted_first_and_confirmed_by_looking(ec2: Ec2, machines: Provider) -> None:
    work = a_machine(zones=(ZONES[1],))
    with ec2.still():
        outcome = machines.create(work, RecordingCall())
        look = machines.observe(work)
    assert (outcome.confirmed, outcome.provider_state, outcome.zone) == (False, "pending", ZONES[1])
    assert (look.seen, look.provider_state, look.generation) == (Seen.TRANSIENT, "pending", 1)
    up = seen_as(machines, work, Seen.UP)
    assert (up.provider_state, up.provider_id, up.zone) == ("running", outcome.provider_id, ZONES[1])
    assert up.endpoint


def test_a_second_create_adopts_the_first_ones_machine(ec2: Ec2, machines: Provider) -> None:
    work = _running(machines)
    again = open_ec2(ec2.endpoint).create(replace(work, provider_id=None), RecordingCall())
    assert (again.confirmed, again.provider_id) == (True, work.provider_id)
    assert len(ec2.instances()) == 1
    assert len(ec2.calls("RunInstances")) == 1


def test_what_ec2_does_not_show_yet_is_an_uncertain_absence(ec2: Ec2, machines: Provider) -> None:
    ec2.configure(hidden=0.8)
    work = a_machine()
    with ec2.still():
        made = machines.create(work, RecordingCall())
        look = machines.observe(replace(work, provider_id=made.provider_id))
    assert (look.seen, look.certain) == (Seen.ABSENT, False)
    again = machines.create(work, RecordingCall())
    assert again.provider_id == made.provider_id
    seen_as(machines, work, Seen.UP)
    assert len(ec2.instances()) == 1


def test_a_machine_whose_tags_do_not_show_yet_is_on_its_way_by_its_recorded_id(
    ec2: Ec2, machines: Provider
) -> None:
    ec2.configure(untagged=60.0)
    work = a_machine()
    made = machines.create(work, RecordingCall())
    recorded = replace(work, provider_id=made.provider_id)
    assert seen_as(machines, recorded, Seen.UP).provider_id == made.provider_id
    assert machines.observe(work).seen is Seen.ABSENT
    ec2.configure(untagged=0.0)
    seen_as(machines, work, Seen.UP)


def test_failing_status_checks_are_not_up(ec2: Ec2, machines: Provider) -> None:
    work = _running(machines)
    ec2.configure(impaired=True)
    look = machines.observe(work)
    assert (look.seen, look.detail) == (Seen.TRANSIENT, "EC2's status checks of this machine fail")
    assert not machines.start(work, RecordingCall()).confirmed


def test_a_listing_shows_whose_status_checks_fail(ec2: Ec2, machines: Provider) -> None:
    work = _running(machines)
    shown: list[tuple[Seen, str]] = []
    for impaired in (False, True, False):
        ec2.configure(impaired=impaired)
        (glimpse,) = [one for one in machines.glance() if one.instance_id == work.instance_id]
        shown.append((glimpse.seen, glimpse.state))
    assert shown == [(Seen.UP, "running"), (Seen.TRANSIENT, "impaired"), (Seen.UP, "running")]


def test_a_launch_asks_for_a_machine_that_keeps_to_itself(ec2: Ec2, machines: Provider) -> None:
    labels = {"team": "billing", "aws:evil": "x\ny", "berth:server-id": "mine"}
    work = _running(machines, labels=labels, resources=Resources(disk_gb=40))
    found = _described(ec2, str(work.provider_id))
    assert found["MetadataOptions"]["HttpTokens"] == "required"
    assert found["MetadataOptions"]["HttpPutResponseHopLimit"] == 1
    tags = {tag["Key"]: tag["Value"] for tag in found["Tags"]}
    assert tags["Name"] == f"berth-{work.instance_id.replace('_', '-')}"
    assert tags["berth:server-id"] == work.identity.server_id
    assert tags["berth:label:aws:evil"] == "x y"
    assert tags["berth:label:berth:server-id"] == "mine"
    (volume,) = _client(ec2).describe_volumes()["Volumes"]
    assert (volume["Encrypted"], volume["Size"]) == (True, 40)
    assert {tag["Key"]: tag["Value"] for tag in volume["Tags"]} == tags
    assert found["BlockDeviceMappings"][0]["Ebs"]["DeleteOnTermination"] is True
    data = _client(ec2).describe_instance_attribute(InstanceId=work.provider_id, Attribute="userData")
    assert not data["UserData"].get("Value")


def test_stop_and_start_are_accepted_confirmed_and_repeatable(ec2: Ec2, machines: Provider) -> None:
    work = _running(machines)
    with ec2.still():
        assert not machines.stop(work, RecordingCall()).confirmed
        assert machines.observe(work).provider_state == "stopping"
        assert not machines.stop(work, RecordingCall()).confirmed
    assert seen_as(machines, work, Seen.DOWN).provider_state == "stopped"
    assert machines.stop(work, RecordingCall()).confirmed
    assert not machines.start(work, RecordingCall()).confirmed
    seen_as(machines, work, Seen.UP)
    assert machines.start(work, RecordingCall()).confirmed
    assert [len(ec2.calls(action)) for action in ("StopInstances", "StartInstances")] == [1, 1]


def test_a_start_waits_for_a_machine_that_is_still_stopping(ec2: Ec2, machines: Provider) -> None:
    work = _running(machines)
    machines.stop(work, RecordingCall())
    assert not machines.start(work, RecordingCall()).confirmed
    seen_as(machines, work, Seen.UP)


def test_a_restart_stops_and_starts(ec2: Ec2, machines: Provider) -> None:
    work = _running(machines)
    assert not machines.restart(work, RecordingCall()).confirmed
    seen_as(machines, work, Seen.UP)
    actions = [call["action"] for call in ec2.calls() if call["action"] in ("StopInstances", "StartInstances")]
    assert actions == ["StopInstances", "StartInstances"]


def test_a_new_type_stops_a_running_machine_and_starts_it_again(ec2: Ec2, machines: Provider) -> None:
    work = _of_type(_running(machines), "t3.large")
    assert not machines.modify(work, RecordingCall()).confirmed
    seen_as(machines, work, Seen.UP)
    found = _described(ec2, str(work.provider_id))
    assert found["InstanceType"] == "t3.large"
    assert "berth:resume" not in {tag["Key"] for tag in found["Tags"]}
    assert machines.modify(work, RecordingCall()).confirmed


def test_a_new_type_leaves_a_stopped_machine_stopped(ec2: Ec2, machines: Provider) -> None:
    work = _of_type(_running(machines), "t3.large")
    machines.stop(work, RecordingCall())
    seen_as(machines, work, Seen.DOWN)
    assert machines.modify(work, RecordingCall()).confirmed
    assert machines.observe(work).seen is Seen.DOWN
    assert _described(ec2, str(work.provider_id))["InstanceType"] == "t3.large"


def test_a_modify_cut_off_while_the_machine_is_down_is_finished_by_the_next(ec2: Ec2, machines: Provider) -> None:
    work = _of_type(_running(machines), "t3.large")
    rule = ec2.proxy.refuse(500, body="Action=ModifyInstanceAttribute&")
    with pytest.raises(ProviderError, match="ModifyInstanceAttribute"):
        machines.modify(work, RecordingCall())
    assert ec2.proxy.applied(rule) == 1
    assert machines.observe(work).seen is Seen.DOWN
    until_done(machines.modify, work)
    seen_as(machines, work, Seen.UP)


def test_labels_and_disks_change_while_it_runs(ec2: Ec2, machines: Provider) -> None:
    work = _running(machines, labels={"a": "1", "b": "2"}, resources=Resources(disk_gb=20))
    changed = replace(work, labels={"b": "3", "c": "4"}, resources=Resources(disk_gb=30))
    assert machines.modify(changed, RecordingCall()).confirmed
    tags = {tag["Key"]: tag["Value"] for tag in _described(ec2, str(work.provider_id))["Tags"]}
    labels = {key: value for key, value in tags.items() if key.startswith("berth:label:")}
    assert labels == {"berth:label:b": "3", "berth:label:c": "4"}
    assert _client(ec2).describe_volumes()["Volumes"][0]["Size"] == 30
    with pytest.raises(ProviderError, match="cannot shrink to 20"):
        machines.modify(work, RecordingCall())
    elsewhere = replace(work, recipes=OneMachine(MachineRecipe("t3.micro", ("eu-central-1c",))))
    with pytest.raises(ProviderError, match="cannot move"):
        machines.modify(elsewhere, RecordingCall())
    other = replace(work, recipes=OneMachine(MachineRecipe("t3.micro", image=OTHER_IMAGE)))
    with pytest.raises(ProviderError, match=f"made from {IMAGE}"):
        machines.modify(other, RecordingCall())


def test_a_delete_ends_only_when_ec2_says_terminated(ec2: Ec2, machines: Provider) -> None:
    work = _running(machines)
    with ec2.still():
        assert not machines.delete(work, RecordingCall()).confirmed
        assert machines.observe(work).provider_state == "shutting-down"
        assert not machines.delete(work, RecordingCall()).confirmed
    gone = seen_as(machines, work, Seen.ABSENT)
    assert (gone.certain, gone.provider_state) == (True, "terminated")
    assert gone.detail
    assert machines.delete(work, RecordingCall()).confirmed
    assert machines.inventory() == []


def test_a_delete_goes_on_until_a_failing_ec2_has_done_it(ec2: Ec2, machines: Provider) -> None:
    work = _running(machines)
    outage = ec2.proxy.refuse(503, body="Action=TerminateInstances&", times=4)
    for _ in range(4):
        with pytest.raises(ProviderError) as refused:
            machines.delete(work, RecordingCall())
        assert refused.value.retryable
        assert machines.observe(work).seen is Seen.UP
    assert ec2.proxy.applied(outage) == 4
    machines.delete(work, RecordingCall())
    seen_as(machines, work, Seen.ABSENT)


def test_what_is_no_longer_listed_is_gone_after_two_looks(ec2: Ec2, machines: Provider) -> None:
    work = _running(machines)
    machines.delete(work, RecordingCall())
    seen_as(machines, work, Seen.ABSENT)
    ec2.configure(terminated_visible=0.0)
    look = machines.observe(work)
    assert (look.seen, look.certain) == (Seen.ABSENT, False)
    began = time.monotonic()
    outcome = machines.delete(work, RecordingCall())
    assert (outcome.confirmed, outcome.provider_state) == (True, "absent")
    assert time.monotonic() - began >= machines.consistency_seconds


def test_a_delete_finds_what_was_launched_a_moment_ago(ec2: Ec2, machines: Provider) -> None:
    """As after a cancel: the launch was done, its answer never arrived, and EC2 shows nothing yet."""
    ec2.configure(hidden=HIDDEN)
    work = a_machine()
    ec2.proxy.lose_answer(body="Action=RunInstances&")
    with pytest.raises(Exception, match="cancelled"):
        machines.create(work, RecordingCall(cancel_after_sleeps=0))
    assert not machines.delete(work, ShownWhileWaiting(ec2)).confirmed
    assert ec2.alive() == []


def test_volumes_and_addresses_go_with_the_machine(ec2: Ec2, machines: Provider) -> None:
    work, client = _running(machines), _client(ec2)
    found = _described(ec2, str(work.provider_id))
    tags = found["Tags"]
    attached = client.create_volume(
        AvailabilityZone=found["Placement"]["AvailabilityZone"],
        Size=5,
        TagSpecifications=[{"ResourceType": "volume", "Tags": tags}],
    )["VolumeId"]
    client.attach_volume(InstanceId=work.provider_id, VolumeId=attached, Device="/dev/sdf")
    loose = client.create_volume(
        AvailabilityZone=ZONES[0], Size=5, TagSpecifications=[{"ResourceType": "volume", "Tags": tags}]
    )["VolumeId"]
    strangers = client.create_volume(AvailabilityZone=ZONES[0], Size=5)["VolumeId"]
    specification = [{"ResourceType": "elastic-ip", "Tags": tags}]
    address = client.allocate_address(Domain="vpc", TagSpecifications=specification)
    client.associate_address(InstanceId=work.provider_id, AllocationId=address["AllocationId"])
    assert {item.provider_id for item in machines.inventory()} == {work.provider_id, loose}

    machines.delete(work, RecordingCall())
    seen_as(machines, work, Seen.ABSENT)

    assert {volume["VolumeId"] for volume in client.describe_volumes()["Volumes"]} == {strangers}
    assert client.describe_addresses()["Addresses"] == []
    assert machines.inventory() == []


def test_of_several_the_recorded_one_stays_and_it_is_said(ec2: Ec2, machines: Provider) -> None:
    work = _running(machines)
    tags = _described(ec2, str(work.provider_id))["Tags"]
    specification = [{"ResourceType": "instance", "Tags": tags}]
    twins = [
        _client(ec2).run_instances(
            ImageId=IMAGE, InstanceType="t3.micro", MinCount=1, MaxCount=1, TagSpecifications=specification
        )["Instances"][0]["InstanceId"]
        for _ in range(2)
    ]
    recorded = replace(work, provider_id=twins[1])
    outcome = machines.create(recorded, RecordingCall())
    assert outcome.provider_id == twins[1]
    assert outcome.note is not None
    assert f"kept {twins[1]}" in outcome.note
    assert [one["id"] for one in ec2.alive()] == [twins[1]]
    assert len(tags) >= 8


def test_a_delete_takes_every_machine_that_carries_the_id(ec2: Ec2, machines: Provider) -> None:
    work = _running(machines)
    tags = _described(ec2, str(work.provider_id))["Tags"]
    specification = [{"ResourceType": "instance", "Tags": tags}]
    _client(ec2).run_instances(
        ImageId=IMAGE, InstanceType="t3.micro", MinCount=1, MaxCount=1, TagSpecifications=specification
    )
    outcome = machines.delete(work, RecordingCall())
    assert outcome.note is not None
    assert ec2.alive() == []


def test_a_terminated_machine_asks_for_a_new_generation(ec2: Ec2, machines: Provider) -> None:
    work = _running(machines)
    with ec2.still():
        _client(ec2).terminate_instances(InstanceIds=[work.provider_id])
        with pytest.raises(ProviderError, match="still shutting down") as early:
            machines.create(work, RecordingCall())
    assert early.value.kind is ProviderErrorKind.NOT_READY
    with pytest.raises(PreviousGone):
        until_done(lambda work, call: _unless_previous_gone(machines, work, call), work)
    next_one = replace(work, identity=signed(replace(work.identity, generation=2)), provider_id=None)
    assert machines.observe(next_one).seen is Seen.ABSENT
    machines.create(next_one, RecordingCall())
    assert seen_as(machines, next_one, Seen.UP).generation == 2
    assert len(ec2.alive()) == 1


def test_a_token_whose_machine_is_no_longer_listed_asks_for_a_new_generation(ec2: Ec2, machines: Provider) -> None:
    ec2.configure(terminated_visible=0.0)
    work = _running(machines)
    _client(ec2).terminate_instances(InstanceIds=[work.provider_id])
    seen_as(machines, work, Seen.ABSENT)
    with pytest.raises(PreviousGone):
        machines.create(replace(work, provider_id=None), RecordingCall())
    assert ec2.alive() == []


def _unless_previous_gone(machines: Provider, work: Work, call: Any) -> Any:
    """`PreviousGone` is no plain retry: it must reach the caller."""
    try:
        return machines.create(work, call)
    except PreviousGone as gone:
        gone.kind = ProviderErrorKind.INVALID
        raise


def test_a_launch_that_ends_by_itself_says_why(ec2: Ec2, machines: Provider) -> None:
    ec2.configure(launch_failures=1, launch_failure="Client.VolumeLimitExceeded")
    work = a_machine()
    machines.create(work, RecordingCall())
    look = seen_as(machines, work, Seen.ABSENT)
    assert (look.certain, look.provider_state) == (True, "terminated")
    assert "Client.VolumeLimitExceeded" in str(look.detail)


@pytest.mark.parametrize("what", ["unsigned", "stolen"])
def test_a_machine_with_our_id_and_no_signature_of_ours_is_touched_by_nobody(
    ec2: Ec2, machines: Provider, what: str
) -> None:
    work = a_machine()
    other = signed(replace(work.identity, instance_id=an_id("ins")))
    tags = {
        "berth:server-id": work.identity.server_id,
        "berth:project": work.identity.project,
        "berth:deployment-id": work.identity.deployment_id,
        "berth:instance-id": work.instance_id,
        "berth:generation": "1",
        "berth:signature": other.signature if what == "stolen" else "",
    }
    specification = {
        "ResourceType": "instance",
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
    }
    stranger = _client(ec2).run_instances(
        ImageId=IMAGE, InstanceType="t3.micro", MinCount=1, MaxCount=1, TagSpecifications=[specification]
    )["Instances"][0]["InstanceId"]
    assert seen_as(machines, work, Seen.FOREIGN).provider_id == stranger
    for verb in (machines.create, machines.start, machines.stop, machines.modify, machines.delete):
        with pytest.raises(ProviderError, match="without this Berth's signature") as refused:
            verb(work, RecordingCall())
        assert refused.value.kind is ProviderErrorKind.INVALID
    (item,) = machines.inventory()
    assert not item.owned
    with pytest.raises(ProviderError, match="not signed"):
        machines.remove(stranger, RecordingCall())
    assert [one["id"] for one in ec2.alive()] == [stranger]


def test_verbs_name_a_machine_that_is_gone(ec2: Ec2, machines: Provider) -> None:
    for verb in (machines.start, machines.stop, machines.restart, machines.modify):
        with pytest.raises(ProviderError, match="no machine of it") as missing:
            verb(a_machine(), RecordingCall())
        assert missing.value.kind is ProviderErrorKind.NOT_FOUND


def test_the_inventory_has_other_servers_too_and_removal_only_ours(ec2: Ec2, machines: Provider) -> None:
    other = open_ec2(ec2.endpoint, "fedcba9876543210")
    mine, theirs = _running(machines), _running(other, server_id="fedcba9876543210")
    items = {item.provider_id: item for item in machines.inventory()}
    assert items[str(mine.provider_id)].owned
    assert not items[str(theirs.provider_id)].owned
    with pytest.raises(ProviderError, match="not signed by this Berth"):
        machines.remove(str(theirs.provider_id), RecordingCall())
    machines.remove(str(mine.provider_id), RecordingCall())
    machines.remove("i-0123456789abcdef0", RecordingCall())
    assert [one["id"] for one in ec2.alive()] == [theirs.provider_id]


def test_looks_go_through_every_page(ec2: Ec2, machines: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("providers.ec2.api._PAGE", 5)
    works = [a_machine() for _ in range(12)]
    for work in works:
        machines.create(work, RecordingCall())
    before = len(ec2.calls("DescribeInstances"))
    assert len(machines.inventory()) == 12
    assert len(ec2.calls("DescribeInstances")) - before == 3


def test_console_and_addresses_are_shown(ec2: Ec2, machines: Provider) -> None:
    work = _running(machines)
    assert machines.logs(work, 2) == ["line 49", "line 50"]
    host, port = machines.inner_address(replace(work, port=8080))
    assert (host, port) == (_described(ec2, str(work.provider_id))["PrivateIpAddress"], 8080)
    with pytest.raises(ProviderError, match="no port on which it serves"):
        machines.inner_address(work)


def test_the_place_is_an_account_and_a_region(machines: Provider) -> None:
    assert machines.identity() == f"123456789012/{REGION}"

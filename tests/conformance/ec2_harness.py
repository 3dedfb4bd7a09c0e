"""EC2's place: the double behind a proxy. The truth is read from the double and by another client than Berth's."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import boto3
import pytest

from domain.errors import ProviderErrorKind
from domain.work import MachineRecipe, Resources, Secrets, Seen, Work
from providers.base import Provider
from providers.ec2.tags import INSTANCE, SERVER, as_list, tags_of
from tests.conformance.base import CANARY, BadWork, Can, Foreign, Harness, RawState, Verb
from tests.support.ec2 import ACCESS, REGION, Ec2, refusal
from tests.support.ec2_machines import IMAGE, OneMachine, a_machine, open_ec2
from tests.support.works import an_id, signed

__all__ = ["HARNESS", "ec2_harness"]

_CHANGES = "Action=(Run|Start|Stop|Reboot|Terminate|Modify|Create|Delete|Release|Disassociate)"
_FIRST_CHANGE: Mapping[Verb, str] = {
    "create": "RunInstances",
    "start": "StartInstances",
    "stop": "StopInstances",
    "restart": "StopInstances",
    "modify": "CreateTags",
    "delete": "TerminateInstances",
}
_REFUSALS = {
    ProviderErrorKind.TRANSIENT: (500, "InternalError"),
    ProviderErrorKind.THROTTLED: (503, "RequestLimitExceeded"),
    ProviderErrorKind.NO_CAPACITY: (500, "InsufficientInstanceCapacity"),
    ProviderErrorKind.QUOTA: (400, "VcpuLimitExceeded"),
    ProviderErrorKind.AUTH: (403, "UnauthorizedOperation"),
}
_LONG = 4.0
_ADVANCE = 0.5
_CALL_SECONDS, _CUT_CALL_SECONDS = "10", "3"


def open_harnessed(endpoint: str, call_seconds: str, server_id: str) -> Provider:
    os.environ.update(ACCESS)  # also in the processes that are killed
    return open_ec2(endpoint, server_id, call_seconds=call_seconds, consistency_seconds="0.6")


class Ec2Harness(Harness):
    name = "ec2"
    marks = (pytest.mark.servers, pytest.mark.ec2)
    cut_seconds = 15.0
    preload = ("tests.conformance.ec2_harness", "providers.ec2.provider")
    twins_are_settled = True
    lacks: ClassVar[Mapping[Can, str]] = {
        Can.KEEP_DATA: "EC2's interface shows nothing of what a disk holds",
        Can.INNER_ADDRESS: "what serves in a machine, and where, is its owner's business",
    }

    def __init__(self, servers: Ec2) -> None:
        self._servers = servers
        self._proxy = servers.proxy
        self._client = boto3.client("ec2", region_name=REGION, endpoint_url=servers.endpoint)
        self._call_seconds = _CALL_SECONDS

    def opener(self, server_id: str) -> Callable[[], Provider]:
        return partial(open_harnessed, self._servers.endpoint, self._call_seconds, server_id)

    def work(self, **changes: Any) -> Work:
        return a_machine(**{"secrets": Secrets(password=CANARY), "params": {"password": CANARY}, **changes})

    def changed(self, work: Work) -> Work:
        return replace(work, recipes=OneMachine(MachineRecipe("t3.small")))

    def objects(self, work: Work) -> Sequence[str]:
        alive = {one["id"] for one in self._servers.alive()}
        return sorted(one["InstanceId"] for one in self._described(work) if one["InstanceId"] in alive)

    def remains(self, work: Work) -> Sequence[str]:
        volumes = [one["VolumeId"] for one in self._volumes(work)]
        addresses = self._client.describe_addresses(Filters=_marked(work))["Addresses"]
        return [*self.objects(work), *volumes, *(one["AllocationId"] for one in addresses)]

    def fingerprint(self, work: Work) -> object:
        """States move by themselves, but not where they move to."""
        ends = {one["id"]: one["becomes"] for one in self._servers.instances()}
        machines = [
            (one["InstanceId"], ends[one["InstanceId"]], one["InstanceType"], sorted(map(str, one["Tags"])))
            for one in self._described(work)
        ]
        return machines, [(one["VolumeId"], one["Size"]) for one in self._volumes(work)]

    def shows(self, work: Work) -> bool:
        assert work.recipes is not None
        (machine,) = self.objects(work)
        found = self._client.describe_instances(InstanceIds=[machine])["Reservations"][0]["Instances"][0]
        return bool(found["InstanceType"] == work.recipes.machine_recipe(work).instance_type)

    def exposed(self, work: Work) -> str:
        (machine,) = self.objects(work)
        data = self._client.describe_instance_attribute(InstanceId=machine, Attribute="userData")
        return repr((self._described(work), self._volumes(work), data["UserData"]))

    def run_id(self, work: Work) -> str:
        (machine,) = self.objects(work)
        return str(next(one["up_since"] for one in self._servers.instances() if one["id"] == machine))

    def chatty(self) -> Work:
        """As talkative as every machine of the double."""
        return self.work()

    def vanish(self, work: Work) -> None:
        machines = self.objects(work)
        self._client.terminate_instances(InstanceIds=list(machines))
        self._wait(lambda: all(self._state(one) == "terminated" for one in machines))

    def plant(self, work: Work, kind: Foreign) -> None:
        other = signed(replace(work.identity, instance_id=an_id("ins")))
        tags = tags_of(replace(work, identity=replace(work.identity, signature=other.signature)))
        self._launch({name: tags[name] for name in (SERVER, INSTANCE)} if kind is Foreign.UNSIGNED else tags)

    def add_twin(self, work: Work) -> None:
        self._launch(tags_of(work))

    @contextmanager
    def lose_answer(self, verb: Verb, work: Work) -> Iterator[None]:
        action = _FIRST_CHANGE[verb]
        with self._rule(self._proxy.lose_answer(body=f"Action={action}&", times=1)) as rule:
            yield
            assert self._proxy.applied(rule) == 1, f"{verb} never came to {action}"

    @contextmanager
    def refuse(self, verb: Verb, work: Work, kind: ProviderErrorKind, times: int = 1) -> Iterator[None]:
        status, code = _REFUSALS[kind]
        with self._rule(self._proxy.refuse(status, refusal(code), body=_CHANGES, times=times)):
            yield

    @contextmanager
    def hang(self, verb: Verb, work: Work) -> Iterator[None]:
        """A cancel may come before the first of them: nobody asserts that it was met."""
        body = "Action=Describe" if verb in {"observe", "inventory"} else _CHANGES
        self._call_seconds = _CUT_CALL_SECONDS
        with self._rule(self._proxy.hang(body=body, times=-1)):
            yield
        self._call_seconds = _CALL_SECONDS

    @contextmanager
    def unreachable(self) -> Iterator[None]:
        with self._rule(self._proxy.close_connections(times=-1)) as rule:
            yield
            assert self._proxy.applied(rule) >= 1

    def stop_it(self, work: Work) -> None:
        (machine,) = self.objects(work)
        self._client.stop_instances(InstanceIds=[machine])
        self._wait(lambda: self._state(machine) == "stopped")

    def stop_slowly(self, work: Work) -> None:
        """As the others, it goes on with the pauses of whoever waits for it, and not before."""
        self._servers.configure(stopping=_LONG)
        self._servers.hold()
        self._client.stop_instances(InstanceIds=list(self.objects(work)))

    def start_slowly(self, work: Work) -> None:
        self.stop_it(work)
        self._servers.configure(pending=_LONG)
        self._servers.hold()
        self._client.start_instances(InstanceIds=list(self.objects(work)))

    def end_slowly(self, work: Work) -> None:
        self._servers.configure(shutting_down=_LONG)
        self._servers.hold()
        self._client.terminate_instances(InstanceIds=list(self.objects(work)))

    def _launch(self, tags: dict[str, str]) -> None:
        self._client.run_instances(
            ImageId=IMAGE,
            InstanceType="t3.micro",
            MinCount=1,
            MaxCount=1,
            TagSpecifications=[{"ResourceType": "instance", "Tags": as_list(tags)}],
        )

    def _described(self, work: Work) -> list[dict[str, Any]]:
        found = self._client.describe_instances(Filters=_marked(work))["Reservations"]
        return [machine for reservation in found for machine in reservation["Instances"]]

    def _volumes(self, work: Work) -> list[dict[str, Any]]:
        return list(self._client.describe_volumes(Filters=_marked(work))["Volumes"])

    def _state(self, machine: str) -> str:
        return str(next(one["state"] for one in self._servers.instances() if one["id"] == machine))

    def _wait(self, met: Callable[[], bool]) -> None:
        deadline = time.monotonic() + self.settle_seconds
        while not met():
            assert time.monotonic() < deadline
            time.sleep(0.05)

    @contextmanager
    def _rule(self, rule: int) -> Iterator[int]:
        try:
            yield rule
        finally:
            self._proxy.drop(rule)

    def pause(self) -> None:
        """A look is a question to three servers; the machine has other things to do as well."""
        self._servers.advance(_ADVANCE)
        time.sleep(0.2)

    unlisted: ClassVar[Mapping[str, str]] = {
        "impaired": "status checks are another question, for a hundred machines at most: only a look asks it"
    }
    raw_states: ClassVar[Sequence[RawState]] = (
        RawState("pending", Seen.TRANSIENT, start_slowly, "pending"),
        RawState("stopping", Seen.TRANSIENT, stop_slowly, "stopping"),
        RawState("stopped", Seen.DOWN, stop_it, "stopped"),
        RawState("shutting-down", Seen.TRANSIENT, end_slowly, "shutting-down"),
        RawState(
            "impaired", Seen.TRANSIENT, lambda h, w: h._servers.configure(impaired=True), "status checks of this"
        ),
    )
    bad_works: ClassVar[Sequence[BadWork]] = (
        BadWork(
            "unknown-image",
            ProviderErrorKind.INVALID,
            lambda h: h.work(recipes=OneMachine(MachineRecipe("t3.micro", image="ami-0000000000000dead"))),
            "ami-0000000000000dead",
        ),
        BadWork(
            "unknown-zone",
            ProviderErrorKind.INVALID,
            lambda h: h.work(recipes=OneMachine(MachineRecipe("t3.micro", zones=("mars-1",)))),
            "mars-1",
        ),
        BadWork(
            "unknown-type",
            ProviderErrorKind.INVALID,
            lambda h: h.work(recipes=OneMachine(MachineRecipe("x9.huge"))),
            "x9.huge",
        ),
        BadWork(
            "too-small-a-disk",
            ProviderErrorKind.INVALID,
            lambda h: h.work(resources=Resources(disk_gb=1)),
            "less than that",
        ),
    )


def _marked(work: Work) -> list[dict[str, Any]]:
    wanted = {SERVER: work.identity.server_id, INSTANCE: work.instance_id}
    return [{"Name": f"tag:{key}", "Values": [value]} for key, value in wanted.items()]


@pytest.fixture
def ec2_harness(ec2: Ec2) -> Ec2Harness:
    return Ec2Harness(ec2)


HARNESS = Ec2Harness

"""Every class of EC2's refusals, as it comes over the wire, and what it means for the next attempt."""

from __future__ import annotations

import pytest
from botocore import exceptions as boto

from domain.errors import ProviderError, ProviderErrorKind
from domain.work import Seen
from providers.base import Provider
from providers.ec2.errors import translate
from tests.support.calls import RecordingCall
from tests.support.ec2 import Ec2, refusal
from tests.support.ec2_machines import a_machine, open_ec2

pytestmark = [pytest.mark.servers, pytest.mark.ec2]

K = ProviderErrorKind
_SAID = {
    ("UnauthorizedOperation", 403): K.AUTH,
    ("AuthFailure", 401): K.AUTH,
    ("ExpiredToken", 400): K.AUTH,
    ("ExpiredTokenException", 400): K.AUTH,
    ("RequestExpired", 400): K.AUTH,
    ("InvalidClientTokenId", 403): K.AUTH,
    ("SignatureDoesNotMatch", 403): K.AUTH,
    ("OptInRequired", 403): K.AUTH,
    ("InvalidAMIID.NotFound", 400): K.INVALID,
    ("InvalidAMIID.Malformed", 400): K.INVALID,
    ("InvalidParameterValue", 400): K.INVALID,
    ("InvalidSubnetID.NotFound", 400): K.INVALID,
    ("OperationNotPermitted", 400): K.INVALID,
    ("Unsupported", 400): K.INVALID,
    ("SomethingNew", 400): K.INVALID,
    ("InstanceLimitExceeded", 400): K.QUOTA,
    ("VcpuLimitExceeded", 400): K.QUOTA,
    ("VolumeLimitExceeded", 400): K.QUOTA,
    ("MaxSpotInstanceCountExceeded", 400): K.QUOTA,
    ("InsufficientInstanceCapacity", 500): K.NO_CAPACITY,
    ("InsufficientHostCapacity", 400): K.NO_CAPACITY,
    ("InsufficientReservedInstanceCapacity", 400): K.NO_CAPACITY,
    ("RequestLimitExceeded", 503): K.THROTTLED,
    ("Throttling", 400): K.THROTTLED,
    ("ThrottlingException", 400): K.THROTTLED,
    ("EC2ThrottledException", 503): K.THROTTLED,
    ("IncorrectInstanceState", 400): K.NOT_READY,
    ("InvalidInstanceID.NotFound", 400): K.NOT_FOUND,
    ("InternalError", 500): K.TRANSIENT,
    ("Unavailable", 503): K.TRANSIENT,
    ("ServiceUnavailable", 503): K.TRANSIENT,
    ("SomethingNew", 500): K.TRANSIENT,
}


@pytest.mark.parametrize(("said", "kind"), _SAID.items(), ids=lambda value: str(value[0]) if value else "")
def test_a_refusal_over_the_wire_has_its_kind(
    ec2: Ec2, said: tuple[str, int], kind: ProviderErrorKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("providers.ec2.api._CHANGE_PATIENCE", 0.1)
    code, status = said
    provider = open_ec2(ec2.endpoint, consistency_seconds="0.1")
    ec2.proxy.refuse(status, refusal(code), body="Action=RunInstances&", times=-1)
    with pytest.raises(ProviderError) as refused:
        provider.create(a_machine(), RecordingCall())
    assert refused.value.kind is kind
    assert code in refused.value.message or kind is K.THROTTLED
    assert ec2.instances() == []


def test_refusals_of_credentials_repeat_nothing_that_aws_said(ec2: Ec2, machines: Provider) -> None:
    secret = "Encoded authorization failure message: 4b2c-secret-stuff"
    ec2.proxy.refuse(403, refusal("UnauthorizedOperation", secret), body="Action=RunInstances&")
    with pytest.raises(ProviderError) as refused:
        machines.create(a_machine(), RecordingCall())
    assert "secret-stuff" not in refused.value.message
    assert "deploy/iam" in refused.value.message
    assert not refused.value.retryable


def test_an_unreachable_ec2_is_no_evidence_and_worth_another_attempt(ec2: Ec2) -> None:
    provider = open_ec2("http://127.0.0.1:1")
    assert provider.observe(a_machine()).seen is Seen.NO_EVIDENCE
    with pytest.raises(ProviderError) as refused:
        provider.create(a_machine(), RecordingCall())
    assert refused.value.retryable
    with pytest.raises(ProviderError, match="cannot be reached for GetCallerIdentity"):
        provider.identity()


def test_a_look_without_an_answer_ends_by_itself(ec2: Ec2) -> None:
    provider = open_ec2(ec2.endpoint, call_seconds="0.5")
    ec2.proxy.hang(times=-1)
    look = provider.observe(a_machine())
    assert look.seen is Seen.NO_EVIDENCE
    assert "did not answer DescribeInstances" in str(look.detail)


def test_missing_credentials_and_unsent_requests_are_told_apart() -> None:
    assert translate("RunInstances", boto.NoCredentialsError()).kind is K.AUTH
    unsent = translate("RunInstances", boto.ConnectTimeoutError(endpoint_url="https://secret@host"))
    assert (unsent.kind, unsent.may_have_happened) == (K.TRANSIENT, False)
    lost = translate("RunInstances", boto.ReadTimeoutError(endpoint_url="https://secret@host"))
    assert (lost.kind, lost.may_have_happened) == (K.TRANSIENT, True)
    assert "secret" not in unsent.message + lost.message

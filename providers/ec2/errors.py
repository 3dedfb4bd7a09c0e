"""What every refusal of EC2 means for the next attempt: one table, asked by `api.py` alone.

The first row that matches decides. What EC2 says in words is passed on, bounded, except where it concerns
credentials.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from botocore import exceptions as boto

from domain.errors import ProviderError, ProviderErrorKind

_LONGEST = 300
_THROTTLED, _NO_CAPACITY = ProviderErrorKind.THROTTLED, ProviderErrorKind.NO_CAPACITY
_QUOTA, _AUTH = ProviderErrorKind.QUOTA, ProviderErrorKind.AUTH
_INVALID, _NOT_FOUND = ProviderErrorKind.INVALID, ProviderErrorKind.NOT_FOUND
_NOT_READY, _TRANSIENT = ProviderErrorKind.NOT_READY, ProviderErrorKind.TRANSIENT


@dataclass(frozen=True)
class Row:
    """`elsewhere`: another zone may well say yes."""

    pattern: str
    kind: ProviderErrorKind
    elsewhere: bool = False


TABLE = (
    Row("RequestLimitExceeded", _THROTTLED),
    Row("Throttl*", _THROTTLED),
    Row("EC2ThrottledException", _THROTTLED),
    Row("RequestThrottled*", _THROTTLED),
    Row("TooManyRequests*", _THROTTLED),
    Row("SlowDown", _THROTTLED),
    Row("Insufficient*Capacity*", _NO_CAPACITY, elsewhere=True),
    Row("ZonalCapacity*", _NO_CAPACITY, elsewhere=True),
    Row("Unsupported", _INVALID, elsewhere=True),
    Row("InsufficientFreeAddressesInSubnet", _QUOTA, elsewhere=True),
    Row("*LimitExceeded", _QUOTA),
    Row("*CountExceeded", _QUOTA),
    Row("UnauthorizedOperation", _AUTH),
    Row("AuthFailure*", _AUTH),
    Row("AccessDenied*", _AUTH),
    Row("ExpiredToken*", _AUTH),
    Row("RequestExpired", _AUTH),
    Row("InvalidClientTokenId", _AUTH),
    Row("InvalidAccessKeyId", _AUTH),
    Row("SignatureDoesNotMatch", _AUTH),
    Row("IncompleteSignature", _AUTH),
    Row("InvalidSignature*", _AUTH),
    Row("MissingAuthenticationToken*", _AUTH),
    Row("UnrecognizedClient*", _AUTH),
    Row("NotAuthorized*", _AUTH),
    Row("OptInRequired", _AUTH),
    Row("PendingVerification", _AUTH),
    Row("Blocked", _AUTH),
    Row("InvalidInstanceID.NotFound", _NOT_FOUND),
    Row("InvalidVolume.NotFound", _NOT_FOUND),
    Row("InvalidAllocationID.NotFound", _NOT_FOUND),
    Row("InvalidAssociationID.NotFound", _NOT_FOUND),
    Row("IncorrectInstanceState", _NOT_READY),
    Row("IncorrectState", _NOT_READY),
    Row("IncorrectModificationState", _NOT_READY),
    Row("VolumeInUse", _NOT_READY),
    Row("InvalidIPAddress.InUse", _NOT_READY),
    Row("PriorRequestNotComplete", _NOT_READY),
    Row("IdempotentParameterMismatch", _INVALID),
    Row("InternalError", _TRANSIENT),
    Row("InternalFailure", _TRANSIENT),
    Row("*Unavailable", _TRANSIENT),
    Row("RequestTimeout*", _TRANSIENT),
)
"""Codes that stand nowhere here: TRANSIENT with a 5xx, INVALID with a 4xx (`Invalid*`, `Missing*`, `Unknown*`,
`OperationNotPermitted` and their like)."""

_NO_CREDENTIALS = (
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.CredentialRetrievalError,
    boto.TokenRetrievalError,
    boto.SSOError,
    boto.ProfileNotFound,
)
_NOT_SENT = (boto.EndpointConnectionError, boto.ConnectTimeoutError, boto.ProxyConnectionError, boto.SSLError)


class Ec2Error(ProviderError):
    """A call to EC2 that failed.

    `code`: EC2's own. `may_have_happened`: a change whose answer is not known; everything else is a definite no.
    """

    def __init__(
        self,
        kind: ProviderErrorKind,
        message: str,
        *,
        aws_code: str = "",
        elsewhere: bool = False,
        may_have_happened: bool = False,
    ) -> None:
        super().__init__(kind, message)
        self.aws_code = aws_code
        self.elsewhere = elsewhere
        self.may_have_happened = may_have_happened


def translate(action: str, error: Exception) -> Ec2Error:
    """Holds no text of the SDK, and of EC2's only what it says about the request."""
    if isinstance(error, boto.ClientError):
        return _refusal(action, error)
    kind = type(error).__name__
    if isinstance(error, _NO_CREDENTIALS):
        return Ec2Error(_AUTH, f"there are no usable AWS credentials for {action} ({kind})", aws_code=kind)
    if isinstance(error, boto.ParamValidationError):
        return Ec2Error(_INVALID, f"{action} was asked with a parameter that AWS does not know", aws_code=kind)
    sent = not isinstance(error, _NOT_SENT)
    what = "did not answer" if sent else "cannot be reached for"
    return Ec2Error(_TRANSIENT, f"EC2 {what} {action} ({kind})", aws_code=kind, may_have_happened=sent)


def _refusal(action: str, error: boto.ClientError) -> Ec2Error:
    answer = error.response.get("Error", {})
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    code = str(answer.get("Code", "")) or str(status)
    row = next((row for row in TABLE if fnmatchcase(code, row.pattern)), None)
    kind = row.kind if row is not None else _TRANSIENT if status >= 500 else _INVALID
    return Ec2Error(
        kind,
        _words(action, code, kind, str(answer.get("Message", ""))),
        aws_code=code,
        elsewhere=row is not None and row.elsewhere,
        may_have_happened=kind is _TRANSIENT,
    )


def _words(action: str, code: str, kind: ProviderErrorKind, said: str) -> str:
    if kind is _AUTH:
        if code == "UnauthorizedOperation":
            return f"these AWS credentials may not call {action} ({code}); deploy/iam lists what is needed"
        return f"AWS refused the credentials for {action} ({code}); renew or correct them"
    if kind is _THROTTLED:
        return f"EC2 takes no more {action} requests for the moment ({code})"
    text = " ".join(said.split())[:_LONGEST]
    return f"EC2 refused {action} ({code})" + (f": {text}" if text else "")

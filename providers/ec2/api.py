"""The one door to AWS: every call with a time-out, at a pace that EC2 bears, and its failures in our words.

Reads are repeated here only when throttled; changes too, because a throttled request has done nothing. Everything
else is decided by who asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import cache, partial
from threading import Lock
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from domain.errors import ProviderError, ProviderErrorKind
from domain.work import Call
from providers.ec2.errors import translate
from providers.ec2.options import Options
from providers.ec2.pace import Pace
from providers.ec2.sight import answered_at
from providers.entry import Unconfigured

_PAGE = 1000
_MOST_PAGES = 1000
_READ_PATIENCE = 5.0
_CHANGE_PATIENCE = 8.0


class Api:
    def __init__(self, options: Options) -> None:
        """`Unconfigured` when the SDK's own chain knows no region or no credentials."""
        session = _session(options)
        region, credentials = _configured(session)
        if region is None:
            raise Unconfigured("set BERTH_EC2_REGION (or AWS_REGION) to the region that holds the machines")
        if credentials is None:
            raise Unconfigured(
                "give this worker AWS credentials: AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY, a profile, a role"
            )
        config = Config(
            connect_timeout=min(options.call_seconds, 3.0),
            read_timeout=options.call_seconds,
            retries={"total_max_attempts": 1},
            max_pool_connections=64,
            user_agent_extra="berth",
        )
        self.region = region
        self._ec2 = session.client("ec2", endpoint_url=options.endpoint_url, config=config)
        self._identity = partial(session.client, "sts", endpoint_url=options.endpoint_url, config=config)
        self._opening = Lock()
        self._paces = {"run": Pace(20, 20), "change": Pace(20, 20), "read": Pace(20, 20)}

    def account(self) -> str:
        with self._opening:  # a session of the SDK is no business of two threads
            client = self._identity()
        return str(self._call("GetCallerIdentity", client.get_caller_identity, {})["Account"])

    def read(self, action: str, **parameters: Any) -> dict[str, Any]:
        """One look, begun within a few seconds or refused as throttled."""
        return self._paced(action, "read", parameters, _READ_PATIENCE, time.sleep, None)

    def pages(self, action: str, key: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """The items below `key` of every page, each with `SeenAt`: EC2's time of the answer."""
        token: str | None = None
        for _ in range(_MOST_PAGES):
            more: dict[str, Any] = {} if token is None else {"NextToken": token}
            answer = self.read(action, MaxResults=_PAGE, **parameters, **more)
            seen_at = answered_at(answer)
            yield from ({**item, "SeenAt": seen_at} for item in answer.get(key, ()))
            before, token = token, answer.get("NextToken")
            if not token:
                return
            if token == before:
                break
        raise ProviderError(ProviderErrorKind.TRANSIENT, f"EC2's pages of {action} do not end")

    def change(self, action: str, call: Call, **parameters: Any) -> dict[str, Any]:
        """One mutation; the fence is asked directly before each time that it is sent."""
        kind = "run" if action == "RunInstances" else "change"
        return self._paced(action, kind, parameters, _CHANGE_PATIENCE, call.sleep, call.guard)

    def _paced(
        self,
        action: str,
        kind: str,
        parameters: dict[str, Any],
        patience: float,
        sleep: Callable[[float], None],
        before: Callable[[], None] | None,
    ) -> dict[str, Any]:
        pace, deadline = self._paces[kind], time.monotonic() + patience
        method = getattr(self._ec2, _snake(action))
        while True:
            pace.wait(deadline - time.monotonic(), sleep)
            if before is not None:
                before()
            try:
                answer = self._call(action, method, parameters)
            except ProviderError as error:
                if error.kind is not ProviderErrorKind.THROTTLED:
                    raise
                pace.throttled()
                error.retry_after = max(1.0, 1 / pace.per_second)
                if time.monotonic() >= deadline:
                    raise
            else:
                pace.answered()
                return answer

    def _call(self, action: str, method: Callable[..., Any], parameters: dict[str, Any]) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = method(**parameters)
        except (ClientError, BotoCoreError) as error:
            raise translate(action, error) from None
        return answer


def _session(options: Options) -> boto3.Session:
    core = botocore.session.Session()
    core.register_component("data_loader", _descriptions())
    return boto3.Session(region_name=options.region, botocore_session=core)


def _configured(session: boto3.Session) -> tuple[str | None, Any]:
    """Region and credentials as the SDK finds them; a profile that it cannot read has neither."""
    try:
        region: str | None = session.region_name
        return region, None if region is None else session.get_credentials()
    except BotoCoreError as error:
        raise Unconfigured(
            f"the AWS configuration of this worker cannot be used ({type(error).__name__})"
        ) from None


@cache
def _descriptions() -> Any:
    """The SDK's description of EC2's API: to read it takes 0.2 s, once per process."""
    return botocore.session.Session().get_component("data_loader")


def _snake(action: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in action).lstrip("_")

"""What EC2 is told in the environment: understood, or refused with the variable's name and what is allowed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from providers.ec2 import ENTRY
from providers.ec2.options import parse_options
from providers.entry import Setup, Unconfigured

pytestmark = pytest.mark.unit


def _setup(**options: str) -> Setup:
    nowhere = Path("/nonexistent")
    return Setup(options, nowhere, nowhere, "server", "", lambda _: True)


@pytest.fixture(autouse=True)
def _nothing_of_aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("REGION", "DEFAULT_REGION", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "PROFILE"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))


def test_without_a_region_it_says_what_to_set() -> None:
    with pytest.raises(Unconfigured, match="set BERTH_EC2_REGION"):
        ENTRY.open(_setup())


def test_without_credentials_it_says_where_they_may_come_from() -> None:
    with pytest.raises(Unconfigured, match="AWS credentials: AWS_ACCESS_KEY_ID"):
        ENTRY.open(_setup(region="eu-central-1"))


def test_a_profile_that_does_not_exist_is_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    for options in ({}, {"region": "eu-central-1"}):
        with pytest.raises(Unconfigured, match="cannot be used"):
            ENTRY.open(_setup(**options))


def test_the_sdks_own_region_and_credentials_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "y")
    provider = ENTRY.open(_setup())
    assert (provider.consistency_seconds, provider.poll_seconds) == (15.0, 5.0)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("security_group", "sg-1", "BERTH_EC2_SECURITY_GROUP is no setting"),
        ("subnets", "a", "BERTH_EC2_SUBNETS must read zone=subnet"),
        ("disk_gb", "0", "BERTH_EC2_DISK_GB must be a whole number"),
        ("poll_seconds", "soon", "BERTH_EC2_POLL_SECONDS must be seconds from 0.05 to 300"),
        ("client_tokens", "maybe", "BERTH_EC2_CLIENT_TOKENS must be true or false"),
    ],
)
def test_a_setting_that_cannot_be_understood_is_named(name: str, value: str, says: str) -> None:
    with pytest.raises(Unconfigured, match=re.escape(says)):
        parse_options({name: value})


def test_a_zone_without_its_subnet_is_refused() -> None:
    with pytest.raises(Unconfigured, match="no subnet for the zone b"):
        parse_options({"zones": "a,b", "subnets": "a=subnet-1"})


def test_the_subnets_zones_are_the_order_where_none_is_given() -> None:
    options = parse_options({"subnets": "b = subnet-2, a=subnet-1", "zones": " "})
    assert options.zone_order == ("b", "a")
    assert dict(options.subnets) == {"a": "subnet-1", "b": "subnet-2"}


def test_every_setting_is_in_the_documentation() -> None:
    page = (Path(__file__).parents[2] / "docs/ec2.md").read_text()
    for name in parse_options({}).__dataclass_fields__:
        assert f"_{name.upper()}" in page


def test_the_entry_loads_no_sdk() -> None:
    code = "import sys, providers.ec2; sys.exit('boto3' in sys.modules or 'botocore' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0

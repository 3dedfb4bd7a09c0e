"""What the settings say about the way to Temporal reaches the client, through a TLS door before a real one."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import SecretStr
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import TLSConfig

from embedded.shell import way_to_temporal
from settings import Settings
from tests.support.temporal import TemporalServer
from transport import Transport, TransportError, transport
from workflows.connection import connect

SERVER_NAME = "temporal.test"
API_KEY = "a" * 24


@dataclass(frozen=True)
class Signed:
    """A certificate in files, as an operator has it."""

    certificate: Path
    key: Path


class Authority:
    """Signs what the tests need; `ca` is its own certificate."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.ca = self.signed("authority", self._key, is_ca=True).certificate

    def signed(self, name: str, key: ec.EllipticCurvePrivateKey | None = None, *, is_ca: bool = False) -> Signed:
        key = key or ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        body = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "authority")]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        )
        made = Signed(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        made.certificate.write_bytes(
            body.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        )
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        made.key.write_bytes(key.private_bytes(*form))
        return made


@dataclass
class Door:
    """TLS before a Temporal that has none; whoever has no certificate of ours is turned away."""

    upstream: str
    context: ssl.SSLContext
    address: str = ""
    clients: list[str] = field(default_factory=list)
    asked_for: list[str] = field(default_factory=list)
    sent: bytearray = field(default_factory=bytearray)

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        certificate = writer.get_extra_info("peercert")
        self.clients += [value for part in certificate["subject"] for _, value in part]
        host, _, port = self.upstream.rpartition(":")
        inner_reader, inner_writer = await asyncio.open_connection(host, int(port))
        await asyncio.gather(
            _copy(reader, inner_writer, self.sent),
            _copy(inner_reader, writer, bytearray()),
            return_exceptions=True,
        )


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter, kept: bytearray) -> None:
    try:
        while data := await source.read(65536):
            kept += data
            target.write(data)
            await target.drain()
    finally:
        target.close()


@asynccontextmanager
async def door(upstream: str, authority: Authority) -> AsyncIterator[Door]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own = authority.signed(SERVER_NAME)
    context.load_cert_chain(own.certificate, own.key)
    context.load_verify_locations(authority.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    context.set_alpn_protocols(["h2"])
    made = Door(upstream, context)
    context.sni_callback = lambda _socket, name, _context: made.asked_for.append(name)
    server = await asyncio.start_server(made.pass_on, "127.0.0.1", 0, ssl=context)
    made.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        server.close()


async def describes(address: str, way: Transport) -> bool:
    """Whether a call gets through."""
    client = await connect(address, "berth-0", lazy=True, tls=way.tls, api_key=way.api_key)
    try:
        request = DescribeNamespaceRequest(namespace="berth-0")
        await client.workflow_service.describe_namespace(request, timeout=timedelta(seconds=30))
    except RuntimeError:  # the connection; the SDK raises nothing more exact
        return False
    return True


def bearer(key: str) -> bytes:
    """How HTTP/2 sends `Bearer KEY` (RFC 7541, appendix B); the key of the tests has one letter only."""
    codes = {"B": "1011101", "e": "00101", "a": "00011", "r": "101100", " ": "010100"}
    bits = "".join(codes[letter] for letter in f"Bearer {key}")
    bits += "1" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def let_in(authority: Authority) -> Settings:
    """Of somebody whom the door of this authority lets through."""
    ours = authority.signed("berth")
    return Settings(
        temporal_tls_ca=authority.ca,
        temporal_tls_cert=ours.certificate,
        temporal_tls_key=ours.key,
        temporal_tls_server_name=SERVER_NAME,
        temporal_api_key=SecretStr(API_KEY),
    )


@pytest.mark.servers
async def test_a_certificate_a_server_name_and_a_key_get_through_a_door_that_asks_for_them(
    temporal_server: TemporalServer, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    settings = let_in(authority)
    async with door(temporal_server.address, authority) as before:
        assert await describes(before.address, transport(settings))
        assert set(before.clients) == {"berth"}
        assert set(before.asked_for) == {SERVER_NAME}
        assert bearer(API_KEY) in before.sent


@pytest.mark.servers
async def test_the_temporal_program_gets_through_it_with_what_berth_env_exports(
    temporal_server: TemporalServer, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    settings = let_in(authority)
    async with door(temporal_server.address, authority) as before:
        known = {"HOME": str(tmp_path), "TEMPORAL_ADDRESS": before.address, "TEMPORAL_NAMESPACE": "berth-0"}
        asked = await asyncio.create_subprocess_exec(
            *(str(temporal_server.program), "workflow", "count"),
            env=known | way_to_temporal(settings),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await asyncio.wait_for(asked.communicate(), 90)
        assert (asked.returncode, b"Total" in said) == (0, True), said.decode()
        assert bearer(API_KEY) in before.sent
    assert way_to_temporal(Settings()) == {}


@pytest.mark.servers
@pytest.mark.parametrize("wrong", ["no certificate", "in clear", "a stranger's authority", "another name"])
async def test_without_any_one_of_them_nobody_gets_through(
    temporal_server: TemporalServer, tmp_path: Path, wrong: str
) -> None:
    authority = Authority(tmp_path)
    (tmp_path / "stranger").mkdir()
    stranger = Authority(tmp_path / "stranger")
    ours = authority.signed("berth")
    given = {
        "temporal_tls_ca": stranger.ca if wrong == "a stranger's authority" else authority.ca,
        "temporal_tls_server_name": "other.test" if wrong == "another name" else SERVER_NAME,
    }
    if wrong != "no certificate":
        given |= {"temporal_tls_cert": ours.certificate, "temporal_tls_key": ours.key}
    way = Transport() if wrong == "in clear" else transport(Settings.model_validate(given))
    async with door(temporal_server.address, authority) as before:
        assert not await describes(before.address, way)
        assert before.sent == b""


@pytest.mark.unit
def test_with_nothing_set_it_speaks_in_clear_and_any_setting_turns_tls_on() -> None:
    assert transport(Settings()) == Transport()
    for given in (
        {"temporal_tls": True},
        {"temporal_api_key": API_KEY},
        {"temporal_tls_server_name": SERVER_NAME},
    ):
        assert isinstance(transport(Settings.model_validate(given)).tls, TLSConfig)


@pytest.mark.unit
def test_what_cannot_be_used_is_refused_by_the_name_of_its_variable(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no certificate")
    for given, text in (
        (
            {"temporal_tls_cert": tmp_path / "text"},
            "BERTH_TEMPORAL_TLS_CERT and BERTH_TEMPORAL_TLS_KEY are one pair",
        ),
        ({"temporal_tls_ca": tmp_path / "none"}, "BERTH_TEMPORAL_TLS_CA=.* cannot be read: No such file"),
        ({"temporal_tls_ca": tmp_path / "text"}, "BERTH_TEMPORAL_TLS_CA=.* is not a PEM file"),
    ):
        with pytest.raises(TransportError, match=text):
            transport(Settings.model_validate(given))

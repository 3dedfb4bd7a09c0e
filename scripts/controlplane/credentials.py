"""Certificates, keys, tokens and kubeconfigs of one control plane, in its own folder, for its owner alone."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LIFE = datetime.timedelta(days=30)
_ADMIN_GROUP = "system:masters"


@dataclass(frozen=True)
class Credentials:
    """Where everything lies. Loopback certificates for servers and clients alike, one authority."""

    folder: Path

    @property
    def authority(self) -> Path:
        return self.folder / "ca.crt"

    @property
    def certificate(self) -> Path:
        return self.folder / "server.crt"

    @property
    def key(self) -> Path:
        return self.folder / "server.key"

    @property
    def accounts_key(self) -> Path:
        return self.folder / "accounts.key"

    @property
    def tokens(self) -> Path:
        return self.folder / "tokens.csv"

    @property
    def admin_kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"


def make_credentials(folder: Path, server: str) -> Credentials:
    """Write them all. `server` is the API server's URL."""
    made = Credentials(folder)
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _certificate("berth-test-authority", authority_key, None, authority_key)
    key = ec.generate_private_key(ec.SECP256R1())
    _write(made.authority, _pem(authority))
    _write(made.certificate, _pem(_certificate("berth-test", key, authority, authority_key)))
    _write(made.key, _key_pem(key))
    _write(made.accounts_key, _key_pem(ec.generate_private_key(ec.SECP256R1())))
    token = secrets.token_urlsafe(24)
    _write(made.tokens, f'{token},admin,admin,"{_ADMIN_GROUP}"\n')
    _write(made.admin_kubeconfig, kubeconfig(server, made.authority, token))
    return made


def kubeconfig(server: str, authority: Path, token: str, namespace: str | None = None) -> str:
    """The text of a kubeconfig that reaches `server` with `token`."""
    data = base64.b64encode(authority.read_bytes()).decode()
    context = {"cluster": "berth-test", "user": "berth-test"} | ({"namespace": namespace} if namespace else {})
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": "berth-test", "cluster": {"server": server, "certificate-authority-data": data}}
            ],
            "users": [{"name": "berth-test", "user": {"token": token}}],
            "contexts": [{"name": "berth-test", "context": context}],
            "current-context": "berth-test",
        }
    )


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Certificate | None,
    issuer_key: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + _LIFE)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .add_extension(_usage(authority=issuer is None), critical=True)
    )
    if issuer is not None:
        loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = builder.add_extension(
            x509.SubjectAlternativeName([loopback, x509.DNSName("localhost")]), critical=False
        ).add_extension(x509.ExtendedKeyUsage(both), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    ).decode()


def _write(path: Path, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)

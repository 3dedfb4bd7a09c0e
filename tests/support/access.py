"""People and programs with roles: API tokens of the administrator, and a real little OpenID Connect issuer."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2
import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from tests.support.api import Api, http_client

_NUMBERS = itertools.count(1)
_FORMS: dict[str, Any] = {"RS256": RSAAlgorithm, "ES256": ECAlgorithm, "EdDSA": OKPAlgorithm}


def new_token(api: Api, role: str, project: str = "default", seconds: int = 3600) -> dict[str, Any]:
    """An API token, as the administrator sees it once."""
    body = {"name": f"t-{next(_NUMBERS)}", "role": role, "project": project, "expires_in_seconds": seconds}
    answer = api.ask("POST", "/tokens", body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


@contextmanager
def bearing(api: Api, token: str | None, **headers: str) -> Iterator[httpx2.Client]:
    """A client that shows `token`."""
    shown = {"Authorization": f"Bearer {token}"} if token is not None else {}
    with http_client(api.url, {**shown, **headers}) as client:
        yield client


@contextmanager
def in_role(api: Api, role: str, project: str = "default") -> Iterator[Api]:
    """The same API, asked by somebody with that role in that project."""
    with bearing(api, new_token(api, role, project)["token"]) as client:
        yield Api(api.url, api.database, api.vault, client, api.names)


@dataclass
class Key:
    """One key of the issuer."""

    id: str
    algorithm: str
    private: Any

    @property
    def public(self) -> dict[str, Any]:
        form = json.loads(_FORMS[self.algorithm].to_jwk(self.private.public_key()))
        return {**form, "kid": self.id, "use": "sig", "alg": self.algorithm}


def new_key(algorithm: str = "RS256") -> Key:
    private: Any = {
        "RS256": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
        "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate,
    }[algorithm]()
    return Key(f"key-{next(_NUMBERS)}", algorithm, private)


@dataclass
class Issuer:
    """Signs tokens, serves its public keys, counts who fetches them."""

    url: str = ""
    keys: list[Key] = field(default_factory=list)
    fetched: int = 0
    down: bool = False
    redirect_to: str | None = None

    def token(self, key: Key | None = None, **claims: Any) -> str:
        """A good token, but for what `claims` changes (None: leave the claim out)."""
        key, now = key or self.keys[-1], int(time.time())
        good = {"iss": self.url, "aud": "berth", "sub": "ann", "exp": now + 600, "nbf": now, "roles": ["operator"]}
        good |= {"projects": ["default"]}
        wanted = {name: value for name, value in {**good, **claims}.items() if value is not None}
        return jwt.encode(wanted, key.private, algorithm=key.algorithm, headers={"kid": key.id})

    def answer(self, path: str) -> tuple[int, dict[str, Any]]:
        if self.down:
            return 503, {}
        if path == "/.well-known/openid-configuration":
            return 200, {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        self.fetched += 1
        return 200, {"keys": [key.public for key in self.keys]}


@contextmanager
def running_issuer() -> Iterator[Issuer]:
    """An issuer on a free port of the loopback."""
    issuer = Issuer(keys=[new_key()])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, form = issuer.answer(self.path)
            if issuer.redirect_to is not None and self.path == "/keys":
                status = 302
            body = json.dumps(form).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if status == 302:
                self.send_header("Location", issuer.redirect_to or "")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, name="issuer")
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()
        thread.join(60)

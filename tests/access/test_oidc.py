"""Tokens of a real OpenID Connect issuer: what is believed, what is not, and how its keys change."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import jwt
import pytest

from api.gate import oidc
from settings import Settings
from tests.support.access import Issuer, Key, bearing, new_key, running_issuer
from tests.support.api import TOKEN, Api, running_api
from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with running_issuer() as running:
        yield running


@pytest.fixture(scope="module")
def api(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer, issuer: Issuer
) -> Iterator[Api]:
    folder, url = tmp_path_factory.mktemp("oidc"), postgres_server.new_database()
    with running_api(
        folder, url, oidc_issuer=issuer.url, oidc_roles="operator=operator,boss=admin,bot=service"
    ) as a:
        yield a


def me(api: Api, token: str, **headers: str) -> httpx2.Response:
    with bearing(api, token, **headers) as client:
        return client.get("/api/v1/me")


@pytest.fixture(autouse=True)
def _calm(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The issuer is well, and may be asked again at once."""
    monkeypatch.setattr(oidc, "COOLDOWN_SECONDS", 0.0)
    yield
    issuer.down, issuer.redirect_to = False, None


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_a_good_token_is_believed_whatever_it_is_signed_with(api: Api, issuer: Issuer, algorithm: str) -> None:
    key = new_key(algorithm)
    issuer.keys.append(key)

    answer = me(api, issuer.token(key))

    form = answer.json()
    assert (form["principal"], form["kind"], form["role"], form["project"]) == (
        "user:ann",
        "oidc",
        "operator",
        "default",
    )
    assert form["expires_at"] is not None


def _hour_ago() -> int:
    return int(time.time()) - 3600


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "http://127.0.0.1:1"},
        {"iss": None},
        {"aud": "somebody-else"},
        {"aud": None},
        {"exp": 1},
        {"exp": None},
        {"exp": "soon"},
        {"nbf": 2**33},
        {"exp": 10**40},
    ],
    ids=str,
)
def test_a_token_with_a_wrong_claim_is_not_believed(api: Api, issuer: Issuer, claims: dict[str, Any]) -> None:
    answer = me(api, issuer.token(**claims))
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].endswith('error="invalid_token"')


def test_clocks_may_differ_by_a_minute(api: Api, issuer: Issuer) -> None:
    now = int(time.time())
    assert me(api, issuer.token(exp=now - 30)).status_code == 200
    assert me(api, issuer.token(nbf=now + 30)).status_code == 200
    assert me(api, issuer.token(exp=now - 90)).status_code == 401


def _part(form: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(form).encode()).decode().rstrip("=")


def _forged(issuer: Issuer, header: dict[str, Any], signature: str = "") -> str:
    _, claims, good = issuer.token().split(".")
    return f"{_part(header)}.{claims}.{signature or good}"


def test_signatures_of_others_are_not_believed(api: Api, issuer: Issuer) -> None:
    kid = issuer.keys[-1].id
    stranger = new_key()
    as_ours = Key(kid, stranger.algorithm, stranger.private)
    public = json.dumps(issuer.keys[0].public).encode()
    with_public = jwt.encode({"sub": "x"}, public + b"0" * 32, algorithm="HS256", headers={"kid": kid})
    forged = [
        issuer.token(stranger),
        issuer.token(as_ours),
        with_public,
        _forged(issuer, {"alg": "none", "kid": kid}),
        _forged(issuer, {"alg": "HS256", "kid": kid}),
        _forged(issuer, {"alg": "RS512", "kid": kid}),
        _forged(issuer, {"alg": "RS256"}),
        _forged(issuer, {"alg": ["RS256"], "kid": kid}),
        _forged(issuer, {"alg": {"a": 1}, "kid": kid}),
        _forged(issuer, {"alg": "RS256", "kid": 5}),
        _forged(issuer, {"alg": "RS256", "kid": "../../etc/passwd"}),
        _forged(issuer, {"alg": "RS256", "kid": kid, "jku": "http://127.0.0.1:1/keys"}),
        _forged(issuer, {"alg": "RS256", "kid": kid, "crit": ["exp"]}),
        _forged(issuer, {"alg": "ES256", "kid": issuer.keys[0].id}),
        issuer.token()[:-4] + "AAAA",
        "a.b.c",
        "....",
    ]
    assert [me(api, token).status_code for token in forged] == [401] * len(forged)


@pytest.mark.parametrize(
    "claims",
    [
        {"roles": None},
        {"roles": ["nothing"]},
        {"roles": 7},
        {"projects": None},
        {"projects": ["../x"]},
        {"sub": "a\nb"},
    ],
    ids=str,
)
def test_somebody_without_role_or_project_is_known_and_may_nothing(
    api: Api, issuer: Issuer, claims: dict[str, Any]
) -> None:
    answer = me(api, issuer.token(**claims))
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_the_strongest_role_counts_and_administrators_may_choose_any_project(api: Api, issuer: Issuer) -> None:
    token = issuer.token(roles=["operator", "boss"], projects=None)
    assert me(api, token).json()["role"] == "admin"
    assert me(api, token, **{"Berth-Project": "anywhere"}).json()["project"] == "anywhere"


def test_others_may_choose_among_their_own_projects_only(api: Api, issuer: Issuer) -> None:
    token = issuer.token(projects=["red", "blue"])
    assert me(api, token).json()["project"] == "red"
    assert me(api, token, **{"Berth-Project": "blue"}).json()["project"] == "blue"
    assert me(api, token, **{"Berth-Project": "green"}).status_code == 403


def test_a_new_key_is_found_by_one_look_and_an_unknown_one_does_not_make_many(
    api: Api, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert me(api, issuer.token()).status_code == 200
    issuer.keys = [new_key()]  # rotation: the old key is gone
    assert me(api, issuer.token()).status_code == 200

    monkeypatch.setattr(oidc, "COOLDOWN_SECONDS", 30.0)
    before = issuer.fetched
    for _ in range(5):
        assert me(api, issuer.token(new_key())).status_code == 401
    assert issuer.fetched - before <= 1


def test_known_keys_go_on_while_the_issuer_is_away(
    api: Api, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert me(api, issuer.token()).status_code == 200
    monkeypatch.setattr(oidc, "FRESH_SECONDS", 0.0)
    issuer.down = True
    assert me(api, issuer.token()).status_code == 200
    monkeypatch.setattr(oidc, "STALE_SECONDS", 0.0)
    answer = me(api, issuer.token())
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")


def test_a_redirect_of_the_issuer_is_not_followed(
    api: Api, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer.redirect_to = f"{issuer.url}/elsewhere"
    before = issuer.fetched
    key = new_key()
    issuer.keys.append(key)
    assert me(api, issuer.token(key)).status_code == 401
    assert issuer.fetched - before == 1  # the keys themselves were asked for once, the redirect's target never
    issuer.keys.remove(key)


def test_the_installations_own_token_counts_on_its_own_machine_only(api: Api) -> None:
    assert me(api, TOKEN).status_code == 200
    assert me(api, TOKEN, **{"X-Forwarded-For": "203.0.113.9"}).status_code == 401
    assert me(api, TOKEN, Forwarded="for=203.0.113.9").status_code == 401


def test_a_claim_may_lie_inside_an_object() -> None:
    claims = oidc.Claims("sub", "realm_access.roles", oidc._roles("boss=admin"), "")
    caller = claims.caller({"sub": "ann", "realm_access": {"roles": ["boss"]}, "exp": 1})
    assert (caller.role.value, caller.project) == ("admin", "default")


@pytest.mark.parametrize("url", ["http://issuer.example", "ftp://x", "https://a b", "file:///etc/passwd"])
def test_an_issuer_without_tls_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(ValueError, match="oidc_issuer"):
        Settings(oidc_issuer=url)

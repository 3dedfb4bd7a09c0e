"""The web interface as the API serves it: without a token, closed to everything that is not its own."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

import pytest

from tests.support.api import Api, running_api
from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.servers
NOBODY = {"Authorization": ""}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Iterator[Api]:
    folder = tmp_path_factory.mktemp("ui")
    (folder / "assets").mkdir()
    (folder / "index.html").write_text("<!doctype html><title>Berth</title>")
    (folder / "assets" / "app-1a2b.js").write_text("export {};")
    (folder / "assets" / "app-1a2b.js.gz").write_bytes(gzip.compress(b"export {};"))
    (folder / "assets" / "small-3c4d.js").write_text("export {};")
    (folder.parent / "token").write_text("outside")
    database = postgres_server.new_database()
    with running_api(tmp_path_factory.mktemp("api"), database, ui_dir=folder) as api:
        yield api


@pytest.mark.parametrize(
    "path", ["/ui/", "/ui/instances/shop", "/ui/instances/x.y", "/ui/operations?status=failed"]
)
def test_every_address_of_the_interface_is_its_one_page_and_needs_no_token(served: Api, path: str) -> None:
    answer = served.client.get(path, headers=NOBODY)
    assert (answer.status_code, "<title>Berth</title>" in answer.text) == (200, True)
    policy = answer.headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["Cache-Control"] == "no-cache"


def test_files_named_by_their_content_are_kept_for_ever(served: Api) -> None:
    answer = served.client.get("/ui/assets/app-1a2b.js", headers=NOBODY)
    assert answer.status_code == 200
    assert "immutable" in answer.headers["Cache-Control"]
    assert served.client.get("/ui/assets/gone-0.js", headers=NOBODY).status_code == 404


@pytest.mark.parametrize(
    ("name", "wanted", "packed"),
    [("app-1a2b.js", "gzip, br", "gzip"), ("app-1a2b.js", "identity", None), ("small-3c4d.js", "gzip", None)],
)
def test_what_the_build_packed_is_sent_packed_to_who_can_unpack_it(
    served: Api, name: str, wanted: str, packed: str | None
) -> None:
    answer = served.client.get(f"/ui/assets/{name}", headers={**NOBODY, "Accept-Encoding": wanted})
    assert (answer.status_code, answer.text) == (200, "export {};")
    assert answer.headers.get("Content-Encoding") == packed
    assert answer.headers["Content-Type"].startswith("text/javascript")
    assert (answer.headers["Vary"], "immutable" in answer.headers["Cache-Control"]) == ("Accept-Encoding", True)


def test_an_address_that_no_file_can_have_is_not_found(served: Api) -> None:
    answer = served.client.get("/ui/operations/%00", headers=NOBODY | {"Accept-Encoding": "gzip"})
    assert answer.status_code == 404


@pytest.mark.parametrize("path", ["/ui/../token", "/ui/%2e%2e/token", "/ui/..%2ftoken", "/ui//etc/passwd"])
def test_nothing_outside_the_folder_is_served(served: Api, path: str) -> None:
    answer = served.client.get(path, headers=NOBODY)
    assert "outside" not in answer.text
    assert "root:" not in answer.text


def test_the_root_leads_to_the_interface_and_everything_else_still_needs_the_token(served: Api) -> None:
    answer = served.client.get("/", headers=NOBODY, follow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (307, "/ui/")
    assert served.client.get("/api/v1/instances", headers=NOBODY).status_code == 401
    assert served.client.get("/uix", headers=NOBODY).status_code == 401

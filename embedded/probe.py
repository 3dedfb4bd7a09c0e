"""Ask the API of a running Berth, over HTTP as everybody does. Called by the supervisor and the local commands."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

_SECONDS = 5.0
"""A busy machine takes a while to answer; what is cut off is asked anew, and makes it busier."""


def is_ready(url: str) -> bool:
    return _ask(url, "GET", "/readyz")[0] == http.client.OK


def complaint(url: str) -> str | None:
    """What /readyz objects to; None when nobody answers."""
    status, body = _ask(url, "GET", "/readyz?verbose=true")
    if status in (0, http.client.OK):
        return None
    return f"/readyz says {status}: {' '.join(body.split())[:600]}"


def pages(url: str, token_file: Path) -> dict[str, str]:
    """What a browser can open here, by its title; the API itself where there is no page."""
    found = {}
    if _ask(url, "GET", "/ui/")[0] == http.client.OK:
        found["Open"] = _login_url(url, token_file)
    else:
        found["API"] = f"{url}/api/v1"
    return found


def providers(url: str, token_file: Path) -> list[dict[str, Any]]:
    """Where instances can live, each with the reason where not; empty when nobody answers."""
    status, body = _ask(url, "GET", "/api/v1/providers", _authorized(token_file))
    try:
        return list(json.loads(body)["items"]) if status == http.client.OK else []
    except (ValueError, KeyError, TypeError):
        return []


def _authorized(token_file: Path) -> dict[str, str]:
    return {"Authorization": f"Bearer {token_file.read_text().strip()}"}


def _login_url(url: str, token_file: Path) -> str:
    """The UI, with a one-time code in the fragment: a fragment reaches no server and no log."""
    headers = {**_authorized(token_file), "Content-Type": "application/json"}
    status, body = _ask(url, "POST", "/api/v1/login-codes", headers)
    try:
        code = json.loads(body)["code"] if status in (http.client.OK, http.client.CREATED) else None
    except (ValueError, KeyError, TypeError):
        code = None
    return f"{url}/ui/#code={code}" if code else f"{url}/ui/"


def _ask(url: str, method: str, path: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
    """Status and body; status 0 when nobody answers in time."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=_SECONDS)
    try:
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read(65536).decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return 0, ""
    finally:
        connection.close()

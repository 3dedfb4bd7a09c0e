"""The web interface: files that were built before, served as they are, with the headers that keep it closed.

Every path below /ui/ that is no file is the one page: the interface reads the rest of the address itself. What the
build packed beside a file goes to the browsers that can unpack it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from api.gate.middleware import UI

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_FOR_EVER = "public, max-age=31536000, immutable"


class _Pages(StaticFiles):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":  # there is none below the interface's pages
            await send({"type": "websocket.close", "code": 4404})
            return
        await super().__call__(scope, receive, send)

    async def get_response(self, path: str, scope: Scope) -> Response:
        if "\0" in path:  # no file system has such a name, and ours says so by an exception
            raise HTTPException(404)
        try:
            answer = await self._packed(path, scope) or await super().get_response(path, scope)
        except HTTPException as error:
            if error.status_code != 404 or path.startswith("assets/"):
                raise
            answer = await super().get_response("index.html", scope)
        answer.headers.update(_HEADERS)
        named_by_content = path.startswith("assets/") and answer.status_code == 200
        answer.headers["Cache-Control"] = _FOR_EVER if named_by_content else "no-cache"
        answer.headers["Vary"] = "Accept-Encoding"
        return answer

    async def _packed(self, path: str, scope: Scope) -> Response | None:
        packed = f"{path}.gz"
        if "gzip" not in Headers(scope=scope).get("accept-encoding", ""):
            return None
        if (await run_in_threadpool(self.lookup_path, packed))[1] is None:
            return None
        answer = await super().get_response(packed, scope)
        answer.headers["Content-Encoding"] = "gzip"
        return answer


def install(app: FastAPI, folder: Path) -> None:
    """Serve the interface from `folder`, where it has been built."""
    if (folder / "index.html").is_file():
        app.mount(UI, _Pages(directory=folder, html=True))
        app.add_route("/", _to_ui, include_in_schema=False)


async def _to_ui(_request: Request, **_: Any) -> Response:
    return RedirectResponse(f"{UI}/")

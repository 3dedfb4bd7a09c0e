"""The API's composition root: settings → database, keys, Temporal client, wake-ups → routes.

`uvicorn --factory api.app:create_app`, `python -m api`, or a child of `berth up`. Nothing happens at import.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import FrameType

import structlog
from fastapi import Depends, FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from api import docs, errors, pages
from api.access import guard
from api.asks import Asks
from api.bounds import BoundsNow, limits_in
from api.exposition import RecordFamilies
from api.gate.middleware import Gate
from api.gate.oidc import Issuer
from api.gate.rates import Rates
from api.gate.signed import signatures
from api.gate.trail import Trail
from api.gate.trust import Trust, check_settings
from api.health import Readiness
from api.live.connections import Connections
from api.live.feed import Feed
from api.live.records import Records
from api.live.wakeups import Wakeups
from api.parts import CountCache, Parts
from api.routes import ALIASES, PREFIX, ROUTERS, methods_of, stream
from api.watch import Meters, Watch
from db.direct import direct
from db.session import open_database
from db.vault import Vault
from domain.help import ERRORS_PAGE, errors_page
from observability import API, configure_logging, tracing
from services.forms.validation import Rules
from services.views.common import TemporalLinks
from services.views.deployments import DeploymentForms
from services.views.instances import InstanceForms
from services.views.operations import OperationForms
from services.views.usual import UsualTimes
from settings import Settings
from system.tracing import NAME
from transport import transport
from workflows.connection import connect

log = structlog.get_logger("api")
_POOL = 20
_DRAIN_SECONDS = 0.3
"""On SIGTERM: not ready for this long before the listening ends, so that whoever balances looks elsewhere."""


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application. Connects to nothing until it starts."""
    known = settings or Settings()
    if settings is None:
        configure_logging(known.log_level, known.log_form)
    app = FastAPI(
        title="Berth",
        version=docs.VERSION,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lambda app: _life(app, known),
    )
    check_settings(known)
    app.state.trust = _trust(known, lambda token_id: _used(app, token_id))
    app.add_middleware(Gate, trust=app.state.trust)
    app.state.meters = Meters()
    app.add_middleware(Watch, meters=app.state.meters)
    if known.trusted_proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=known.trusted_proxies)
    errors.install(app, methods_of)
    guarded = [Depends(guard)]
    for router in ROUTERS:
        app.include_router(router, prefix=PREFIX, dependencies=guarded)
    for prefix, router in ALIASES:
        app.include_router(router, prefix=prefix, include_in_schema=False, dependencies=guarded)
    for prefix in ("", PREFIX):
        app.include_router(stream.sockets, prefix=prefix)
    pages.install(app, known.ui_dir)
    app.add_route(f"{PREFIX}/openapi.json", _openapi, include_in_schema=False)
    app.add_route(ERRORS_PAGE, _errors_page, include_in_schema=False)
    return app


def _trust(settings: Settings, used: Callable[[str], None]) -> Trust:
    """The installation's token is read once; a missing one is a reason not to start."""
    token = (settings.data_dir / "token").read_text().strip()
    if not token:
        raise RuntimeError(f"{settings.data_dir / 'token'} is empty; it must hold the API's token")
    names = {settings.api_host, *(name.strip() for name in settings.allowed_hosts.split(","))}
    mode = settings.access_mode
    issuer = Issuer(settings) if mode == "oidc" else None
    return Trust(token, frozenset(names - {""}), mode, issuer, used)


def _used(app: FastAPI, token_id: str) -> None:
    parts: Parts = app.state.parts
    parts.trail.used(token_id)


def _life(app: FastAPI, settings: Settings) -> AbstractAsyncContextManager[None]:
    @asynccontextmanager
    async def life() -> AsyncIterator[None]:
        parts = await _compose(settings)
        app.state.parts = parts
        traces = tracing(settings, parts.database, API)
        app.state.tracer = traces.get_tracer(NAME)
        parts.trail.start()
        parts.wakeups.start()
        parts.feed.start()
        restore = _drain_on_sigterm(parts)
        try:
            yield
        finally:
            parts.readiness.draining = True
            restore()
            parts.wakeups.release()
            parts.connections.close()
            await parts.feed.close()
            await asyncio.to_thread(traces.shutdown)
            await asyncio.to_thread(_close, parts)

    return life()


async def _compose(settings: Settings) -> Parts:
    """Build the parts. Neither the database nor Temporal has to answer yet."""
    database = open_database(settings.database_url, pool_size=_POOL)
    vault = Vault.open(settings.data_dir / "keys")
    signatures(settings.billing_secrets)  # one that cannot verify anything is a reason not to start
    way = transport(settings)
    address, namespace = settings.temporal_address, settings.temporal_namespace
    client = await connect(address, namespace, lazy=True, tls=way.tls, api_key=way.api_key)
    links = TemporalLinks(settings.temporal_ui_url, settings.temporal_namespace)
    operations = OperationForms(links, UsualTimes())
    instances = InstanceForms(operations)
    wakeups = Wakeups(direct(database.engine, "berth-api-wakeups"))
    feed = Feed(database, wakeups, Records(database, instances))
    asks = Asks(client, vault, asyncio.get_running_loop())
    return Parts(
        settings=settings,
        database=database,
        vault=vault,
        rules=Rules(settings.local_mode),
        instances=instances,
        deployments=DeploymentForms(instances),
        operations=operations,
        wakeups=wakeups,
        feed=feed,
        asks=asks,
        counts=CountCache(),
        bounds=BoundsNow(settings),
        connections=Connections(database, limits_in(settings), asyncio.get_running_loop()),
        rates=Rates(database, settings),
        trail=Trail(database),
        readiness=Readiness(database, vault, asks),
        families=RecordFamilies(database, feed),
    )


def _close(parts: Parts) -> None:
    parts.connections.forget()
    parts.trail.close()
    parts.wakeups.close()
    parts.counts.close()
    parts.database.engine.dispose()


def _drain_on_sigterm(parts: Parts) -> Callable[[], None]:
    """Turn `/readyz` red and let waiting requests go, before the server's own handler stops the listening."""
    if threading.current_thread() is not threading.main_thread():
        return lambda: None
    loop = asyncio.get_running_loop()
    before = signal.getsignal(signal.SIGTERM)

    def on_sigterm(number: int, frame: FrameType | None) -> None:
        parts.readiness.draining = True
        loop.call_soon_threadsafe(parts.wakeups.release)
        if callable(before):
            loop.call_soon_threadsafe(loop.call_later, _DRAIN_SECONDS, before, number, frame)

    def restore() -> None:
        signal.signal(signal.SIGTERM, before)

    signal.signal(signal.SIGTERM, on_sigterm)
    return restore


async def _openapi(request: Request) -> Response:
    app: FastAPI = request.app
    if app.openapi_schema is None:
        app.openapi_schema = docs.document(app)
    return JSONResponse(app.openapi_schema)


async def _errors_page(_request: Request) -> Response:
    """Where the `type` of a problem leads."""
    return HTMLResponse(errors_page())

"""The web application: its routes, and what every request passes. Knows nothing of ports and threads."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from ecgedge.errors import StoreError
from ecgedge_device.settings import WebSettings
from ecgedge_device.web import api, pages
from ecgedge_device.web.access import Access, Denied, Gate
from ecgedge_device.web.events import Broadcast
from ecgedge_device.web.failures import Failure, on_crash, on_failure, on_store_error
from ecgedge_device.web.headers import SafeHeaders
from ecgedge_device.web.rendering import FOLDER, Renderer
from ecgedge_device.web.view import AgentView, Site


async def _favicon(_request: Request) -> Response:
    return RedirectResponse("/static/icon.svg", 308)


ROUTES = (
    Route("/", pages.live),
    Route("/picture", pages.picture),
    Route("/picture", pages.send_picture, methods=["POST"]),
    Route("/take", pages.take_picture, methods=["POST"]),
    Route("/progress/{id}", pages.work),
    Route("/results", pages.history),
    Route("/results/{id}", pages.result),
    Route("/state", pages.state),
    Route("/login", pages.login),
    Route("/login", pages.log_in, methods=["POST"]),
    Route("/logout", pages.log_out, methods=["POST"]),
    Route("/api/results", api.results),
    Route("/api/results/{id}", api.result),
    Route("/api/results/{id}/files/{role}", api.result_file),
    Route("/api/results/{id}/report.pdf", api.report),
    Route("/api/pictures", api.upload, methods=["POST"]),
    Route("/api/pictures/{id}", api.picture),
    Route("/api/sources/{name}/trigger", api.trigger, methods=["POST"]),
    Route("/api/state", api.state),
    Route("/api/events", api.events),
    Route("/api/openapi.json", api.openapi),
    Route("/healthz", api.healthz),
    Route("/readyz", api.readyz),
    Route("/metrics", api.metrics),
    Route("/favicon.ico", _favicon),
    Mount("/static", StaticFiles(directory=FOLDER / "static")),
)

Handler = Callable[[Request, Any], Response | Awaitable[Response]]
_HANDLERS: Mapping[Any, Handler] = {
    Failure: on_failure,
    Denied: on_failure,
    HTTPException: on_failure,
    StoreError: on_store_error,
    Exception: on_crash,
}


def create_app(agent: AgentView) -> Starlette:
    """The application of an agent.

    Raises
    ------
    SettingsError
        [web] lets others in without token or users, or names files that are unusable.
    """
    web = agent.settings.web or WebSettings()
    access = Access(web)
    site = Site(agent, web, access, Broadcast(agent.live), Renderer(agent.settings.agent.device))

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        site.broadcast.close()

    app = Starlette(
        routes=ROUTES,
        middleware=[Middleware(SafeHeaders, tls=access.tls), Middleware(Gate, access=access)],
        exception_handlers=_HANDLERS,
        lifespan=lifespan,
    )
    app.state.site = site
    return app

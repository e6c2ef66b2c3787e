"""The HTTP door: its routes and what every request passes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from triscribe.errors import UnauthenticatedError
from triscribe.gateway.http import errors, openapi
from triscribe.gateway.http.answering import CallEndpoint, Work
from triscribe.gateway.http.audio import AudioRoutes
from triscribe.gateway.http.exchange import peer
from triscribe.gateway.http.middleware import Origins, RequestIds
from triscribe.gateway.http.models import ModelRoutes
from triscribe.service.calls import Calls
from triscribe.service.metrics import Metrics
from triscribe.service.recordings import Recordings
from triscribe.service.settings import GatewaySettings
from triscribe.service.watch import Watcher

_EXPOSED = ("x-request-id", "retry-after", "retry-after-ms", "x-should-retry")


@dataclass(frozen=True)
class HttpContext:
    """What the door stands on; `is_serving` says whether calls can be answered."""

    settings: GatewaySettings
    calls: Calls
    metrics: Metrics
    watcher: Watcher
    recordings: Recordings
    is_serving: Callable[[], bool]


def http_app(context: HttpContext, *more: BaseRoute) -> Starlette:
    """The application; `more` are further routes, such as WebSockets, behind the same middleware."""
    settings = context.settings
    audio = AudioRoutes(settings, context.watcher, context.recordings)
    models = ModelRoutes(settings, context.watcher)
    reports = _Reports(context)

    def call(path: str, verb: str, name: str, work: Work) -> Route:
        endpoint = CallEndpoint(context.calls, name, f"{verb} {path}", work, settings.idle_s)
        return Route(path, endpoint, methods=[verb])

    routes: list[BaseRoute] = [
        call("/v1/audio/transcriptions", "POST", "CreateTranscription", audio.transcribe),
        call("/v1/audio/translations", "POST", "CreateTranslation", audio.translate),
        call("/v1/models", "GET", "ListModels", models.list_models),
        call("/v1/models/{model:path}", "GET", "GetModel", models.get_model),
        Route("/health", reports.health),
        Route("/metrics", reports.metrics),
        Route("/openapi.json", reports.openapi),
        *more,
    ]
    middleware = [Middleware(RequestIds)]
    if settings.http_origins:
        middleware.append(
            Middleware(
                CORSMiddleware,
                allow_origins=settings.http_origins,
                allow_methods=("GET", "POST"),
                allow_headers=("*",),
                expose_headers=_EXPOSED,
            )
        )
    middleware.append(Middleware(Origins, allowed=settings.http_origins))
    return Starlette(routes=routes, middleware=middleware, exception_handlers={HTTPException: _unknown_route})


class _Reports:
    """What is no call: probes, Prometheus and the description of the API."""

    def __init__(self, context: HttpContext) -> None:
        self._context = context

    async def health(self, request: Request) -> Response:
        """Whether calls can be answered; asks for no token."""
        serving = self._context.is_serving()
        return JSONResponse({"status": "serving" if serving else "not serving"}, 200 if serving else 503)

    async def metrics(self, request: Request) -> Response:
        """As the metrics port, but with a token where tokens are asked for."""
        try:
            self._context.calls.caller(request.headers, peer(request.scope))
        except UnauthenticatedError as refusal:
            return errors.response(refusal)
        content, media_type = self._context.metrics.text()
        return Response(content, headers={"content-type": media_type})

    async def openapi(self, request: Request) -> Response:
        """The description of the API."""
        return JSONResponse(openapi.document())


async def _unknown_route(request: Request, error: Exception) -> Response:
    """No such route, or not with this method."""
    if not isinstance(error, HTTPException):
        raise error
    message = f"{request.method} {request.url.path}: {error.detail}"
    content = {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": "unknown_url"}}
    return JSONResponse(content, error.status_code, error.headers)

"""OpenTelemetry, where it is wanted. Only here: opentelemetry.

Spans are made by hand: the ready-made interceptors for grpc.aio take neither handlers that write to the context nor
tritonclient's streams.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from triscribe.extras import needs

SpanMaker = Callable[[str, Mapping[str, Any]], AbstractContextManager[Any]]
"""A span around a call: (full method name, or verb and route; metadata)."""


def no_spans(method: str, metadata: Mapping[str, Any]) -> AbstractContextManager[Any]:
    """No tracing."""
    return nullcontext()


def start() -> None:
    """Export spans over OTLP; OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SERVICE_NAME, ... are read by OpenTelemetry itself.

    Raises:
        MissingPackageError: the extra `tracing` is not installed.
    """
    with needs("gateway,tracing", "Tracing"):
        from opentelemetry import trace  # noqa: PLC0415 - an extra
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


@contextmanager
def server_span(method: str, metadata: Mapping[str, Any]) -> Iterator[None]:
    """A span that continues the caller's trace; an error that leaves it is noted by its type, never by its text."""
    from opentelemetry import propagate, trace  # noqa: PLC0415

    with trace.get_tracer("triscribe.gateway").start_as_current_span(
        method.removeprefix("/"),
        context=propagate.extract({key: value for key, value in metadata.items() if isinstance(value, str)}),
        kind=trace.SpanKind.SERVER,
        attributes=_attributes(method),
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield
        except BaseException as error:
            span.set_status(trace.StatusCode.ERROR, type(error).__name__)
            raise


def _attributes(method: str) -> dict[str, str]:
    """OpenTelemetry's names for what is called."""
    verb, _, route = method.partition(" ")
    if route:
        return {"http.request.method": verb, "http.route": route}
    service, _, name = method.removeprefix("/").partition("/")
    return {"rpc.system": "grpc", "rpc.service": service, "rpc.method": name}


def trace_headers() -> dict[str, str]:
    """The present trace as headers for Triton, which continues it where its own tracing is on."""
    from opentelemetry import propagate  # noqa: PLC0415

    headers: dict[str, str] = {}
    propagate.inject(headers)
    return headers

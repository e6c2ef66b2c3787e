"""What Prometheus sees of the gateway. Only here: prometheus_client."""

from __future__ import annotations

from typing import Any

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    start_http_server,
)

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
_FACTORS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)


class Metrics:
    """The gateway's metrics in a registry of their own. Labels are methods, codes and served models only."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        of_call = ("method", "model")
        self.requests = Counter(
            "triscribe_gateway_requests", "Calls that ended, by status.", (*of_call, "code"), registry=self.registry
        )
        self.seconds = Histogram(
            "triscribe_gateway_request_seconds",
            "From the first byte of a call to its end.",
            of_call,
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.queue_seconds = Histogram(
            "triscribe_gateway_queue_seconds",
            "Wait of an upload for its turn; Triton's own queue is in Triton's metrics.",
            of_call,
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.real_time_factor = Histogram(
            "triscribe_gateway_real_time_factor",
            "Seconds of work for a second of audio; not of live calls, which last as long as their audio.",
            of_call,
            buckets=_FACTORS,
            registry=self.registry,
        )
        self.final_delay_seconds = Histogram(
            "triscribe_gateway_final_delay_seconds",
            "Live calls: from the arrival of the last sample of an utterance to its final result.",
            ("model",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.audio_seconds = Counter(
            "triscribe_gateway_audio_seconds",
            "Audio received (in) and answered (out).",
            (*of_call, "direction"),
            registry=self.registry,
        )
        self.outstanding_audio_seconds = Gauge(
            "triscribe_gateway_outstanding_audio_seconds",
            "Audio received and not worked on yet, here or in the queues behind; work is text or speakers.",
            ("work",),
            registry=self.registry,
        )
        self.in_flight = Gauge("triscribe_gateway_in_flight", "Open calls.", ("method",), registry=self.registry)
        self.serving = Gauge(
            "triscribe_gateway_serving", "1 while calls can be answered.", ("part",), registry=self.registry
        )

    def text(self) -> tuple[bytes, str]:
        """What Prometheus reads, and its media type."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST

    def serve(self, host: str, port: int) -> Any:
        """Answer Prometheus; returns an object with `server_port` and `shutdown()`."""
        server, _thread = start_http_server(port, host, self.registry)
        return server

"""What happens around every call, through whatever door: identity, limits, deadline, metrics and one log line."""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar, cast

from triscribe.errors import InternalError, ServerError, ShuttingDownError
from triscribe.service.auth import TokenFile
from triscribe.service.limits import CallLimits
from triscribe.service.metrics import Metrics
from triscribe.service.refusals import as_server_error
from triscribe.service.tracing import SpanMaker, no_spans
from triscribe.tasks import first_of

logger = logging.getLogger(__name__)

T = TypeVar("T")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_DEADLINE_SLACK_S = 0.25
"""A caller's clock runs first: when its deadline passes, its cancellation arrives a little before ours would."""
WORK = ("text", "speakers")
"""What may have to be done with a second of audio."""


@dataclass
class Call:
    """One call as the metrics and the log see it; never holds text or audio.

    Attributes:
        method: the name in metrics and log.
        request_id: the caller's, or a new one.
        outstanding_s: seconds of audio that still have to be worked on, by kind of work (`WORK`).
    """

    method: str
    request_id: str
    caller: str = ""
    model: str = ""
    audio_in_s: float = 0.0
    audio_out_s: float = 0.0
    queue_s: float | None = None
    work_s: float | None = None
    draining: bool = False
    outstanding_s: Mapping[str, float] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class Arrival:
    """What a door knows of a call before its work begins.

    Attributes:
        headers: names in lower case.
        peer: who calls, where there are no tokens.
        span: full name of the method, or verb and route, for traces.
        remaining_s: seconds until the caller's deadline; None where it has none.
    """

    headers: Mapping[str, Any]
    peer: str
    span: str
    remaining_s: Callable[[], float | None]


def request_id(headers: Mapping[str, Any]) -> str:
    """The caller's `x-request-id` where it is one, else a new one."""
    given = headers.get("x-request-id", "")
    return given if isinstance(given, str) and _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


class Calls:
    """The open calls of all doors; belongs to one event loop."""

    def __init__(
        self, tokens: TokenFile | None, limits: CallLimits, metrics: Metrics, span: SpanMaker = no_spans
    ) -> None:
        self._tokens = tokens
        self._limits = limits
        self._metrics = metrics
        self._span = span
        self._open: dict[asyncio.Task[Any], Call] = {}
        for work in WORK:
            metrics.outstanding_audio_seconds.labels(work).set_function(partial(self._outstanding_s, work))

    @property
    def open_calls(self) -> int:
        """Calls being worked on."""
        return len(self._open)

    def _outstanding_s(self, work: str) -> float:
        """Summed when Prometheus asks, on its thread: a call that has ended cannot leave anything behind."""
        return sum(call.outstanding_s.get(work, 0.0) for call in tuple(self._open.values()))

    def interrupt_all(self) -> None:
        """End every open call with UNAVAILABLE."""
        for task, call in self._open.items():
            call.draining = True
            task.cancel()

    def caller(self, headers: Mapping[str, Any], peer: str) -> str:
        """Who calls: the name of the token, else the peer.

        Raises:
            UnauthenticatedError: tokens are asked for, and it has none.
        """
        return self._tokens.caller(headers) if self._tokens else peer

    async def answer(self, call: Call, arrival: Arrival, work: Callable[[], Awaitable[T]]) -> T:
        """Let a call in, do its work within its deadline, and write down how it ended.

        Raises:
            ServerError: the answer to the caller.
            CancelledError: of asyncio: the caller itself went away.
        """
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._open[task] = call
        in_flight = self._metrics.in_flight.labels(call.method)
        in_flight.inc()
        code = "CANCELLED"
        try:
            call.caller = self.caller(arrival.headers, arrival.peer)
            with self._limits.admit(call.caller), self._span(arrival.span, arrival.headers):
                async with asyncio.timeout(arrival.remaining_s()):
                    answer = await work()
            code = "OK"
            return answer
        except (Exception, asyncio.CancelledError) as error:
            refusal = _refusal(error, call)
            if refusal is None:
                remaining_s = arrival.remaining_s()
                late = remaining_s is not None and remaining_s <= _DEADLINE_SLACK_S
                code = "DEADLINE_EXCEEDED" if late else "CANCELLED"
                raise
            code = refusal.code
            task.uncancel()
            raise refusal from error
        finally:
            in_flight.dec()
            del self._open[task]
            self._record(call, code)

    def _record(self, call: Call, code: str) -> None:
        seconds = time.monotonic() - call.started
        labels = (call.method, call.model)
        self._metrics.requests.labels(*labels, code).inc()
        self._metrics.seconds.labels(*labels).observe(seconds)
        self._metrics.audio_seconds.labels(*labels, "in").inc(call.audio_in_s)
        self._metrics.audio_seconds.labels(*labels, "out").inc(call.audio_out_s)
        if call.queue_s is not None:
            self._metrics.queue_seconds.labels(*labels).observe(call.queue_s)
        if call.work_s is not None and call.audio_out_s:
            self._metrics.real_time_factor.labels(*labels).observe(call.work_s / call.audio_out_s)
        logger.info(
            "call",
            extra={
                "request_id": call.request_id,
                "method": call.method,
                "caller": call.caller,
                "model": call.model,
                "code": code,
                "seconds": round(seconds, 3),
                "audio_in_s": round(call.audio_in_s, 3),
                "audio_out_s": round(call.audio_out_s, 3),
            },
        )


def _refusal(error: BaseException, call: Call) -> ServerError | None:
    """The answer to the caller; None when the caller itself went away."""
    error = first_of(error)
    if isinstance(error, asyncio.CancelledError):
        return ShuttingDownError("the gateway is shutting down") if call.draining else None
    refusal = as_server_error(error)
    if refusal is None or isinstance(refusal, InternalError):
        logger.error("call_failed", exc_info=error, extra={"request_id": call.request_id, "method": call.method})
        return InternalError(f"the call failed; the log of request {call.request_id} has the reason")
    return refusal

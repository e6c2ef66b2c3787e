"""grpc.health.v1 with Watch.

grpc_health's own asyncio servicer forgets all watchers of a service when one of them leaves, so that the others are
never informed again; hence this one.
"""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

_Status = health_pb2.HealthCheckResponse

LIVE = "live"
"""Asked for instead of a service: serving as long as this process can answer, whatever the parts behind it do."""


class HealthService(health_pb2_grpc.HealthServicer):  # type: ignore[misc]
    """Check and Watch; belongs to one event loop."""

    def __init__(self, services: tuple[str, ...]) -> None:
        self._states: dict[str, int] = dict.fromkeys(services, _Status.NOT_SERVING)
        self._changed = asyncio.Condition()
        self._closed = False

    async def set(self, service: str, *, serving: bool) -> None:
        """Say whether calls to a service can be answered; without effect once `close` was called."""
        if not self._closed:
            await self._put({service: _Status.SERVING if serving else _Status.NOT_SERVING})

    async def close(self) -> None:
        """Report "not serving" from now on, because the process is about to end."""
        self._closed = True
        await self._put(dict.fromkeys(self._states, _Status.NOT_SERVING))

    async def _put(self, states: dict[str, int]) -> None:
        async with self._changed:
            self._states.update(states)
            self._changed.notify_all()

    async def Check(self, request: Any, context: Any) -> Any:  # noqa: N802
        """The state of one service; the empty name is the whole process, `LIVE` whether it runs."""
        if request.service == LIVE:
            return _Status(status=_Status.SERVING)
        if request.service not in self._states:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"there is no service {request.service!r}")
        return _Status(status=self._states[request.service])

    async def Watch(self, request: Any, context: Any) -> None:  # noqa: N802
        """The state now, and whenever it changes, until the process is about to end."""
        sent = None
        while True:
            state = self._states.get(request.service, _Status.SERVICE_UNKNOWN)
            if state != sent:
                await context.write(_Status(status=state))
                sent = state
            if self._closed:
                return  # an open call would hold up the end of the process
            async with self._changed:
                await self._changed.wait_for(
                    lambda: self._closed or self._states.get(request.service, _Status.SERVICE_UNKNOWN) != sent  # noqa: B023
                )

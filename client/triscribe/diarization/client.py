"""Who spoke when, asked of the diarizer: a local process that is started and watched, or a remote one."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import grpc

from triscribe import blocking
from triscribe.diarization.messages import diarization, requests
from triscribe.diarization.options import Diarization, DiarizationOptions
from triscribe.diarization.process import DiarizerProcess, ProcessSettings
from triscribe.errors import DiarizationError
from triscribe.rpc import said
from triscribe.types import Samples
from triscribe.v1 import diarization_pb2_grpc as pb_grpc

Progress = Callable[[float], None]
"""Told which share of the job is done, 0 to 1, never decreasing."""

_END_S = 2.0
"""How long a process whose connection was lost may take to end, before it counts as alive."""

_LOST = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNKNOWN, grpc.StatusCode.CANCELLED}
"""How gRPC reports a server that went away in the middle of a call."""


@dataclass(frozen=True, slots=True)
class DiarizerSettings:
    """Which diarizer, and how patient we are with it.

    Attributes:
        address: `HOST:PORT` of a remote one; None starts a local process.
        credentials: for the remote one, from `grpc.ssl_channel_credentials`; None talks plaintext.
        token: what the remote one asks for, if anything.
        process: how the local one is started.
        heartbeat_s: silence after which it counts as dead; it speaks once a second.
        stall_s: time without any progress after which it counts as stuck.
        restarts: how often a job is tried again after the diarizer died.
    """

    address: str | None = None
    credentials: grpc.ChannelCredentials | None = None
    token: str | None = None
    process: ProcessSettings = field(default_factory=ProcessSettings)
    heartbeat_s: float = 30.0
    stall_s: float = 900.0
    restarts: int = 1


class _LostError(Exception):
    """The diarizer went away in the middle of a job."""


@dataclass(frozen=True, slots=True)
class _Peer:
    """Where a job is sent."""

    address: str
    token: str | None
    process: DiarizerProcess | None


class Diarizer:
    """Owns the local diarizer process, or talks to a remote one.

    Use it as a context manager (`with` or `async with`): entering starts the process without waiting for it, so
    that PyTorch loads while the audio is decoded; leaving ends it. Jobs may run at the same time and from several
    event loops.
    """

    def __init__(self, settings: DiarizerSettings | None = None) -> None:
        self._settings = settings or DiarizerSettings()
        self._lock = threading.Lock()
        self._process: DiarizerProcess | None = None
        self._silent: tuple[DiarizerProcess, float] | None = None
        self._closed = False

    def __enter__(self) -> Self:
        self._closed = False
        self._current()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        self._closed = False
        self._current()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.close)

    @property
    def pid(self) -> int | None:
        """Process id of the local diarizer, None when there is none."""
        process = self._process
        return process.pid if process else None

    def close(self) -> None:
        """Ends the local process. A job that loses it, or comes later, fails instead of starting another."""
        with self._lock:
            self._closed = True
            process, self._process = self._process, None
        if process:
            process.stop()

    async def is_serving(self, *, timeout_s: float) -> bool:
        """Whether the diarizer answers its health check; a local one that died or froze is started again."""
        from grpc_health.v1 import health_pb2, health_pb2_grpc  # noqa: PLC0415 - only the gateway asks

        process = None
        try:
            async with asyncio.timeout(timeout_s):
                peer = await self._peer(process := self._current())
                async with self._channel(peer.address) as channel:
                    answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        except (TimeoutError, grpc.RpcError, DiarizationError, _LostError) as error:
            if process and process.accepts_calls:
                await self._count_silence(process, error)
            return False
        self._silent = None
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    async def _count_silence(self, process: DiarizerProcess, error: Exception) -> None:
        """Replace a process that has missed health checks for `heartbeat_s`; without jobs nothing else would notice."""
        now = time.monotonic()
        if self._silent is None or self._silent[0] is not process:
            self._silent = process, now
        elif now - self._silent[1] > self._settings.heartbeat_s:
            self._silent = None
            await asyncio.to_thread(self._discard, process, error)

    def diarize_sync(
        self, samples: Samples, options: DiarizationOptions | None = None, *, progress: Progress | None = None
    ) -> Diarization:
        """`diarize` for code without an event loop."""
        return blocking.run(self.diarize(samples, options, progress=progress))

    async def diarize(
        self, samples: Samples, options: DiarizationOptions | None = None, *, progress: Progress | None = None
    ) -> Diarization:
        """Finds the speaker turns of a recording.

        Args:
            samples: the recording, shape `(n_samples,)`, float32, 16 kHz.
            options: what is known about it.
            progress: see `Progress`.

        Raises:
            DiarizationError: the diarizer cannot be started, died `restarts` + 1 times, or refused the job.
        """
        tell = _monotone(progress)
        for _ in range(self._settings.restarts + 1):
            process = self._current()
            try:
                peer = await self._peer(process)
                return await self._attempt(peer, samples, options or DiarizationOptions(), tell)
            except _LostError as error:
                reason = await asyncio.to_thread(self._discard, process, error)
        tries = self._settings.restarts + 1
        if address := self._settings.address:  # whether it died cannot be seen from here
            raise DiarizationError(f"The diarizer at {address} was lost {tries} times: {reason}")
        raise DiarizationError(f"The diarizer died {tries} times: {reason}")

    def _current(self) -> DiarizerProcess | None:
        """The local process, started when there is none or it has died; None with a remote diarizer.

        Raises:
            DiarizationError: it cannot be started, or the diarizer was closed.
        """
        if self._settings.address is not None:
            return None
        with self._lock:
            if self._closed:
                raise DiarizationError("The diarizer was closed.")
            if self._process and not self._process.alive:
                self._process.stop()
                self._process = None
            if self._process is None:
                # Here and not on a helper thread: the child ends with the thread that starts it.
                try:
                    self._process = DiarizerProcess(self._settings.process)
                except OSError as error:  # no room for its folder, no more processes
                    raise DiarizationError(f"The diarizer cannot be started: {error.strerror or error}.") from error
            return self._process

    async def _peer(self, process: DiarizerProcess | None) -> _Peer:
        if process is None:
            return _Peer(self._settings.address or "", self._settings.token, None)
        try:
            return _Peer(await process.address(), process.token, process)
        except DiarizationError as error:
            if process.killed:
                raise _LostError(str(error)) from error
            await asyncio.to_thread(self._discard, process, error)  # it would fail again for the same reason
            raise

    def _discard(self, process: DiarizerProcess | None, error: Exception) -> str:
        """Ends what is left of a lost process, so that the next job starts a new one, and says why it died."""
        if process is None:
            return str(error)
        reason = process.last_words() if process.ends_within(_END_S) else str(error)
        with self._lock:
            if self._process is process:
                self._process = None
        process.kill()
        return reason

    async def _attempt(self, peer: _Peer, samples: Samples, options: DiarizationOptions, tell: Progress) -> Diarization:
        metadata = [("authorization", f"Bearer {peer.token}")] if peer.token else []
        async with self._channel(peer.address) as channel:
            call = pb_grpc.DiarizationServiceStub(channel).Diarize(requests(samples, options), metadata=metadata)
            try:
                return await self._answer(call, tell)
            except grpc.aio.AioRpcError as error:
                if error.code() in _LOST or (peer.process and not peer.process.alive):
                    raise _LostError(f"{error.code().name}: {said(error)}") from error
                raise DiarizationError(f"The diarizer refused the job: {said(error)}") from error
            finally:
                call.cancel()

    async def _answer(self, call: Any, tell: Progress) -> Diarization:
        state, moved = None, time.monotonic()
        while True:
            try:
                response = await asyncio.wait_for(call.read(), self._settings.heartbeat_s)
            except TimeoutError as error:
                raise _LostError(f"silent for {self._settings.heartbeat_s:g} s.") from error
            if response is grpc.aio.EOF:
                raise _LostError("the answer ended early.")
            if response.WhichOneof("payload") == "result":
                tell(1.0)
                return diarization(response.result)
            tell(response.progress.fraction)
            if (now := (response.progress.stage, response.progress.fraction)) != state:
                state, moved = now, time.monotonic()
            elif time.monotonic() - moved > self._settings.stall_s:
                raise _LostError(f"no progress for {self._settings.stall_s:g} s.")

    def _channel(self, address: str) -> grpc.aio.Channel:
        # The result of a long recording may exceed gRPC's 4 MiB; a proxy of the environment is not for this.
        options = [("grpc.max_receive_message_length", -1), ("grpc.enable_http_proxy", 0)]
        if self._settings.address is not None and self._settings.credentials is not None:
            return grpc.aio.secure_channel(address, self._settings.credentials, options)
        return grpc.aio.insecure_channel(address, options)


def _monotone(progress: Progress | None) -> Progress:
    """A second try starts from 0 again; the caller only hears of what is new."""
    furthest = -1.0

    def tell(fraction: float) -> None:
        nonlocal furthest
        if progress and fraction > furthest:
            furthest = fraction
            progress(fraction)

    return tell

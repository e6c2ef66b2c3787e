"""Faults of the diarizer and of the gateway, and what their callers see of them."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import grpc
import psutil
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.harness.audio import conversation, wav
from tests.harness.gateway import GatewayProcess
from tests.harness.processes import polled

from benchmarks.reliability.faults.stage import (
    MINUTES,
    NOTICED_S,
    VERBS,
    Fault,
    Harm,
    Readiness,
    Seen,
    Stage,
    kill,
    stop,
    terminate,
)
from triscribe.client import AsyncClient, RecognitionOptions
from triscribe.diarization.client import Diarizer, DiarizerSettings
from triscribe.errors import ServerError
from triscribe.types import Transcript


class Gateway:
    """`triscribe gateway` on a port that it keeps through every restart."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._running: GatewayProcess | None = None
        self.address = "127.0.0.1:0"

    @property
    def process(self) -> psutil.Process:
        """The running one."""
        assert self._running is not None
        return psutil.Process(self._running.process.pid)

    def start(self) -> None:
        """Start, and wait until it serves."""
        self._running = GatewayProcess(self._server, port=self.address.rpartition(":")[2])
        self.address = self._running.address
        self._running.wait_until_serving()

    def is_ready(self) -> bool:
        """Its health check."""
        with grpc.insecure_channel(self.address, [("grpc.use_local_subchannel_pool", 1)]) as channel:
            try:
                answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=2)
            except grpc.RpcError:
                return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    def end(self) -> None:
        """SIGTERM, and a minute to end in."""
        if self._running is not None:
            self._running.stop(60)


def _upload(address: str, audio: bytes, reached: Callable[[], None] = lambda: None) -> Transcript:
    async def upload() -> Transcript:
        options = RecognitionOptions(language="en", decoding={"temperatures": [0.0]})
        async with AsyncClient(address) as client:
            return await client.transcribe(audio, options, final=lambda _: reached(), timeout_s=240)

    return asyncio.run(upload())


def during_upload(stage: Stage, part: str, harm: Harm) -> Seen:
    """A long upload through a gateway; the gateway or a part behind it is harmed at the first final segment."""
    service, audio = stage.service, wav(conversation(MINUTES))
    gateway = Gateway(service.url)
    gateway.start()
    try:
        expected = _upload(gateway.address, audio)
        readiness, error = Readiness(gateway.is_ready), ""
        happened = threading.Event()

        def happen() -> None:
            if not happened.is_set():
                happened.set()
                readiness.begin()
                harm(gateway.process if part == "gateway" else service.part(part))

        got: Transcript | None = None
        with polled(readiness.look, 0.1):
            try:
                got = _upload(gateway.address, audio, happen)
            except ServerError as raised:
                error = f"the caller got {raised.code} after {readiness.elapsed_s:.1f} s"
            if part == "gateway" and harm is not stop:
                gateway.end()
                gateway.start()
                readiness.back_s = readiness.back_s or readiness.elapsed_s
                if got is None:
                    got = _upload(gateway.address, audio)
            else:
                readiness.wait_back()
        equal = got == expected
        told = f"{error}; the next call works" if error else "the call went on"
        in_time = readiness.lost_s is not None and readiness.lost_s <= NOTICED_S
        return Seen(equal and in_time, told, readiness.lost_s, readiness.back_s, equal)
    finally:
        with suppress(psutil.Error):
            gateway.process.resume()
        gateway.end()


def diarizer(harm: Harm, at: float, stage: Stage) -> Seen:
    """The local diarizer in a job: it is harmed when the job has come as far as `at`."""
    samples = conversation(2)
    with Diarizer() as running:
        expected = running.diarize_sync(samples)
        pid, harmed = running.pid, threading.Event()
        assert pid is not None
        started = 0.0

        def progress(fraction: float) -> None:
            nonlocal started
            if fraction >= at and not harmed.is_set():
                harmed.set()
                started = time.monotonic()
                harm(psutil.Process(pid))

        if at < 0:
            progress(0.0)
        result = running.diarize_sync(samples, progress=progress)
        took = time.monotonic() - started
        replaced = running.pid != pid
    equal = result == expected
    return Seen(equal, f"{'replaced' if replaced else 'went on'}, the job ended after {took:.0f} s", None, None, equal)


def idle_diarizer(stage: Stage) -> Seen:
    """Stopped for good while nobody asks; only its health check is looked at, as a gateway does."""
    samples = conversation()
    with Diarizer(DiarizerSettings(heartbeat_s=10.0)) as running:
        expected = running.diarize_sync(samples)
        pid = running.pid
        assert pid is not None

        def is_ready() -> bool:
            return asyncio.run(running.is_serving(timeout_s=3.0))

        readiness = Readiness(is_ready)
        readiness.begin()
        os.kill(pid, signal.SIGSTOP)
        with suppress(psutil.NoSuchProcess):
            while readiness.back_s is None and readiness.elapsed_s < 60:
                readiness.look()
                time.sleep(0.5)
        equal = running.diarize_sync(samples) == expected
    outcome = "replaced" if readiness.back_s is not None else "never replaced"
    return Seen(readiness.in_time and equal, outcome, readiness.lost_s, readiness.back_s, equal)


def faults() -> list[Fault]:
    """The rows of this part."""
    made = [
        Fault(
            f"{name}-gateway-upload",
            f"{VERBS[harm]} of the gateway in an upload" + ("" if harm is stop else "; started again"),
            expected,
            partial(during_upload, part="gateway", harm=harm),
        )
        for name, harm, expected in (
            ("kill", kill, "the caller is told at once, the next call works"),
            ("stop", stop, "not ready within 10 s, the call goes on"),
            ("term", terminate, "the call is finished"),
        )
    ]
    made += [
        Fault(
            f"kill-{part}-upload",
            f"kill -9 of {part if part == 'tritonserver' else f'the {part} worker'} behind a gateway in an upload",
            "the gateway not ready within 10 s, the call goes on",
            partial(during_upload, part=part, harm=kill),
        )
        for part in ("tritonserver", "whisper")
    ]
    for name, harm in (("kill", kill), ("stop", stop), ("term", terminate)):
        text = f"{VERBS[harm]} of the diarizer in a job"
        made.append(Fault(f"{name}-diarizer-job", text, "the job ends as without", partial(diarizer, harm, 0.3)))
    made.append(
        Fault(
            "kill-diarizer-idle",
            "kill -9 of the diarizer between jobs",
            "the next job works",
            partial(diarizer, kill, -1),
        )
    )
    made.append(
        Fault(
            "stop-diarizer-idle",
            "SIGSTOP of an idle diarizer for good",
            "not ready within 10 s, replaced",
            idle_diarizer,
        )
    )
    return made

"""Faults of Triton, its workers and their supervisor: killed, stopped, restarted, at every moment of their lives."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Callable, Sequence
from functools import partial

from tests.harness.processes import polled
from tests.harness.replicas import STOP_S

from benchmarks.load.replicas import harmed_calls, harmed_file, short_calls
from benchmarks.reliability.faults.stage import (
    CALLERS,
    CALLS,
    NAMES,
    NOTICED_S,
    RECOVERED_S,
    SIGTERM_STATUS,
    VERBS,
    Fault,
    Harm,
    Readiness,
    Seen,
    Serving,
    Stage,
    kill,
    stop,
    terminate,
)
from triscribe.errors import ServerError
from triscribe.types import ChunkResult


def under_load(serving: Serving, part: str, harm: Harm, expected: Sequence[ChunkResult]) -> Seen:
    """Eight callers; a part of the server is harmed when a quarter of the calls has been answered."""
    process = serving.part(part)
    readiness = Readiness(serving.is_ready)

    def happen() -> None:
        readiness.begin()
        harm(process)

    with polled(readiness.look, 0.1):
        results = asyncio.run(harmed_calls(serving.url, len(expected), happen, callers=CALLERS))
        readiness.wait_back()
    return _judged(readiness, equal=results == list(expected))


def ignored(stage: Stage, part: str, harm: Harm) -> Seen:
    """A signal that changes nothing."""
    service, expected = stage.service, stage.calls
    process = service.part(part)
    results = asyncio.run(harmed_calls(service.url, len(expected), lambda: harm(process), callers=CALLERS))
    ok = results == expected and process.is_running() and service.is_ready()
    return Seen(ok, "ignored" if ok else "harmed", equal=results == expected)


def during_file(stage: Stage, part: str, harm: Harm) -> Seen:
    """A long file; the part is harmed when a quarter of it is done."""
    service, expected = stage.service, stage.transcript
    process = service.part(part)
    with stage.watched(service.is_ready) as readiness:

        def happen() -> None:
            readiness.begin()
            harm(process)

        transcript = asyncio.run(harmed_file(service.url, stage.recording, happen))
        readiness.wait_back()
    return _judged(readiness, equal=transcript == expected)


def at_start(stage: Stage, part: str, harm: Harm) -> Seen:
    """The part is harmed as soon as it is there."""
    expected, service = stage.calls, stage.service
    service.stop()
    service.start()
    process = service.wait_part(part)
    started = time.monotonic()
    harm(process)
    while not service.is_ready():
        if service.process.poll() is not None:
            return Seen(False, f"ended with status {service.process.returncode}: {service.last_words()}")
        if time.monotonic() - started > RECOVERED_S:
            return Seen(False, "not ready in time")
        time.sleep(0.1)
    took = time.monotonic() - started
    equal = asyncio.run(short_calls(service.url, CALLS, callers=CALLERS)) == expected
    return Seen(equal, "ready by itself", 0.0, took, equal)


def while_shutting_down(stage: Stage, part: str, harm: Harm) -> Seen:
    """SIGTERM to the command under load, then the harm."""
    service = stage.service
    family, process = service.family(), service.part(part)
    asked = 0.0

    def happen() -> None:
        nonlocal asked
        asked = time.monotonic()
        service.process.terminate()
        time.sleep(0.3)
        harm(process)

    async def calls() -> str:
        # Nobody takes the place of the server, so what was not answered is told, and soon.
        job = asyncio.create_task(harmed_calls(service.url, CALLS, happen, callers=CALLERS))
        await asyncio.to_thread(service.process.wait, STOP_S)
        job.cancel()
        try:
            await job
        except (ServerError, asyncio.CancelledError):
            return "callers were told"
        return "all were answered"

    try:
        told = asyncio.run(calls())
    except subprocess.TimeoutExpired:
        service.kill()
        return Seen(False, f"still there after {STOP_S:.0f} s")
    took = time.monotonic() - asked
    left = service.left_behind(family)
    code = service.process.returncode
    ok = code == SIGTERM_STATUS and not left
    return Seen(ok, f"ended after {took:.0f} s with status {code}, left {left or 'nothing'}; {told}")


def supervisor_restarted(stage: Stage, harm: Harm) -> Seen:
    """The command itself ends under load and is started again, as a service manager does."""
    expected, service = stage.calls, stage.service
    family = service.family()
    with stage.watched(service.is_ready) as readiness:

        def happen() -> None:
            readiness.begin()
            harm(family[0])
            service.process.wait(STOP_S)
            # Its Triton hears of the death by a signal, and keeps the ports until it has drained.
            while left := service.left_behind(family[1:]):
                if "process" not in left:
                    break
            service.start()

        results = asyncio.run(harmed_calls(service.url, CALLS, happen, callers=CALLERS))
        readiness.wait_back()
    return _judged(readiness, equal=results == expected)


def supervisor_stopped(stage: Stage) -> Seen:
    """Who watches is stopped himself: nobody is told that the server is ready, and it goes on serving."""
    expected, service = stage.calls, stage.service
    with stage.watched(service.is_ready) as readiness:

        def happen() -> None:
            readiness.begin()
            stop(service.part("supervisor"))

        results = asyncio.run(harmed_calls(service.url, CALLS, happen, callers=CALLERS))
        readiness.wait_back()
    return _judged(readiness, equal=results == expected)


def _judged(readiness: Readiness, *, equal: bool) -> Seen:
    if readiness.lost_s is None:
        outcome = "never shown as not ready"
    elif readiness.lost_s > NOTICED_S:
        outcome = "shown late"
    elif readiness.back_s is None:
        outcome = "did not recover"
    else:
        outcome = "recovered by itself"
    return Seen(readiness.in_time and equal, outcome, readiness.lost_s, readiness.back_s, equal)


def faults() -> list[Fault]:
    """The rows of this part."""
    made: list[Fault] = []
    recovers = "not ready within 10 s, recovers, nothing lost"

    def add(harm: Harm, part: str, moment: str, expected: str, make: Callable[[Stage, str, Harm], Seen]) -> None:
        text = f"{VERBS[harm]} of {part if part == 'tritonserver' else f'the {part} worker'} {moment}"
        key = moment.rsplit(maxsplit=1)[-1].rstrip("s")
        made.append(Fault(f"{NAMES[harm]}-{part}-{key}", text, expected, lambda stage: make(stage, part, harm)))

    def load(stage: Stage, part: str, harm: Harm) -> Seen:
        return under_load(stage.service, part, harm, stage.calls)

    for part in ("tritonserver", "whisper", "transcribe", "align"):
        for harm in (kill, stop):
            add(harm, part, "under load", recovers, load)
    add(terminate, "tritonserver", "under load", recovers, load)
    add(terminate, "whisper", "under load", "workers ignore it, as Triton ends them", ignored)
    for part in ("tritonserver", "whisper", "transcribe"):
        add(kill, part, "in a long file", recovers, during_file)
    add(stop, "whisper", "in a long file", recovers, during_file)
    for part in ("tritonserver", "whisper"):
        add(kill, part, "at the start", "becomes ready", at_start)
    add(stop, "whisper", "at the start", "becomes ready", at_start)
    for harm, part in ((kill, "tritonserver"), (kill, "whisper"), (stop, "whisper"), (stop, "tritonserver")):
        add(harm, part, "in the shutdown", "ends, leaves nothing", while_shutting_down)
    for harm in (kill, terminate):
        made.append(
            Fault(
                f"{NAMES[harm]}-supervisor",
                f"{VERBS[harm]} of the supervisor under load; started again",
                recovers,
                partial(supervisor_restarted, harm=harm),
            )
        )
    made.append(Fault("stop-supervisor", "SIGSTOP for 20 s of the supervisor under load", recovers, supervisor_stopped))
    return made

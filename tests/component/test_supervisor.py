"""The supervisor around a small program in place of Triton: what it notices, what it restarts, when it gives up."""

import asyncio
import contextlib
import os
import signal
import stat
import textwrap
import threading
import time
from contextlib import contextmanager
from dataclasses import replace

import psutil
import pytest

from tests.harness.processes import wait_for
from triscribe.errors import ServingError
from triscribe.serving.ports import ReservedPorts
from triscribe.serving.process import ServerCommand
from triscribe.serving.runtime import Runtime
from triscribe.serving.shared_memory import SharedMemory
from triscribe.serving.supervisor import State, Supervisor, Watch

QUICK = Watch(
    ready_deadline_s=10.0,
    poll_interval_s=0.02,
    canary_interval_s=0.05,
    canary_deadline_s=0.2,
    canary_failures=2,
    max_restarts=2,
)

WITH_STUB = """
    python3 - <<'END' &
    import ctypes, time
    ctypes.CDLL(None).prctl(15, b"triton_python_backend_stub", 0, 0, 0)  # PR_SET_NAME
    time.sleep(1000)
    END
    wait
    exec sleep 1000
"""
"""A stub beside a server that does not mind its death."""


ASKS_FOR_A_VERSION = """
    python3 - "$(dirname "$0")/told" <<'END'
    import ctypes, os, pathlib, sys, time
    if os.fork() == 0:
        ctypes.CDLL(None).prctl(15, b"triton_python_backend_stub", 0, 0, 0)  # PR_SET_NAME
        time.sleep(0.5)
        os._exit(0)
    os.wait()
    pathlib.Path(sys.argv[1]).touch()
    END
    exec sleep 1000
"""
"""A stub below a helper of the server's, which ends."""


class Canary:
    """Ready at once; sings until the test silences it."""

    def __init__(self):
        self.ready = True
        self.songs = 0
        self.error: Exception | None = None

    def is_ready(self):
        return self.ready

    def ask_all(self, timeout_s):
        self.songs += 1
        if self.error:
            raise self.error


@pytest.fixture
def canary():
    return Canary()


@pytest.fixture
def supervise(tmp_path, canary):
    """Makes a supervisor around a shell script."""
    made = []

    def make(script="exec sleep 1000", watch=QUICK, **options):
        program = tmp_path / "tritonserver"
        program.write_text(f"#!/bin/sh\n{textwrap.dedent(script)}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        runtime = Runtime(program, (), {"TRISCRIBE_MARK": "yes"})
        memory = SharedMemory(tmp_path)
        log = tmp_path / "triton.log"
        command = ServerCommand(runtime, tmp_path, tmp_path, ReservedPorts(), memory, log, **options)
        made.append(Supervisor(command, canary, watch))
        return made[-1]

    yield make
    for supervisor in made:
        with contextlib.suppress(RuntimeError):  # never started
            supervisor.stop()


def test_it_serves_once_a_request_was_answered(supervise, canary):
    supervisor = supervise()
    supervisor.start()
    states = [supervisor.state]
    assert canary.songs >= 1
    pid = supervisor.process.pid
    supervisor.stop()
    assert [*states, supervisor.state] == [State.SERVING, State.STOPPED]
    assert not psutil.pid_exists(pid)
    supervisor.raise_if_failed()


def test_a_server_that_ends_while_it_starts_shows_the_reason_of_its_log(supervise, canary):
    canary.ready = False
    supervisor = supervise('echo "E1121 model.cc] UNAVAILABLE: no such weights"; exit 3')
    with pytest.raises(ServingError) as caught:
        supervisor.start()
    assert "status 3" in str(caught.value)
    assert "no such weights" in str(caught.value)
    assert supervisor.state is State.FAILED
    assert supervisor.restarts == 0
    assert supervisor.wait(5)


def test_the_reason_is_shown_even_from_far_above_the_end(supervise, canary):
    canary.ready = False
    supervisor = supervise('echo "E1121 model.cc] the reason"; for i in $(seq 99); do echo "I $i"; done; exit 1')
    with pytest.raises(ServingError, match="the reason"):
        supervisor.start()


def test_one_that_never_gets_ready_is_stopped_at_the_deadline(supervise, canary):
    canary.ready = False
    supervisor = supervise("echo loading; exec sleep 1000", Watch(ready_deadline_s=0.5))
    with pytest.raises(ServingError, match=r"not ready within.*\n.*loading|not ready within"):
        supervisor.start()
    assert supervisor.wait(10)
    assert supervisor.process.returncode is not None


def test_one_whose_first_answer_is_an_error_has_failed(supervise, canary):
    canary.error = ServingError("model base answers INTERNAL")
    with pytest.raises(ServingError, match="base answers INTERNAL"):
        supervise().start()


async def test_one_that_has_begun_is_waited_for_in_an_event_loop(supervise, canary):
    canary.ready = False
    supervisor = supervise(watch=replace(QUICK, first_answer=False, canary_interval_s=1000.0))
    supervisor.begin()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(supervisor.serving(), 0.3)
    canary.ready = True
    await asyncio.wait_for(supervisor.serving(), 10)
    assert supervisor.state is State.SERVING
    assert canary.songs == 0  # its only caller will notice by himself


async def test_who_waits_in_an_event_loop_is_told_why_it_failed(supervise, canary):
    canary.ready = False
    supervisor = supervise('echo "E1121 no such weights"; exit 3')
    supervisor.begin()
    with pytest.raises(ServingError, match="no such weights"):
        await asyncio.wait_for(supervisor.serving(), 10)


@pytest.mark.parametrize("drain_s", [0.0, 1.0])
def test_without_a_drain_nobody_is_asked_to_end(supervise, canary, tmp_path, drain_s):
    script = f"trap 'touch {tmp_path}/asked; exit' TERM\n(exec sleep 1000) &\nwhile true; do sleep 0.05; done"
    supervisor = supervise(script, drain_s=drain_s)
    supervisor.start()
    group = supervisor.process.pid
    assert wait_for(lambda: len(_group(group)) >= 2, 10)
    supervisor.stop()
    assert (tmp_path / "asked").exists() == bool(drain_s)
    assert wait_for(lambda: not _group(group), 5)


def _group(leader):
    """Processes of a group that run."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if os.getpgid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found


def test_a_killed_server_is_started_again(supervise):
    supervisor = supervise()
    supervisor.start()
    first = supervisor.process.pid
    os.kill(first, 9)
    assert wait_for(lambda: supervisor.restarts == 1 and supervisor.state is State.SERVING, 10)
    assert supervisor.process.pid != first


def test_a_lost_worker_is_noticed_without_a_request(supervise, canary):
    """Triton stays up, and says it is healthy, when one of its stubs is gone."""
    supervisor = supervise(WITH_STUB, Watch(poll_interval_s=0.02, canary_interval_s=1000.0))
    canary.ask_all = lambda timeout_s: wait_for(lambda: bool(supervisor.process.stubs()), 10)
    supervisor.start()
    (stub,) = supervisor.process.stubs()
    os.kill(stub, 9)
    assert wait_for(lambda: supervisor.restarts == 1 and supervisor.state is State.SERVING, 20)


def test_answers_that_stop_coming_are_a_reason_to_restart(supervise, canary):
    supervisor = supervise()
    supervisor.start()
    pid = supervisor.process.pid
    canary.error = TimeoutError("no answer")
    assert wait_for(lambda: supervisor.restarts >= 1, 10)
    canary.error = None
    assert wait_for(lambda: supervisor.state is not State.RESTARTING, 10)
    assert supervisor.process.pid != pid


def test_a_restarted_server_that_never_answers_is_given_up(supervise, canary):
    supervisor = supervise("echo stuck; exec sleep 1000")
    supervisor.start()
    canary.error = TimeoutError("no answer")
    assert supervisor.wait(20)
    assert supervisor.state is State.FAILED
    with pytest.raises(ServingError, match=r"no answer(.|\n)*stuck"):
        supervisor.raise_if_failed()


def test_a_first_request_without_an_answer_is_told_not_waited_for(supervise, canary):
    canary.error = TimeoutError("no answer from base")
    with pytest.raises(ServingError, match="no answer from base"):
        supervise().start()


def test_one_missed_answer_is_not(supervise, canary):
    supervisor = supervise()
    supervisor.start()
    songs = canary.songs
    missed = iter([True])

    def ask_all(timeout_s):
        canary.songs += 1
        if next(missed, False):
            raise TimeoutError("once")

    canary.ask_all = ask_all
    assert wait_for(lambda: canary.songs > songs + 5, 10)
    assert supervisor.restarts == 0
    assert supervisor.state is State.SERVING


def test_it_gives_up_on_one_that_dies_again_and_again(supervise):
    supervisor = supervise("echo dying; sleep 0.3; exit 7")
    supervisor.start()
    assert supervisor.wait(30)
    assert supervisor.state is State.FAILED
    assert supervisor.restarts == QUICK.max_restarts
    with pytest.raises(ServingError, match=r"3 times in a row(.|\n)*dying"):
        supervisor.raise_if_failed()


def test_one_that_stayed_up_long_enough_starts_the_count_anew(supervise):
    watch = Watch(poll_interval_s=0.02, canary_interval_s=1000, max_restarts=1, stable_s=0.2)
    supervisor = supervise("sleep 0.6; exit 7", watch)
    supervisor.start()
    assert wait_for(lambda: supervisor.restarts >= 3, 20)
    assert supervisor.state is not State.FAILED


def test_stopping_does_not_wait_for_a_server_that_ignores_it(supervise):
    supervisor = supervise("trap '' TERM; while :; do sleep 0.1; done")
    supervisor.start()
    process = supervisor.process
    time.sleep(0.2)
    started = time.monotonic()
    process.stop(timeout_s=0.5)
    assert time.monotonic() - started < 5
    assert process.returncode == -9


def test_stopping_while_it_starts_is_no_failure(supervise, canary):
    canary.ready = False
    supervisor = supervise()
    threading.Timer(0.5, supervisor.stop).start()
    with pytest.raises(ServingError, match="stopped while it started"):
        supervisor.start()
    assert wait_for(lambda: supervisor.state is State.STOPPED, 5)


def test_the_server_gets_its_environment_and_its_log(supervise, tmp_path):
    supervisor = supervise('echo "mark: $TRISCRIBE_MARK"; exec sleep 1000')
    supervisor.start()
    assert wait_for(lambda: "mark: yes" in supervisor.process.log_tail(), 5)
    supervisor.stop()


@pytest.mark.parametrize("part", ["server", "worker"])
def test_a_stopped_process_is_not_ready_at_once_and_serves_again_when_it_goes_on(supervise, canary, part):
    supervisor = supervise(WITH_STUB, Watch(poll_interval_s=0.02, canary_interval_s=1000.0, frozen_s=60.0))
    canary.ask_all = lambda timeout_s: wait_for(lambda: bool(supervisor.process.stubs()), 10)
    supervisor.start()
    process = supervisor.process
    pid = process.pid if part == "server" else process.stubs().pop()
    os.kill(pid, signal.SIGSTOP)
    assert wait_for(lambda: supervisor.state is State.FROZEN, 10)
    assert process.look().frozen == {pid}
    os.kill(pid, signal.SIGCONT)
    assert wait_for(lambda: supervisor.state is State.SERVING, 10)
    assert supervisor.restarts == 0
    assert supervisor.process is process


def test_one_that_stays_stopped_is_started_again(supervise):
    supervisor = supervise(watch=Watch(poll_interval_s=0.02, canary_interval_s=1000.0, frozen_s=0.2))
    supervisor.start()
    pid = supervisor.process.pid
    os.kill(pid, signal.SIGSTOP)
    assert wait_for(lambda: supervisor.restarts == 1 and supervisor.state is State.SERVING, 20)
    assert not psutil.pid_exists(pid)


@contextmanager
def hanging(canary):
    """Until the block ends a canary gets no answer; one has asked when the block begins."""
    asked, answered = threading.Event(), threading.Event()

    def ask_all(timeout_s):
        asked.set()
        answered.wait()

    canary.ask_all = ask_all
    assert asked.wait(10)
    try:
        yield
    finally:
        answered.set()


def test_processes_are_watched_while_a_canary_waits_for_its_answer(supervise, canary):
    supervisor = supervise(watch=Watch(poll_interval_s=0.02, canary_interval_s=0.02, canary_deadline_s=1000.0))
    supervisor.start()
    with hanging(canary):
        canary.ask_all = lambda timeout_s: None
        os.kill(supervisor.process.pid, signal.SIGKILL)
        assert wait_for(lambda: supervisor.restarts == 1 and supervisor.state is State.SERVING, 10)


def test_stopping_does_not_wait_for_a_canary(supervise, canary):
    supervisor = supervise()
    supervisor.start()
    with hanging(canary):
        supervisor.stop()
        assert supervisor.state is State.STOPPED


def test_one_that_is_killed_while_it_starts_is_started_again(supervise, canary):
    canary.ready = False
    supervisor = supervise()
    starting = threading.Thread(target=supervisor.start)
    starting.start()
    assert wait_for(lambda: supervisor.process is not None, 10)
    first = supervisor.process.pid
    os.kill(first, signal.SIGKILL)
    assert wait_for(lambda: supervisor.process.pid != first, 10)
    canary.ready = True
    starting.join(10)
    assert supervisor.state is State.SERVING
    assert supervisor.restarts == 1


def test_a_start_that_hangs_because_a_worker_was_killed_is_tried_again(supervise, canary):
    """Triton waits for ever for a worker that dies while it loads its model."""
    canary.ready = False
    watch = Watch(poll_interval_s=0.02, canary_interval_s=1000.0, orphaned_s=0.2)
    supervisor = supervise(WITH_STUB, watch)
    starting = threading.Thread(target=supervisor.start)
    starting.start()
    assert wait_for(lambda: supervisor.process is not None and bool(supervisor.process.stubs()), 10)
    first = supervisor.process
    time.sleep(0.5)  # it was seen
    os.kill(first.stubs().pop(), signal.SIGKILL)
    assert wait_for(lambda: supervisor.process is not first, 20)
    canary.ready = True
    starting.join(10)
    assert supervisor.state is State.SERVING


def test_a_stub_that_only_told_its_version_is_no_lost_worker(supervise, canary, tmp_path):
    """Triton runs the stub in a shell to ask for its version; a start that takes long after it does not hang."""
    canary.ready = False
    watch = Watch(poll_interval_s=0.02, canary_interval_s=1000.0, orphaned_s=0.2)
    supervisor = supervise(ASKS_FOR_A_VERSION, watch)
    starting = threading.Thread(target=supervisor.start)
    starting.start()
    assert wait_for((tmp_path / "told").exists, 20)
    time.sleep(1.0)  # the server still loads
    canary.ready = True
    starting.join(10)
    assert supervisor.state is State.SERVING
    assert supervisor.restarts == 0


def test_a_step_of_the_clock_hides_no_worker(supervise, canary, monkeypatch):
    canary.ask_all = lambda timeout_s: wait_for(lambda: bool(supervisor.process.stubs()), 10)
    supervisor = supervise(WITH_STUB)
    supervisor.start()
    seconds = iter(range(10**9, 0, -10))
    monkeypatch.setattr(psutil._pslinux, "boot_time", lambda: float(next(seconds)))  # each look is before the last
    for _ in range(5):
        assert len(supervisor.process.stubs()) == 1
    assert supervisor.restarts == 0


def test_killed_at_every_start_it_is_given_up(supervise, canary):
    canary.ready = False
    with pytest.raises(ServingError, match="3 times in a row"):
        supervise("kill -9 $$").start()


def test_a_start_that_ends_because_a_worker_was_killed_is_tried_again(supervise, canary):
    canary.ready = False
    with pytest.raises(ServingError, match="3 times in a row"):
        supervise("echo \"E1121 Stub process 'whisper-base_0_0' is not healthy.\"; exit 1").start()

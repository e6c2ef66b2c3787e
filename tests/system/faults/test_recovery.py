"""Workers and parents that are killed, and callers that go away."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest
import tritonclient.grpc as grpcclient
from tritonclient.utils import InferenceServerException

from tests.harness.paths import COMMAND
from tests.harness.processes import wait_for
from tests.harness.raw import RawClient, as_bytes, ok, text_of
from triscribe.errors import ServingError
from triscribe.serving import EmbeddedTriton, ServeOptions
from triscribe.serving.runtime import STUB
from triscribe.serving.shared_memory import FOLDER, NAME
from triscribe.serving.supervisor import State
from triscribe.transcription.transcriber import Transcriber
from triscribe.triton.connection import RetryPolicy, TritonConnection
from triscribe.types import Chunk

pytestmark = pytest.mark.server

LOAD_S = 60
"""Loading both checkpoints on a busy machine."""


@pytest.fixture
def recovered(server):
    """Whatever the test does, the next one finds a server that serves."""
    yield
    assert wait_for(lambda: server.supervisor.state is State.SERVING, LOAD_S)


@pytest.mark.usefixtures("recovered")
def test_a_worker_killed_under_load_costs_time_but_no_text(server, conversation):
    expected = Transcriber(server.url).transcribe(conversation.path)
    restarts = server.supervisor.restarts
    # The children are named by Triton: the model's path is among the stub's arguments.
    stubs = [psutil.Process(pid) for pid in server.supervisor.process.stubs()]
    worker = next(stub for stub in stubs if any("whisper-base" in argument for argument in stub.cmdline()))

    async def run():
        transcriber = Transcriber(server.url)
        before = _answered(server, "whisper-base")
        jobs = [asyncio.create_task(transcriber.transcribe_async(conversation.path)) for _ in range(3)]
        assert await asyncio.to_thread(wait_for, lambda: _answered(server, "whisper-base") > before, 30)
        worker.kill()
        assert not any(job.done() for job in jobs)
        assert await asyncio.to_thread(wait_for, lambda: server.supervisor.restarts > restarts, 10)
        return await asyncio.gather(*jobs)

    assert asyncio.run(run()) == [expected] * 3
    assert wait_for(lambda: server.supervisor.state is State.SERVING, LOAD_S)
    with RawClient(server.url) as client:
        assert text_of(ok(client.ask(conversation.part(21.9, 24), {"language": "en"})))


def _answered(server, model):
    """Requests that a model has answered; 0 while Triton is down."""
    try:
        with grpcclient.InferenceServerClient(server.url) as client:
            return client.get_inference_statistics(model).model_stats[0].inference_count
    except InferenceServerException:
        return 0


@pytest.mark.usefixtures("recovered")
def test_a_killed_server_leaves_no_worker_and_no_shared_memory_behind(server):
    process = server.supervisor.process
    stubs, regions = process.stubs(), _regions(process.pid)
    assert stubs
    assert regions
    os.kill(process.pid, signal.SIGKILL)
    assert wait_for(lambda: server.supervisor.process.pid != process.pid, timeout_s=60)
    assert wait_for(lambda: not any(psutil.pid_exists(pid) for pid in stubs), timeout_s=10)
    assert not any(region.exists() for region in regions)


def _regions(pid):
    """Files of shared memory that a process has mapped."""
    return {Path(one.path) for one in psutil.Process(pid).memory_maps() if one.path.startswith(f"{FOLDER}/{NAME}")}


def test_nothing_new_starts_for_a_caller_that_went_away(server, conversation):
    """Twelve bulk requests, all but one cancelled while they wait: far fewer executions than requests."""

    def executions():
        with grpcclient.InferenceServerClient(server.url) as client:
            return client.get_inference_statistics("whisper-base").model_stats[0].execution_count

    chunk = Chunk(0, 0.0, conversation.samples[: 29 * 16000])

    async def run():
        async with TritonConnection(server.url, retry=RetryPolicy(give_up_after_s=1)) as connection:
            # Prompts of different lengths cannot share an execution.
            jobs = [
                asyncio.create_task(
                    connection.transcribe(
                        chunk,
                        {"language": "en", "priority": "bulk", "initial_prompt": "So. " * (n + 1)},
                        timeout_s=120,
                    )
                )
                for n in range(12)
            ]
            await asyncio.sleep(1.0)
            for job in jobs[1:]:
                job.cancel()
            return await asyncio.gather(*jobs, return_exceptions=True)

    before = executions()
    answers = asyncio.run(run())
    assert answers[0].segments
    assert all(isinstance(answer, asyncio.CancelledError) for answer in answers[1:])
    # What the server still does for the others ends within two executions.
    with RawClient(server.url) as client:
        client.send({"AUDIO": conversation.part(21.9, 24), "OPTIONS": as_bytes({"language": "en"})})
        assert ok(client.receive())
    assert executions() - before <= 6


def test_a_parent_that_is_killed_leaves_nothing_behind(tmp_path):
    script = textwrap.dedent("""
        import json, time
        from triscribe.serving import EmbeddedTriton, ServeOptions
        with EmbeddedTriton(ServeOptions(models=("tiny.en",))) as triton:
            process = triton.supervisor.process
            print(json.dumps([process.pid, *process.stubs()]), flush=True)
            time.sleep(600)
    """)
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    try:
        pids = json.loads(parent.stdout.readline())
        assert len(pids) >= 4  # Triton and a stub for transcribe, align and whisper
        assert all(psutil.pid_exists(pid) for pid in pids)
        parent.kill()
        parent.wait()
        assert wait_for(lambda: not any(map(_alive, pids)), 30)
    finally:
        parent.kill()
        parent.stdout.close()


def test_a_checkpoint_that_cannot_be_loaded_is_told_with_the_reason(english_folder, tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()
    for file in english_folder.iterdir():
        if file.name != "model.bin" and file.is_file():
            (broken / file.name).write_bytes(file.read_bytes())
    (broken / "model.bin").write_bytes((english_folder / "model.bin").read_bytes()[:100_000])
    started = time.monotonic()
    with pytest.raises(ServingError) as caught, EmbeddedTriton(ServeOptions(models=(str(broken),))):
        pass
    assert "no compute type works" in str(caught.value)
    # Its own end is noticed: the deadline for getting ready is not waited for, and nothing is tried again.
    assert time.monotonic() - started < 100


def test_a_terminated_run_leaves_nothing_behind(conversation, tmp_path):
    """SIGTERM while Triton starts: status 143, and no server, stub or run directory stays."""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    run = subprocess.Popen(
        [COMMAND, "transcribe", str(conversation.path), "--model", "tiny.en"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    parent = psutil.Process(run.pid)
    assert wait_for(lambda: any(_name(child).startswith(STUB[:15]) for child in parent.children(recursive=True)), 60)
    family = [child.pid for child in parent.children(recursive=True)]
    run.send_signal(signal.SIGTERM)
    stdout, stderr = run.communicate(timeout=60)
    assert run.returncode == 128 + signal.SIGTERM
    assert stdout == ""
    assert "Traceback" not in stderr
    assert wait_for(lambda: not any(map(_alive, family)), 20)
    assert not list(tmp_path.glob("triscribe-*"))


def _name(process):
    try:
        return process.name()
    except psutil.NoSuchProcess:  # it ended while it was being looked at
        return ""


def _alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False

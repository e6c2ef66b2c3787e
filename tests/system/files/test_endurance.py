"""What goes on for long or comes in masses: a cut wire, a burst, mixed requests, two jobs on one output."""

import asyncio
import json
import os
import signal
import subprocess
import threading
import time

import numpy as np
import psutil
import pytest
from benchmarks.reliability.soak.requests import KINDS, Mix

from tests.harness.gateway import gateway_process
from tests.harness.paths import COMMAND
from tests.harness.processes import wait_for
from tests.harness.wire import Proxy
from triscribe.client import AsyncClient, RecognitionOptions
from triscribe.errors import ResourceExhaustedError
from triscribe.serving import EmbeddedTriton, ServeOptions
from triscribe.serving.supervisor import State
from triscribe.transcription.options import TranscribeOptions
from triscribe.transcription.transcriber import Transcriber
from triscribe.triton.connection import RetryPolicy, TritonConnection
from triscribe.types import SAMPLE_RATE, Chunk

pytestmark = pytest.mark.server

OPTIONS = TranscribeOptions(model="tiny.en", language="en", decoding={"temperature": [0.0]})


def test_a_cut_wire_costs_time_but_no_text(server, conversation):
    expected = Transcriber(server.url, OPTIONS).transcribe(conversation.path)
    with Proxy(server.url) as wire:

        def cut_while_it_is_used():
            wire.used.wait(60)  # the recordings are decoded before
            time.sleep(0.3)
            wire.cut(2.0)

        cut = threading.Thread(target=cut_while_it_is_used)
        cut.start()

        async def run():
            transcriber = Transcriber(wire.address, OPTIONS)
            return await asyncio.gather(*(transcriber.transcribe_async(conversation.path) for _ in range(6)))

        transcripts = asyncio.run(run())
        cut.join()
        assert wire.resets  # it came while they were under way
    assert transcripts == [expected] * 6


async def test_an_upload_survives_a_killed_server_and_a_cut_wire(server, conversation):
    options = RecognitionOptions(language="en", model="tiny.en", decoding={"temperatures": [0.0]})
    with Proxy(server.url) as wire, gateway_process(wire.address) as gateway:
        async with AsyncClient(gateway.address) as client:
            expected = (await client.transcribe(conversation.path, options)).text
            restarts = server.supervisor.restarts
            calls = [asyncio.create_task(client.transcribe(conversation.path, options)) for _ in range(6)]
            await asyncio.to_thread(wire.used.wait, 60)
            await asyncio.sleep(0.8)
            wire.cut(2.0)
            os.kill(server.supervisor.process.pid, signal.SIGKILL)
            texts = [transcript.text for transcript in await asyncio.gather(*calls)]
    assert texts == [expected] * 6
    assert wire.resets
    assert server.supervisor.restarts > restarts
    assert await asyncio.to_thread(wait_for, lambda: server.supervisor.state is State.SERVING, 60)


async def test_a_burst_is_refused_in_part_at_once_and_the_rest_is_right(conversation):
    clip = Chunk(0, 0.0, conversation.part(21.9, 24))
    options = {"language": "en", "temperature": [0.0]}
    sizing = {"max_waiting_s": 100.0}
    with EmbeddedTriton(ServeOptions(models=("tiny.en",), sizing=sizing)) as triton:
        async with TritonConnection(triton.url, retry=RetryPolicy(give_up_after_s=0)) as connection:
            expected = await connection.transcribe(clip, options, timeout_s=60)
            assert expected.segments
            calls = (connection.transcribe(clip, options, timeout_s=60) for _ in range(80))
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
            refused = [outcome for outcome in outcomes if isinstance(outcome, ResourceExhaustedError)]
            assert refused
            assert all(error.retry_after_s and error.retry_after_s >= 1 for error in refused)
            accepted = [outcome for outcome in outcomes if outcome not in refused]
            assert accepted
            assert all(outcome == expected for outcome in accepted)
            assert await connection.transcribe(clip, options, timeout_s=60) == expected


async def test_mixed_requests_leave_nothing_and_hear_only_themselves(server):
    with gateway_process(server.url) as gateway:
        async with Mix(server.url, gateway.address, ("tiny.en",)) as mix:
            await mix.learn()
            processes = [psutil.Process(pid) for pid in (gateway.process.pid, server.supervisor.process.pid)]

            async def several(count):
                kinds = await asyncio.gather(*(mix.one() for _ in range(count)))
                await asyncio.sleep(1.0)
                held = [(p.num_threads(), p.num_fds(), len(p.children(recursive=True))) for p in processes]
                return kinds, held

            await several(20)  # threads, connections and decoders that are kept
            before = (await several(20))[1]
            kinds, after = await several(20)
            assert len(set(kinds) & set(KINDS)) >= 3
            assert mix.wrong == []
            assert mix.compared
            for early, late in zip(before, after, strict=True):
                # A pool may grow by a few; what leaks grows with each of the twenty.
                assert all(now - then < 10 for then, now in zip(early, late, strict=True)), (before, after)


async def test_an_answered_request_leaves_nothing_in_the_server(server):
    quiet = Chunk(0, 0.0, np.zeros(29 * SAMPLE_RATE, np.float32))
    triton = psutil.Process(server.supervisor.process.pid)

    async with TritonConnection(server.url) as connection:

        async def held_mb_after(count):
            slots = asyncio.Semaphore(6)

            async def one():
                async with slots:
                    await connection.transcribe(quiet, {"language": "en"}, timeout_s=60)

            await asyncio.gather(*(one() for _ in range(count)))
            return triton.memory_full_info().uss / 1e6

        before = await held_mb_after(500)  # as many buffers as there are at once
        after = await held_mb_after(1500)
    # A request is 1.9 MB: cancelled right after its answer, one in twenty stayed, 150 MB in all.
    assert after - before < 60


def test_two_jobs_on_one_output_do_not_harm_each_other(server, conversation, tmp_path):
    command = [COMMAND, "transcribe", "--server", server.url, "--model", "tiny.en", "--language", "en", "--resume"]
    command += ["--format", "json,srt", "--output-dir", str(tmp_path), str(conversation.path)]
    jobs = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [job.communicate(timeout=120)[1] for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0], said
    assert json.loads((tmp_path / "sample.json").read_text())["segments"]
    assert (tmp_path / "sample.srt").read_text().startswith("1\n")
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {"sample.json", "sample.srt"}

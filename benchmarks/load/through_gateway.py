"""The gateway beside the pipeline behind it: equal texts, live results, and what a call through it costs.

    .venv/bin/python -m benchmarks.load.through_gateway [--data DIR] [--model base] [--minutes 3]
        [--only equal,live,overhead]

Starts a Triton and a gateway, each a process of its own. Recordings and word error rate are those of `accuracy.py`;
live audio is sent at the pace of speech, in pieces of 100 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import numpy as np
from tests.harness.audio import pcm16, wav
from tests.harness.gateway import gateway_process
from tests.harness.paths import COMMAND, DATA

from benchmarks.load.pace import Speaker
from benchmarks.quality.corpus import Recording, join, load
from benchmarks.quality.scoring import scorer
from triscribe.client import AsyncClient, LiveEnd, LiveOptions, LiveResult, PcmFormat, RecognitionOptions
from triscribe.serving import EmbeddedTriton, ServeOptions
from triscribe.transcription.transcriber import Transcriber
from triscribe.triton.session import Session
from triscribe.types import SAMPLE_RATE

PIECE_S = 0.1
SHORT_S = 55.0
"""What `Recognize` takes is at most 60 s."""
CALLS = 30
"""Calls of each side for the cost of one."""


def main() -> None:
    """Start both servers and print the figures asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--model", default="base")
    parser.add_argument("--minutes", type=float, default=3.0, help="length of the live stream")
    parser.add_argument("--only", default="equal,live,overhead")
    arguments = parser.parse_args()
    english = load(arguments.data / "asr", {"en"})
    parts: dict[str, Callable[[str, str], Coroutine[Any, Any, None]]] = {
        "equal": lambda server, address: equal(server, address, up_to(english, SHORT_S)),
        "live": lambda _, address: live(address, up_to(english, arguments.minutes * 60)),
        "overhead": lambda server, address: overhead(server, address, english[0]),
    }
    with EmbeddedTriton(ServeOptions(models=(arguments.model,))) as triton, gateway_process(triton.url) as gateway:
        for name in arguments.only.split(","):
            asyncio.run(parts[name](triton.url, gateway.address))


def up_to(recordings: list[Recording], seconds: float) -> Recording:
    """Recordings joined, as many as fit, taken from all over the list so that many voices speak."""
    chosen: list[Recording] = []
    left = seconds
    for recording in (recordings[i] for start in range(5) for i in range(start, len(recordings), 5)):
        needed = len(recording.samples) / SAMPLE_RATE + 1.0  # the pause of `join`
        if needed <= left - 1.0:
            chosen.append(recording)
            left -= needed
    return join(chosen)


async def equal(server: str, address: str, recording: Recording) -> None:
    """One file through the command line, `Recognize` and the upload."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "talk.wav"
        file.write_bytes(wav(recording.samples))
        command = [COMMAND, "transcribe", "--server", server, "--format", "json", str(file)]
        printed = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=True)
        async with AsyncClient(address) as client:
            texts = [json.loads(printed.stdout)["text"], (await client.recognize(file)).text]
            texts.append((await client.transcribe(file)).text)
    words = len(texts[0].split())
    same = ["equal" if text == texts[0] else "DIFFERENT" for text in texts[1:]]
    print(f"{len(recording.samples) / SAMPLE_RATE:.0f} s, {words} words: command line; Recognize {same[0]}; ", end="")
    print(f"upload {same[1]}")


async def live(address: str, recording: Recording) -> None:
    """A stream at the pace of speech, against the same audio as a file."""
    options = RecognitionOptions(language="en", pcm=PcmFormat())
    async with AsyncClient(address) as client:
        offline = (await client.transcribe(pcm16(recording.samples), options)).text
        speaker = Speaker(recording.samples, PIECE_S)
        finals: list[float] = []
        interims: list[float] = []
        text = ""
        async for event in client.stream(speaker.pieces(), options, LiveOptions(interims=True)):
            if isinstance(event, LiveEnd):
                text = event.transcript.text
            elif isinstance(event, LiveResult) and event.segments:
                delay = speaker.now_s - event.segments[-1].end
                (finals if event.is_final else interims).append(delay)
    score = scorer("en")
    against = [100 * score([recording.reference], [said]) for said in (offline, text)]
    print(
        f"live, {len(recording.samples) / SAMPLE_RATE / 60:.1f} min at the pace of speech "
        f"(at most {speaker.late_s:.2f} s late)"
    )
    print(
        f"word error rate: file {against[0]:.2f} %, live {against[1]:.2f} % ({against[1] - against[0]:+.2f}); ", end=""
    )
    print(f"live against the file's text {100 * score([offline], [text]):.2f} %")
    for name, delays in (("final after the end of its sentence", finals), ("interim after its last word", interims)):
        print(
            f"{name}: median {statistics.median(delays):.2f} s, p90 {np.percentile(delays, 90):.2f} s, of {len(delays)}"
        )


async def overhead(server: str, address: str, recording: Recording) -> None:
    """The same clip in turns through `Recognize` and through the Transcriber in this process."""
    options = RecognitionOptions(pcm=PcmFormat())
    file, data = wav(recording.samples), pcm16(recording.samples)
    took: dict[str, list[float]] = {"direct": [], "gateway": []}
    async with AsyncClient(address) as client, Session(server) as session:
        transcriber = Transcriber(server)
        sides: dict[str, Callable[[], Awaitable[object]]] = {
            "direct": lambda: transcriber.transcribe_in(session, file),
            "gateway": lambda: client.recognize(data, options),
        }
        for call in range(CALLS + 2):
            for name in sorted(sides, reverse=call % 2 == 1):
                began = time.perf_counter()
                await sides[name]()
                if call >= 2:  # the first ones warm up
                    took[name].append(1000 * (time.perf_counter() - began))
    for name, times in took.items():
        quarters = statistics.quantiles(times)
        print(f"{name}: median {quarters[1]:.0f} ms, quartiles {quarters[0]:.0f} to {quarters[2]:.0f} ms")
    extra = statistics.median(theirs - ours for ours, theirs in zip(took["direct"], took["gateway"], strict=True))
    ratio = statistics.median(took["gateway"]) / statistics.median(took["direct"])
    seconds = len(recording.samples) / SAMPLE_RATE
    print(f"a clip of {seconds:.0f} s through the gateway: {extra:+.0f} ms a call (median of pairs), x {ratio:.3f}")


if __name__ == "__main__":
    main()

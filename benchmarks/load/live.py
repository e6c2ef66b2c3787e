"""How long after the end of speech its final text is there, and what that costs in errors.

    .venv/bin/python -m benchmarks.load.live [--data DIR] [--model base] [--clips 20] [--callers 1] [--end-s S]

After the method of pipecat-ai/stt-benchmark: each clip is played at the pace of speech, with silence behind it, and the
clock runs from the moment at which the end of its speech was sent (where voice detection finds that in the whole clip)
to the last final. The same clip as a file gives the errors to compare with, in pairs.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from tests.harness.audio import pcm16
from tests.harness.gateway import gateway_process
from tests.harness.paths import DATA

from benchmarks.load.pace import Speaker
from benchmarks.quality.corpus import Recording, load
from benchmarks.quality.scoring import difference, errors
from triscribe.client import AsyncClient, LiveEnd, LiveOptions, LiveResult, PcmFormat, RecognitionOptions
from triscribe.serving import EmbeddedTriton, ServeOptions
from triscribe.speech.vad import VadOptions, speech_spans
from triscribe.types import SAMPLE_RATE

SILENCE_S = 2.0
PIECE_S = 0.02
"""What a telephone sends at once."""


@dataclass(frozen=True)
class Heard:
    """Of one clip: seconds from the end of its speech to its last final, texts, and words of interims."""

    name: str
    final_s: float
    finals: int
    live: str
    file: str
    shown: int
    changed: int


def main() -> None:
    """Start both servers, play the clips and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--model", default="base")
    parser.add_argument("--clips", type=int, default=20)
    parser.add_argument("--callers", type=int, default=1, help="who speak at once, each one clip after the other")
    parser.add_argument("--end-s", type=float, help="silence after which speech is final; default: the gateway's")
    arguments = parser.parse_args()
    recordings = load(arguments.data / "asr", {"en"})
    recordings = recordings[:: max(1, len(recordings) // arguments.clips)][: arguments.clips]
    options = ServeOptions(models=(arguments.model,))
    limits = {"max_calls_per_caller": 64, "max_calls": 64}
    with EmbeddedTriton(options) as triton, gateway_process(triton.url, **limits) as gateway:
        heard, cpu_s = asyncio.run(listen(gateway.address, recordings, arguments))
    report(recordings, heard, arguments.callers, cpu_s)


async def listen(
    address: str, recordings: Sequence[Recording], arguments: argparse.Namespace
) -> tuple[list[Heard], float]:
    """Every clip, by so many callers at once."""
    left = list(recordings)
    heard: list[Heard] = []
    async with AsyncClient(address) as client:
        await client.recognize(pcm16(recordings[0].samples[: 3 * SAMPLE_RATE]), RecognitionOptions(pcm=PcmFormat()))
        files = {r.name: (await client.recognize(pcm16(r.samples), _options(arguments))).text for r in recordings}

        async def caller(number: int) -> None:
            await asyncio.sleep(number * 0.7)
            while left:
                recording = left.pop(0)
                heard.append(await play(client, recording, files[recording.name], arguments))

        before_s = machine_s()
        await asyncio.gather(*map(caller, range(arguments.callers)))
        return heard, machine_s() - before_s


def _options(arguments: argparse.Namespace) -> RecognitionOptions:
    return RecognitionOptions(model=arguments.model, language="en", pcm=PcmFormat())


async def play(client: AsyncClient, recording: Recording, file: str, arguments: argparse.Namespace) -> Heard:
    """One clip at the pace of speech."""
    silence = np.zeros(round(SILENCE_S * SAMPLE_RATE), np.float32)
    speech_end_s = speech_spans(recording.samples, VadOptions(pad_s=0.0))[-1].end / SAMPLE_RATE
    speaker = Speaker(np.concatenate([recording.samples, silence]), PIECE_S)
    live = LiveOptions(interims=True, end_s=arguments.end_s)
    last_s, finals, text = 0.0, 0, ""
    shown = changed = 0
    words: list[str] = []
    async for event in client.stream(speaker.pieces(), _options(arguments), live):
        if isinstance(event, LiveEnd):
            text = event.transcript.text
        elif isinstance(event, LiveResult):
            now = [word.word for segment in event.segments for word in segment.words]
            changed += sum(a != b for a, b in zip(words, now, strict=False)) + max(0, len(words) - len(now))
            shown += len(now)
            words = [] if event.is_final else now
            if event.is_final:
                last_s, finals = speaker.now_s, finals + 1
    return Heard(recording.name, last_s - speech_end_s, finals, text, file, shown, changed)


def machine_s() -> float:
    """Seconds of CPU that the machine has used."""
    times = psutil.cpu_times()
    return times.user + times.system


def report(recordings: Sequence[Recording], heard: Sequence[Heard], callers: int, cpu_s: float) -> None:
    """Print the figures."""
    by_name = {recording.name: recording for recording in recordings}
    live = {h.name: errors("en", by_name[h.name].reference, h.live) for h in heard}
    file = {h.name: errors("en", by_name[h.name].reference, h.file) for h in heard}
    delays = sorted(h.final_s for h in heard)
    audio_s = sum(len(recording.samples) for recording in recordings) / SAMPLE_RATE
    units = sum(e.units for e in live.values())
    low, high = np.percentile(delays, [50, 95])
    print(f"{len(heard)} clips, {audio_s:.0f} s, {callers} at once; CPU: {cpu_s / audio_s:.2f} s for one of audio")
    print(f"end of speech to final: median {low:.2f} s, 95th percentile {high:.2f} s, worst {delays[-1]:.2f} s")
    rates = [100 * sum(e.count for e in side.values()) / units for side in (live, file)]
    groups = {name: by_name[name].speaker for name in live}
    points = difference(live, file, groups)
    print(f"errors: live {rates[0]:.2f} %, file {rates[1]:.2f} %, difference {points} points")
    print(f"finals for a clip: {statistics.mean(h.finals for h in heard):.2f}; ", end="")
    print(
        f"shown words that changed: {100 * sum(h.changed for h in heard) / max(1, sum(h.shown for h in heard)):.1f} %"
    )


if __name__ == "__main__":
    main()

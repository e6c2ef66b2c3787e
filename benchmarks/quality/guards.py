"""Text where nobody speaks: words a minute from silence, noise, music, applause, hold tones, before and after guards.

    .venv/bin/python -m benchmarks.quality.guards [--minutes 10] [--quick] [--write] [--reference]

The sounds are made by `sounds.py` from a seed. Each goes through one real Triton with whisper base:

* no guards: windows of 30 s straight to `whisper-base` (beam 5, temperature 0), every token written down;
* gates: the client without voice detection, so that the gates of `transcribe` stand alone;
* all guards: the client as it comes.

Then a conversation stands between two stretches of each sound: what is said must be kept, and nothing be written
beside it. `--reference` puts faster-whisper beside it, as it comes, and with its voice detection. Exits with 1 when
all guards together let through more than BOUND words a minute of any kind, or lose words of the conversation.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tritonclient.grpc.aio as grpcclient
from tests.harness.sounds import SOUNDS, of_kind

from benchmarks.page import markdown_table, write_section
from benchmarks.quality.scoring import recall
from benchmarks.speed import inprocess  # noqa: F401 - puts the model repository on the path
from triscribe.media import decoding
from triscribe.media.decoding import Decoded
from triscribe.models import ModelStore
from triscribe.serving import EmbeddedTriton, ServeOptions
from triscribe.transcription.options import TranscribeOptions
from triscribe.transcription.transcriber import Transcriber
from triscribe.triton.session import Session
from triscribe.types import SAMPLE_RATE, Samples, Segment
from triscribe_transcribe.checkpoint import Checkpoint
from triscribe_transcribe.features import log_mel

MODEL = "base"
BOUND = 0.5
"""Words a minute of false text, of any kind, that all guards together may let through."""

LOST = 0.05
"""Share of the reference words of the conversation that may be found less beside a sound than alone:
four of 87. A single short word that stands 4 s before the rest is found or not."""

WINDOW = 30 * SAMPLE_RATE
_UNSPACED = re.compile("[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")


def count_words(text: str) -> int:
    """Words; characters of scripts that part none count as one each."""
    return len(re.findall(r"\w+(?:['’]\w+)*", _UNSPACED.sub(" x ", text)))


@dataclass(frozen=True)
class Island:
    """A conversation between two stretches of a sound: what was found of it, and what beside it."""

    found: float
    false_words: int


async def unguarded(url: str, samples: Samples) -> str:
    """Whisper alone: every window of 30 s, whatever is in it."""
    checkpoint = Checkpoint.read(MODEL, ModelStore().resolve(MODEL), tasks=("transcribe",))

    async with grpcclient.InferenceServerClient(url) as client:

        async def window(start: int) -> str:
            features = log_mel(samples[start : start + WINDOW], checkpoint.n_mels, 3000)[np.newaxis]
            options = np.frombuffer(json.dumps({"beam_size": 5}).encode(), np.uint8)[np.newaxis]
            inputs = []
            for name, kind, array in (("FEATURES", "FP32", features), ("OPTIONS", "UINT8", options)):
                tensor = grpcclient.InferInput(name, list(array.shape), kind)
                tensor.set_data_from_numpy(np.ascontiguousarray(array))
                inputs.append(tensor)
            answer = (await client.infer(f"whisper-{MODEL}", inputs)).as_numpy("RESULT")
            ok = json.loads(answer.tobytes())["ok"]
            return str(checkpoint.text_tokenizer(ok["language"]).decode(ok["tokens"]))

        texts = await asyncio.gather(*(window(start) for start in range(0, len(samples), WINDOW)))
    return " ".join(texts)


async def guarded(url: str, samples: Samples, *, voice_detection: bool) -> tuple[Segment, ...]:
    """The client as it comes, or without its voice detection."""
    options = TranscribeOptions()
    if not voice_detection:
        options = replace(options, voice_detection=None)
    async with Session(url) as session:
        transcript = await Transcriber(url, options).transcribe_in(session, Decoded(samples))
    return transcript.segments


def text_of(segments: Sequence[Segment]) -> str:
    """All of the text."""
    return " ".join(segment.text for segment in segments)


async def island(url: str, conversation: Samples, reference: str, sound: Samples) -> Island:
    """The conversation with the sound before and after it."""
    samples = np.concatenate([sound, conversation, sound])
    segments = await guarded(url, samples, voice_detection=True)
    first, last = len(sound) / SAMPLE_RATE - 0.5, (len(sound) + len(conversation)) / SAMPLE_RATE + 0.5
    outside = [segment for segment in segments if segment.end < first or segment.start > last]
    inside = [segment for segment in segments if segment not in outside]
    return Island(recall(reference, text_of(inside)), count_words(text_of(outside)))


def references(sounds: dict[str, Samples]) -> dict[str, dict[str, str]]:
    """faster-whisper's text of each kind, without and with its voice detection."""
    from faster_whisper import WhisperModel

    whisper = WhisperModel(str(ModelStore().resolve(MODEL)), device="cpu", compute_type="int8")
    sides: dict[str, dict[str, str]] = {}
    for name, detects in (("faster-whisper", False), ("faster-whisper, VAD", True)):
        sides[name] = {}
        for kind, samples in sounds.items():
            segments, _ = whisper.transcribe(samples, vad_filter=detects)
            sides[name][kind] = " ".join(segment.text for segment in segments)
    return sides


def conversation() -> tuple[Samples, str]:
    """Half a minute of two people on the telephone, and what they say."""
    folder = ModelStore().pull("sample-conversation")
    lines = (folder / "sample.stm").read_text().splitlines()
    said = " ".join(line.split(maxsplit=5)[5] for line in lines if line and not line.startswith(";;"))
    return decoding.decode(folder / "sample.wav").samples, said


async def measure(url: str, sounds: dict[str, Samples], island_s: float) -> tuple[dict[str, dict[str, str]], list[Any]]:
    """The texts of every side and kind, and the rows about the islands."""
    sides: dict[str, dict[str, str]] = {"no guards": {}, "gates": {}, "all guards": {}}
    for kind, samples in sounds.items():
        started = time.monotonic()
        sides["no guards"][kind] = await unguarded(url, samples)
        sides["gates"][kind] = text_of(await guarded(url, samples, voice_detection=False))
        sides["all guards"][kind] = text_of(await guarded(url, samples, voice_detection=True))
        print(f"{kind}: {time.monotonic() - started:.0f} s", flush=True)
        for name, texts in sides.items():
            print(f"  {name}: {texts[kind][:400]!r}", flush=True)
    spoken, said = conversation()
    alone = await island(url, spoken, said, spoken[:0])
    islands: list[Any] = [("nothing", alone)]
    for kind in sounds:
        islands.append((kind, await island(url, spoken, said, of_kind(kind, island_s))))
    return sides, islands


def report(sides: dict[str, dict[str, str]], islands: list[tuple[str, Island]], minutes: float, island_s: float) -> str:
    """Both tables."""
    kinds = list(SOUNDS)
    rows = [[name, *(f"{count_words(texts[kind]) / minutes:.1f}" for kind in kinds)] for name, texts in sides.items()]
    return "\n".join(
        [
            f"Words of false text a minute, {minutes:g} minutes of each kind, whisper {MODEL}:",
            "",
            markdown_table(["", *kinds], rows),
            "",
            f"A telephone conversation with {island_s / 60:g} minutes of a sound before and after it, all guards:",
            "",
            markdown_table(
                ["beside", "reference words found", "words beside it"],
                [[kind, f"{100 * one.found:.1f} %", one.false_words] for kind, one in islands],
            ),
        ]
    )


def failures(sides: dict[str, dict[str, str]], islands: list[tuple[str, Island]], minutes: float) -> list[str]:
    """What is beyond its bound."""
    found = [
        f"{kind}: {count_words(text) / minutes:.2f} words a minute, at most {BOUND} may come"
        for kind, text in sides["all guards"].items()
        if count_words(text) / minutes > BOUND
    ]
    alone = islands[0][1]
    found += [
        f"beside {kind} {100 * one.found:.1f} % of the words were found, alone {100 * alone.found:.1f} %"
        for kind, one in islands
        if one.found < alone.found - LOST
    ]
    return found


def main() -> None:
    """Measure, print, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="of each kind")
    parser.add_argument("--quick", action="store_true", help="half a minute of each kind")
    parser.add_argument("--reference", action="store_true", help="faster-whisper beside it (slow)")
    parser.add_argument("--write", action="store_true", help="into docs/reliability.md")
    arguments = parser.parse_args()
    minutes = 0.5 if arguments.quick else arguments.minutes
    island_s = 120.0 if minutes >= 2 else 20.0
    sounds = {kind: of_kind(kind, 60 * minutes) for kind in SOUNDS}
    with EmbeddedTriton(ServeOptions(models=(MODEL,))) as server:
        sides, islands = asyncio.run(measure(server.url, sounds, island_s))
    if arguments.reference:
        sides |= references(sounds)
    text = report(sides, islands, minutes, island_s)
    print(text)
    if arguments.write:
        write_section("reliability.md", "guards", text)
    if found := failures(sides, islands, minutes):
        sys.exit("\n".join(found))


if __name__ == "__main__":
    main()

"""Errors of Triscribe beside faster-whisper: same weights, same audio, with paired intervals.

    .venv/bin/python -m benchmarks.quality.accuracy --keep DIR [--data DIR] [--model base] [--sets asr-en,words-en]
        [--sides triscribe,batched] [--show]

A set is the recordings of one language in one folder below the data folder (`asr-en`), the same under a condition that
is made (`asr-en+noise`), or joined into one (`asr-en+joined`). Every side writes the texts of a set into a file below
`--keep`, and a run only computes what is missing there: the whole takes an hour on two cores.
English is normalised as in the Whisper paper (whisper_normalizer), the others by its basic normaliser. Languages
without spaces are scored in characters (CER), Chinese with its scripts folded into simplified (OpenCC).
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from faster_whisper import BatchedInferencePipeline, WhisperModel
from rich.console import Console
from rich.table import Table
from tests.harness.paths import DATA

from benchmarks.quality.corpus import CONDITIONS, Recording, join, load
from benchmarks.quality.scoring import Errors, difference, doubled, errors
from benchmarks.speed.inprocess import InProcess
from triscribe.media.decoding import Decoded
from triscribe.models import ModelStore
from triscribe.serving import EmbeddedTriton, ServeOptions
from triscribe.speech.chunking import options_for
from triscribe.speech.chunks import Speech
from triscribe.speech.vad import VadOptions
from triscribe.transcription.options import TranscribeOptions
from triscribe.transcription.transcriber import RunOptions, Transcriber
from triscribe.triton.session import Session

FOLDERS = ("asr", "words")
MAX_BATCH = 8
MIN_GROUPS = 2
"""Of no more speakers than this an interval says nothing."""

Texts = dict[str, str]
"""Of a set, by the name of the recording."""
Transcribe = Callable[[str, Sequence[Recording]], Texts]
"""A side: model and recordings to texts."""


def main() -> None:
    """Compute what is missing and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--keep", type=Path, required=True, help="where texts are kept; a new folder for new code")
    parser.add_argument("--model", default="base")
    parser.add_argument("--sets", default="", help="only these")
    parser.add_argument("--sides", default="", help=f"only these of {', '.join(SIDES)}; differences are to the first")
    parser.add_argument("--show", action="store_true", help="print what the sides got wrong")
    arguments = parser.parse_args()
    wanted = {name: recordings for name, recordings in sets(arguments.data).items() if _is_in(name, arguments.sets)}
    sides = arguments.sides.split(",") if arguments.sides else list(SIDES)
    texts = {
        side: {name: texts_of(arguments, side, name, recordings) for name, recordings in wanted.items()}
        for side in sides
    }
    report(Console(width=150), wanted, texts)
    if arguments.show:
        show(wanted, texts)


def sets(data: Path) -> dict[str, list[Recording]]:
    """Every set by its name."""
    found: dict[str, list[Recording]] = {}
    for folder in FOLDERS:
        recordings = load(data / folder, set())
        for language in sorted({recording.language for recording in recordings}):
            alike = [recording for recording in recordings if recording.language == language]
            found[f"{folder}-{language}"] = alike
            if language == "en":
                found |= {
                    f"{folder}-{language}+{condition}": [make(recording) for recording in alike]
                    for condition, make in CONDITIONS.items()
                }
            if len(alike) > 1:
                found[f"{folder}-{language}+joined"] = [join(alike)]
    return found


def texts_of(arguments: argparse.Namespace, side: str, name: str, recordings: Sequence[Recording]) -> Texts:
    """What a side says of a set, computed once."""
    path = arguments.keep / arguments.model / f"{name}@{side}.json"
    if not path.exists():
        started = time.monotonic()
        texts = SIDES[side](arguments.model, recordings)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(texts, ensure_ascii=False, indent=1))
        print(f"{name}, {side}: {time.monotonic() - started:.0f} s", flush=True)
    kept: Texts = json.loads(path.read_text())
    return kept


def triscribe(model: str, recordings: Sequence[Recording]) -> Texts:
    """Through its own server, as it comes."""

    async def all_of_them(url: str) -> Texts:
        async with Session(url) as session:

            async def one(recording: Recording) -> str:
                transcriber = Transcriber(url, TranscribeOptions(language=recording.language))
                run = RunOptions(name=recording.name)
                return (await transcriber.transcribe_in(session, Decoded(recording.samples), run)).text

            texts = await asyncio.gather(*map(one, recordings))
        return {recording.name: text for recording, text in zip(recordings, texts, strict=True)}

    with EmbeddedTriton(ServeOptions(models=(model,))) as server:
        return asyncio.run(all_of_them(server.url))


def with_long_contexts(model: str, recordings: Sequence[Recording]) -> Texts:
    """Ours, every chunk in a context of 30 s."""
    return _in_process(model, recordings, VadOptions())


def without_voice_detection(model: str, recordings: Sequence[Recording]) -> Texts:
    """Ours, in contexts of 30 s, every sample taken for speech."""
    return _in_process(model, recordings, None)


def _in_process(model: str, recordings: Sequence[Recording], voice_detection: VadOptions | None) -> Texts:
    engine = _engine(model)
    texts = {}
    for recording in recordings:
        speech = Speech(Decoded(recording.samples), recording.name, voice_detection)
        chunks = list(speech.chunks(options_for(recording.language)))
        answers = asyncio.run(engine.transcribe(chunks, {"language": recording.language, "priority": "bulk"}))
        texts[recording.name] = " ".join(segment["text"] for answer in answers for segment in answer["segments"])
    return texts


def sequential(model: str, recordings: Sequence[Recording]) -> Texts:
    """faster-whisper as it comes: beam 5, its own temperature ladder, text of the last window as prompt."""
    whisper = _faster_whisper(model)
    return {
        recording.name: _text(whisper.transcribe(recording.samples, language=recording.language, beam_size=5))
        for recording in recordings
    }


def batched(model: str, recordings: Sequence[Recording]) -> Texts:
    """faster-whisper's `BatchedInferencePipeline`, which finds speech first."""
    whisper = BatchedInferencePipeline(_faster_whisper(model))
    return {
        recording.name: _text(
            whisper.transcribe(recording.samples, language=recording.language, beam_size=5, batch_size=MAX_BATCH)
        )
        for recording in recordings
    }


@functools.cache
def _engine(model: str) -> InProcess:
    return InProcess(model, ModelStore().resolve(model), {"context": {"buckets_s": [30.0]}}, aligner=True)


@functools.cache
def _faster_whisper(model: str) -> WhisperModel:
    return WhisperModel(str(ModelStore().resolve(model)), device="cpu", compute_type="int8")


def _text(answer: tuple[object, object]) -> str:
    return " ".join(segment.text for segment in answer[0])  # type: ignore[attr-defined]


SIDES: dict[str, Transcribe] = {
    "triscribe": triscribe,
    "sequential": sequential,
    "batched": batched,
    "long-contexts": with_long_contexts,
    "no-voice-detection": without_voice_detection,
}


def report(console: Console, recordings: dict[str, list[Recording]], texts: dict[str, dict[str, Texts]]) -> None:
    """One row a set and side, and rows over all English sets."""
    first = next(iter(texts))
    table = Table("set", "recordings", "side", "%", "substituted", "deleted", "inserted", "doubled", f"less {first}")
    rows = {name: [name] for name in recordings}
    english = [name for name in recordings if "-en" in name and not name.endswith("+joined")]
    if len(english) > 1:
        rows["all English"] = english
    for label, members in rows.items():
        every = [(name, recording) for name in members for recording in recordings[name]]
        groups = {recording.name: recording.speaker or recording.name for _, recording in every}
        counted: dict[str, dict[str, Errors]] = {}
        for side, said in texts.items():
            counted[side] = {
                recording.name: errors(recording.language, recording.reference, said[name][recording.name])
                for name, recording in every
            }
            total = sum(counted[side].values(), Errors())
            twice = sum(doubled(recording.language, said[name][recording.name]) for name, recording in every)
            is_first, has_spread = side == first, len(set(groups.values())) > MIN_GROUPS
            figures = (total.substituted, total.deleted, total.inserted, twice)
            less = str(difference(counted[side], counted[first], groups)) if has_spread and not is_first else ""
            heads = (label, str(len(every))) if is_first else ("", "")
            table.add_row(*heads, side, f"{total.percent:.2f}", *map(str, figures), less)
    console.print(table)


def show(recordings: dict[str, list[Recording]], texts: dict[str, dict[str, Texts]]) -> None:
    """The recordings that the sides write in different words."""
    for name, members in recordings.items():
        for recording in members:
            said = {side: by_set[name][recording.name] for side, by_set in texts.items()}
            counts = {side: errors(recording.language, recording.reference, text).count for side, text in said.items()}
            if len(set(counts.values())) > 1:
                print(f"{recording.name}\n  reference: {recording.reference}")
                print("\n".join(f"  {side}, {counts[side]}: {text}" for side, text in said.items()))


def _is_in(name: str, wanted: str) -> bool:
    return not wanted or name in wanted.split(",")


if __name__ == "__main__":
    main()

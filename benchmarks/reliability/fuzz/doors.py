"""One door under coverage-guided fire (atheris, libFuzzer); `guided` starts it.

    .venv/bin/python -m benchmarks.reliability.fuzz.doors [DOOR SECONDS SEED FOLDER]

Without arguments it names the doors. What a door does with bytes is either a value or an error that is the sender's
fault; any other exception is a finding.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import atheris
from tests.harness.paths import REPOSITORY

with atheris.instrument_imports(
    include=["triscribe", "triscribe_transcribe", "triscribe_whisper", "triscribe_align", "tomllib"]
):
    import tomllib

    import numpy as np
    from google.protobuf.message import DecodeError

    from benchmarks.reliability.fuzz import state as fuzz_state
    from benchmarks.reliability.fuzz.base import Finding
    from benchmarks.speed import inprocess  # noqa: F401 - puts the model repository on the path
    from triscribe.errors import AudioError, ModelError, ServerError
    from triscribe.gateway.grpc.requests import live_request
    from triscribe.media.declared import PcmFormat
    from triscribe.media.pcm import PcmStream
    from triscribe.service.catalogue import Catalogue, ServedModel
    from triscribe.service.requests import checked_live
    from triscribe.transcription.journal import Journal
    from triscribe.types import SAMPLE_RATE, Chunk, ChunkResult, Segment
    from triscribe.v1 import speech_pb2
    from triscribe_align import description
    from triscribe_align.errors import AlignError
    from triscribe_align.service import parse_words
    from triscribe_align.spoken import Reader
    from triscribe_transcribe.errors import PipelineError
    from triscribe_transcribe.options import Options
    from triscribe_whisper.errors import WhisperError
    from triscribe_whisper.options import WhisperOptions

_ALIGNER = REPOSITORY / "model_repository" / "align" / "languages" / "en" / "aligner.toml"


@dataclass(frozen=True)
class Door:
    """One kind of input.

    Attributes:
        take: does with bytes what the service does.
        refusals: what `take` may raise.
        seeds: valid examples to start from.
    """

    take: Callable[[bytes], object]
    refusals: tuple[type[Exception], ...]
    seeds: tuple[bytes, ...]


@atheris.instrument_func  # type: ignore[untyped-decorator]
def _bait(data: bytes) -> None:
    """A fault that only who sees the branches gets at: one of 2**40 inputs of its length."""
    if len(data) > 4 and data[0] == 84 and data[1] == 114 and data[2] == 105 and data[3] == 115 and data[4] == 99:
        raise Finding("the bait")


def _words() -> Door:
    reader = Reader(description.text_of(tomllib.loads(_ALIGNER.read_text())), "en")

    def take(data: bytes) -> None:
        for word in parse_words(data):
            if not reader.readings(word):
                raise Finding(f"{word!r} has no reading")

    seeds = (b'["Hello,","it\'s","$3.50","3:05pm"]', b'["10-20","1990s","21st","1,000.5","U.S.","\\u00bd","COVID-19"]')
    return Door(take, (AlignError,), seeds)


def _manifest() -> Door:
    path = Path("site.toml")

    def take(data: bytes) -> None:
        path.write_bytes(data)
        fuzz_state.read_manifest(path)

    return Door(take, (ModelError,), tuple(fuzz_state.entries()[:4]))


def _journal() -> Door:
    path = Path(".talk.journal")
    samples = np.zeros(2 * SAMPLE_RATE, np.float32)
    chunks = [Chunk(n, float(n), samples[n * SAMPLE_RATE : (n + 1) * SAMPLE_RATE]) for n in range(2)]
    result = ChunkResult(0, "base", "en", 1.0, (Segment(0.1, 0.9, "wörd", "en", -0.1, 0.0, 1.0, 0.0),))

    def work() -> None:
        journal = Journal(path, from_s=1.0)
        try:
            journal.open(samples)
            found = [journal.get(chunk, {"language": "en"}) for chunk in chunks]
            if not all(answer is None or isinstance(answer, ChunkResult) for answer in found):
                raise Finding("something that is no answer")
            journal.put(chunks[0], {"language": "en"}, result)
            journal.put(chunks[1], {"language": "en"}, result)
        finally:
            journal.close()

    def take(data: bytes) -> None:
        path.write_bytes(header + data)  # whatever the first line is but the right one, the rest is dropped
        work()

    work()
    header, answers = path.read_bytes().split(b"\n", 1)
    header += b"\n"
    return Door(take, (), (answers,))


def _config() -> Door:
    models = {
        "base": ServedModel("base", frozenset({"en", "de", "zh"}), ("transcribe", "translate")),
        "tiny.en": ServedModel("tiny.en", frozenset({"en"}), ("transcribe",)),
    }
    catalogue = Catalogue(models, ("en",))

    def take(data: bytes) -> None:
        checked_live(live_request(speech_pb2.StreamingRecognitionConfig.FromString(data)), catalogue)

    pcm = speech_pb2.ExplicitDecodingConfig(
        encoding=speech_pb2.AUDIO_ENCODING_MULAW, sample_rate_hertz=8000, audio_channel_count=2
    )
    config = speech_pb2.RecognitionConfig(
        model="base",
        language_code="de",
        hotwords=["eins"],
        explicit_decoding_config=pcm,
        task=speech_pb2.TASK_TRANSLATE,
    )
    seed = speech_pb2.StreamingRecognitionConfig(config=config).SerializeToString()
    return Door(take, (ServerError, DecodeError), (seed,))


def _pcm() -> Door:
    encodings = ("linear16", "float32", "mulaw", "alaw")

    def take(data: bytes) -> None:
        head, audio = data[:3].ljust(3, b"\0"), data[3:]
        rate = (8_000, 16_000, 44_100, 48_000)[head[1] % 4]
        stream = PcmStream(PcmFormat(encodings[head[0] % 4], rate, 1 + head[2] % 8))  # type: ignore[arg-type]
        middle = len(audio) // 2
        for samples in (stream.push(audio[:middle]), stream.push(audio[middle:]), stream.finish()):
            if samples.shape[0] != 1 or not np.isfinite(samples).all():
                raise Finding(f"{samples.shape} samples, or some that are no numbers")

    return Door(
        take, (AudioError,), (b"\1\0\0" + np.array([0.1, np.nan, 1e38], "<f4").tobytes(), b"\2\1\1" + bytes(64))
    )


DOORS: dict[str, Callable[[], Door]] = {
    "bait": lambda: Door(_bait, (), (b"",)),
    "options": lambda: Door(
        Options.parse, (PipelineError,), (b'{"language":"en","temperature":[0,0.4],"beam_size":5,"max_wait_s":2}',)
    ),
    "whisper options": lambda: Door(
        WhisperOptions.parse, (WhisperError,), (b'{"prompt":[1,2],"attention":true,"suppress_tokens":[-1]}',)
    ),
    "words": _words,
    "manifest": _manifest,
    "journal": _journal,
    "config": _config,
    "samples": _pcm,
}


def main(arguments: Sequence[str]) -> None:
    """Fire at one door; libFuzzer ends the process: 0 when nothing was found."""
    if not arguments:
        print("\n".join(name for name in DOORS if name != "bait"))
        return
    name, seconds, seed, folder = arguments
    os.chdir(folder)
    door = DOORS[name]()
    corpus = Path("corpus")
    corpus.mkdir()
    for number, data in enumerate(door.seeds):
        (corpus / str(number)).write_bytes(data)

    def one(data: bytes) -> None:
        try:
            door.take(data)
        except door.refusals:
            return

    options = ("-print_final_stats=1", "-max_len=4096", "-timeout=10", "-rss_limit_mb=2048", "-artifact_prefix=./")
    atheris.Setup([sys.argv[0], str(corpus), f"-max_total_time={float(seconds):.0f}", f"-seed={seed}", *options], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])

"""The contenders of `compare.py`, each in a process of its own: one JSON line a task on stdin, one line back on stdout.

    python -m benchmarks.speed.sides NAME MODEL_PATH

Runs in any environment that has NumPy and what its side needs; nothing else is imported before it is used.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Any, Protocol, TextIO

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

BATCH = 8
"""Chunks in a batch of faster-whisper and whisperX: larger ones were slower on this kind of machine."""

RATE = 16_000
WINDOW = 30 * RATE
"""What Whisper hears at once."""


@dataclass(frozen=True)
class Task:
    """One pass: these recordings (paths of .npy, float32 at 16 kHz), taken in turn by so many callers."""

    recordings: tuple[str, ...]
    callers: int = 1
    words: bool = False
    chunks: bool = False
    """The recordings are chunks already: no voice detection, no cutting."""

    def load(self) -> list[Samples]:
        """The samples of every recording."""
        return [np.load(path) for path in self.recordings]


@dataclass(frozen=True)
class Outcome:
    """Texts and latencies (seconds) in the order of the recordings, and the wall time of the pass."""

    texts: tuple[str, ...]
    latencies_s: tuple[float, ...]
    wall_s: float


class Side(Protocol):
    """A loaded contender."""

    def run(self, task: Task) -> Outcome:
        """Do one pass."""


class Threads:
    """Callers as threads over one loaded model: how a Python library is shared."""

    def transcribe(self, samples: Samples, *, words: bool) -> str:
        """The text of one recording."""
        raise NotImplementedError

    def run(self, task: Task) -> Outcome:
        """Do one pass."""
        recordings = task.load()
        latencies = [0.0] * len(recordings)
        texts = [""] * len(recordings)

        def one(index: int) -> None:
            began = time.perf_counter()
            texts[index] = self.transcribe(recordings[index], words=task.words)
            latencies[index] = time.perf_counter() - began

        with ThreadPoolExecutor(task.callers) as pool:
            began = time.perf_counter()
            list(pool.map(one, range(len(recordings))))
            wall = time.perf_counter() - began
        return Outcome(tuple(texts), tuple(latencies), wall)


class FasterWhisper(Threads):
    """faster-whisper as it comes: beam 5, its own temperature ladder."""

    workers = 1

    def __init__(self, path: str) -> None:
        """Load the weights; with several workers each has one thread."""
        from faster_whisper import WhisperModel

        threads = 1 if self.workers > 1 else 0
        self.model = WhisperModel(
            path, device="cpu", compute_type="int8", cpu_threads=threads, num_workers=self.workers
        )

    def transcribe(self, samples: Samples, *, words: bool) -> str:
        """The text of one recording."""
        segments, _ = self.model.transcribe(samples, language="en", beam_size=5, word_timestamps=words)
        return " ".join(segment.text for segment in segments)


class FasterWhisperBatched(FasterWhisper):
    """Its BatchedInferencePipeline; a pipeline for each call, since it keeps the state of a call on itself."""

    def transcribe(self, samples: Samples, *, words: bool) -> str:
        """The text of one recording."""
        from faster_whisper import BatchedInferencePipeline

        segments, _ = BatchedInferencePipeline(self.model).transcribe(
            samples, language="en", beam_size=5, batch_size=BATCH, word_timestamps=words
        )
        return " ".join(segment.text for segment in segments)


class FasterWhisperTuned(FasterWhisperBatched):
    """The same with a worker of one thread for each core, which it does not choose by itself."""

    workers = len(os.sched_getaffinity(0))


class WhisperX(Threads):
    """whisperX; words are aligned where its alignment model is at hand."""

    def __init__(self, path: str) -> None:
        """Load the weights."""
        import whisperx

        self._whisperx = whisperx
        self._model = whisperx.load_model(path, "cpu", compute_type="int8", language="en", asr_options={"beam_size": 5})
        self._aligner: Any = None

    def transcribe(self, samples: Samples, *, words: bool) -> str:
        """The text of one recording."""
        result = self._model.transcribe(samples, batch_size=BATCH, language="en")
        if words:
            if self._aligner is None:
                self._aligner = self._whisperx.load_align_model("en", "cpu")
            result = self._whisperx.align(result["segments"], *self._aligner, samples, "cpu")
        return " ".join(segment["text"] for segment in result["segments"])


class WhisperCpp(Threads):
    """whisper.cpp: beam 5 as its command has it, words by `-ml 1 -sow`; no voice detection, unless one brings it."""

    def __init__(self, path: str) -> None:
        """Load the weights."""
        from pywhispercpp.model import Model

        beams = {"beam_size": 5, "patience": -1.0}
        self._model = Model(path, params_sampling_strategy=1, beam_search=beams, language="en", print_progress=False)
        self._lock = Lock()  # one state

    def transcribe(self, samples: Samples, *, words: bool) -> str:
        """The text of one recording."""
        with self._lock:
            segments = self._model.transcribe(
                samples, token_timestamps=words, max_len=1 if words else 0, split_on_word=words
            )
        return " ".join(segment.text for segment in segments)


class OpenVinoGenAI(Threads):
    """OpenVINO GenAI: beam 5; times of words ask for a pipeline that is made for them."""

    def __init__(self, path: str) -> None:
        """Compile the model, as it is without times of words."""
        self._path = path
        self._pipelines = {False: self._pipeline(words=False)}
        self._lock = Lock()  # one request

    def _pipeline(self, *, words: bool) -> Any:
        from openvino_genai import WhisperPipeline

        return WhisperPipeline(self._path, "CPU", **({"word_timestamps": True} if words else {}))

    def transcribe(self, samples: Samples, *, words: bool) -> str:
        """The text of one recording."""
        with self._lock:
            if words not in self._pipelines:
                self._pipelines[words] = self._pipeline(words=words)
            settings = {"word_timestamps": True} if words else {}
            result = self._pipelines[words].generate(
                samples, language="<|en|>", num_beams=5, return_timestamps=True, **settings
            )
        return str(result.texts[0])


class SherpaOnnx(Threads):
    """sherpa-onnx: greedy, since it has no beam for Whisper; Silero cuts what is longer than Whisper's window."""

    def __init__(self, path: str) -> None:
        """Load the weights."""
        import sherpa_onnx

        self._sherpa = sherpa_onnx
        self._path = Path(path)
        self._recognizer = sherpa_onnx.OfflineRecognizer.from_whisper(
            *(f"{path}/{name}" for name in ("encoder.onnx", "decoder.onnx", "tokens.txt")),
            language="en",
            num_threads=len(os.sched_getaffinity(0)),
        )

    def transcribe(self, samples: Samples, *, words: bool) -> str:
        """The text of one recording."""
        pieces = [samples] if len(samples) < WINDOW else self._pieces(samples)
        texts = []
        for piece in pieces:
            stream = self._recognizer.create_stream()
            stream.accept_waveform(RATE, piece)
            self._recognizer.decode_stream(stream)
            texts.append(stream.result.text)
        return " ".join(texts)

    def _pieces(self, samples: Samples) -> Iterator[Samples]:
        config = self._sherpa.VadModelConfig()
        config.silero_vad.model = str(self._path / "silero_vad.onnx")
        detector = self._sherpa.VoiceActivityDetector(config, buffer_size_in_seconds=60)
        step = config.silero_vad.window_size
        for begin in range(0, len(samples), step):
            detector.accept_waveform(samples[begin : begin + step])
            yield from self._found(detector)
        detector.flush()
        yield from self._found(detector)

    def _found(self, detector: Any) -> Iterator[Samples]:
        while not detector.empty():
            yield np.array(detector.front.samples, np.float32)
            detector.pop()


class Triscribe:
    """Triscribe through gRPC and its own Triton; every caller has a connection of its own."""

    def __init__(self, path: str) -> None:
        """Start the server. Its canary is silenced: it would sing into the passes of the others."""
        from triscribe.serving import EmbeddedTriton, ServeOptions
        from triscribe.serving.supervisor import Watch

        options = ServeOptions(models=(path,), watch=Watch(canary_interval_s=86_400.0))
        self._server = EmbeddedTriton(options).__enter__()
        atexit.register(self._server.__exit__, None, None, None)

    def run(self, task: Task) -> Outcome:
        """Do one pass."""
        from triscribe import blocking

        return blocking.run(self._chunks(task) if task.chunks else self._recordings(task))

    async def _recordings(self, task: Task) -> Outcome:
        from triscribe.media.decoding import Decoded
        from triscribe.transcription.options import TranscribeOptions
        from triscribe.transcription.transcriber import Transcriber
        from triscribe.triton.session import Session

        url = self._server.url
        transcriber = Transcriber(url, TranscribeOptions(language="en", word_timestamps=task.words))

        recordings = task.load()
        texts, latencies = [""] * len(recordings), [0.0] * len(recordings)
        order = count()

        async def run() -> None:
            async with Session(url) as session:
                while (index := next(order)) < len(recordings):
                    began = time.perf_counter()
                    decoded = Decoded(recordings[index])
                    texts[index] = (await transcriber.transcribe_in(session, decoded)).text
                    latencies[index] = time.perf_counter() - began

        began = time.perf_counter()
        await asyncio.gather(*(run() for _ in range(task.callers)))
        return Outcome(tuple(texts), tuple(latencies), time.perf_counter() - began)

    async def _chunks(self, task: Task) -> Outcome:
        from triscribe.transcription.options import TranscribeOptions
        from triscribe.triton.session import Session
        from triscribe.types import Chunk

        request = TranscribeOptions(word_timestamps=task.words).request(language="en", priority="bulk")
        async with Session(self._server.url) as session:

            async def one(samples: Samples) -> str:
                result = await session.transcribe(Chunk(0, 0.0, samples), request, timeout_s=600.0)
                return " ".join(segment.text for segment in result.segments)

            return await each_chunk(one, task)


async def each_chunk(transcribe: Callable[[Samples], Awaitable[str]], task: Task) -> Outcome:
    """One pass over chunks, as many at once as there are callers."""
    recordings = task.load()
    slots = asyncio.Semaphore(task.callers)

    async def one(samples: Samples) -> tuple[str, float]:
        async with slots:
            began = time.perf_counter()
            return await transcribe(samples), time.perf_counter() - began

    began = time.perf_counter()
    answers = await asyncio.gather(*map(one, recordings))
    wall = time.perf_counter() - began
    return Outcome(tuple(text for text, _ in answers), tuple(latency for _, latency in answers), wall)


class Ceiling:
    """The packages of the models in one process, without Triton, gRPC and a client."""

    def __init__(self, path: str) -> None:
        """Load the weights."""
        from benchmarks.speed.inprocess import InProcess

        self._engine = InProcess(Path(path).name, Path(path), aligner=True)

    def run(self, task: Task) -> Outcome:
        """Do one pass over chunks."""
        from triscribe.transcription.options import TranscribeOptions
        from triscribe.types import Chunk

        request = TranscribeOptions(word_timestamps=task.words).request(language="en", priority="bulk")

        async def one(samples: Samples) -> str:
            (result,) = await self._engine.transcribe([Chunk(0, 0.0, samples)], request)
            return " ".join(segment["text"] for segment in result["segments"])

        return asyncio.run(each_chunk(one, task))


SIDES: dict[str, Callable[[str], Side]] = {
    "triscribe": Triscribe,
    "ceiling": Ceiling,
    "faster-whisper": FasterWhisper,
    "faster-whisper batched": FasterWhisperBatched,
    "faster-whisper batched tuned": FasterWhisperTuned,
    "whisperx": WhisperX,
    "whisper.cpp": WhisperCpp,
    "OpenVINO GenAI": OpenVinoGenAI,
    "sherpa-onnx": SherpaOnnx,
}


def main(arguments: Sequence[str], lines: TextIO, answers: TextIO) -> None:
    """Load the side, say so, and answer tasks until there are none."""
    name, path = arguments
    side = SIDES[name](path)
    print(json.dumps("ready"), file=answers, flush=True)
    for line in lines:
        fields = json.loads(line)
        outcome = side.run(Task(**{**fields, "recordings": tuple(fields["recordings"])}))
        print(json.dumps(asdict(outcome)), file=answers, flush=True)


if __name__ == "__main__":
    own = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries print; only answers go to stdout
    main(sys.argv[1:], sys.stdin, own)

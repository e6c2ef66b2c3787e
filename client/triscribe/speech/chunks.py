"""The speech of a recording: found and cut while what was found before is being worked on."""

from __future__ import annotations

from collections.abc import Iterator

from triscribe.media.decoding import Decoded
from triscribe.speech import chunking, vad
from triscribe.speech.chunking import ChunkingOptions
from triscribe.speech.vad import VadOptions
from triscribe.types import SAMPLE_RATE, AudioInfo, Chunk, Span


class Speech:
    """A decoded recording and the chunks in it. For one caller at a time.

    Args:
        decoded: the samples.
        path: what the transcript calls it.
        voice_detection: None takes every sample for speech.
    """

    def __init__(self, decoded: Decoded, path: str, voice_detection: VadOptions | None) -> None:
        self.samples = decoded.samples
        self.notices = decoded.notices
        self.info = AudioInfo(path, len(self.samples) / SAMPLE_RATE, decoded.track, decoded.mix)
        whole = iter([Span(0, len(self.samples))])
        self._spans = whole if voice_detection is None else vad.spans_as_found(self.samples, voice_detection)
        self._found: list[Span] = []

    def chunks(self, options: ChunkingOptions) -> Iterator[Chunk]:
        """Chunks in order, each as soon as it is known. Speech is looked for once, however often it is cut."""
        return chunking.cut_as_found(self.samples, self._all_spans(), options)

    def _all_spans(self) -> Iterator[Span]:
        index = 0
        while index < len(self._found) or self._find():
            yield self._found[index]
            index += 1

    def _find(self) -> bool:
        """Look on for one more span; False at the end."""
        span = next(self._spans, None)
        if span is not None:
            self._found.append(span)
        return span is not None

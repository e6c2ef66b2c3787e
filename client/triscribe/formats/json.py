"""JSON with everything that is known; `docs/transcript.schema.json` describes it."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

from triscribe.formats.base import plain
from triscribe.types import AudioInfo, Notice, Segment, Transcript, Word

_SCORE_DIGITS = 4
_VECTOR_DIGITS = 5


def render(transcript: Transcript) -> str:
    """One JSON object. Times are seconds rounded to the millisecond; a score that is no number becomes null."""
    text = json.dumps(document(transcript), ensure_ascii=False, indent=2, allow_nan=False)
    # File names need not be Unicode: their stray bytes are lone surrogates, which only an escape can carry.
    return text.encode("utf-8", "backslashreplace").decode("utf-8") + "\n"


def document(transcript: Transcript) -> dict[str, Any]:
    """What `render` writes, as plain Python values."""
    optional = {} if not transcript.embeddings else {"speaker_embeddings": _embeddings(transcript)}
    return {
        "audio": _audio(transcript.audio),
        "language": transcript.language,
        "language_probability": _score(transcript.language_probability),
        "model": transcript.model,
        "task": transcript.task,
        "text": transcript.text,
        "segments": [_segment(segment) for segment in transcript.segments],
        "speakers": list(transcript.speakers),
        "turns": [
            {"start": _seconds(turn.start), "end": _seconds(turn.end), "speaker": turn.speaker}
            for turn in transcript.turns
        ],
        "overlaps": [
            {"start": _seconds(overlap.start), "end": _seconds(overlap.end), "speakers": list(overlap.speakers)}
            for overlap in transcript.overlaps
        ],
        "warnings": [_warning(notice) for notice in transcript.warnings],
        **optional,
    }


def _audio(audio: AudioInfo) -> dict[str, Any]:
    track = None if audio.track is None else asdict(audio.track)
    return {"path": audio.path, "duration": _seconds(audio.duration), "track": track, "mix": audio.mix}


def _segment(segment: Segment) -> dict[str, Any]:
    return {
        "start": _seconds(segment.start),
        "end": _seconds(segment.end),
        "text": segment.text,
        "speaker": segment.speaker,
        "channel": segment.channel,
        "language": segment.language,
        "language_probability": _score(segment.language_probability),
        "avg_logprob": _score(segment.avg_logprob),
        "no_speech_prob": _score(segment.no_speech_prob),
        "compression_ratio": _score(segment.compression_ratio),
        "temperature": _score(segment.temperature),
        "words": [_word(word) for word in segment.words],
    }


def _word(word: Word) -> dict[str, Any]:
    return {
        "word": word.word,
        "start": _seconds(word.start),
        "end": _seconds(word.end),
        "probability": _score(word.probability),
        "speaker": word.speaker,
        "timing": word.timing,
    }


def _warning(notice: Notice) -> dict[str, Any]:
    return {
        "code": notice.code,
        "message": notice.message,
        "start": None if notice.start is None else _seconds(notice.start),
        "end": None if notice.end is None else _seconds(notice.end),
    }


def _embeddings(transcript: Transcript) -> dict[str, list[float]]:
    return {
        label: [round(value, _VECTOR_DIGITS) for value in vector] for label, vector in transcript.embeddings.items()
    }


def _seconds(time: float) -> float:
    return round(float(time), 3)


def _score(value: float) -> float | None:
    return round(float(value), _SCORE_DIGITS) if math.isfinite(value) else None


WRITER = plain("json", render)

"""What the diarizer is sent, and what it answers, as messages of its proto."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import numpy as np

from triscribe.diarization.options import Diarization, DiarizationOptions
from triscribe.types import Overlap, Samples, SpeakerTurn
from triscribe.v1 import diarization_pb2 as pb

_UPLOAD_SAMPLES = 1 << 18
"""Samples in one message: 1 MiB."""


async def requests(samples: Samples, options: DiarizationOptions) -> AsyncIterator[pb.DiarizeRequest]:
    """The config, then the samples, float32 at 16 kHz, shape `(n_samples,)`, in pieces."""
    yield pb.DiarizeRequest(
        config=pb.DiarizationConfig(
            num_speakers=options.num_speakers,
            min_speakers=options.min_speakers,
            max_speakers=options.max_speakers,
            pipeline=options.pipeline,
            embeddings=options.embeddings,
        )
    )
    for start in range(0, len(samples), _UPLOAD_SAMPLES):
        piece = np.ascontiguousarray(samples[start : start + _UPLOAD_SAMPLES], dtype="<f4")
        yield pb.DiarizeRequest(audio=piece.tobytes())


def diarization(result: pb.DiarizationResult) -> Diarization:
    """The result in our values; times in seconds."""
    return Diarization(
        turns=_turns(result.turns),
        exclusive_turns=_turns(result.exclusive_turns),
        overlaps=tuple(
            Overlap(_seconds(o.start_offset), _seconds(o.end_offset), tuple(o.speaker_labels)) for o in result.overlaps
        ),
        speakers=tuple(speaker.label for speaker in result.speakers),
        embeddings={speaker.label: tuple(speaker.embedding) for speaker in result.speakers if speaker.embedding},
    )


def _turns(messages: Any) -> tuple[SpeakerTurn, ...]:
    return tuple(SpeakerTurn(_seconds(m.start_offset), _seconds(m.end_offset), m.speaker_label) for m in messages)


def _seconds(offset: Any) -> float:
    return float(offset.ToMilliseconds()) / 1000

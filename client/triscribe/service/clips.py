"""Clips of known speakers, as they were sent, decoded and measured."""

from __future__ import annotations

from collections.abc import Mapping

from triscribe.diarization.known import KnownSpeaker
from triscribe.errors import AudioError, AudioTooLongError, InvalidArgumentError
from triscribe.media.pool import Asked, DecoderPool
from triscribe.types import SAMPLE_RATE, Samples

MIN_S, MAX_S = 2.0, 10.0
_TOLERANCE_S = 0.2
"""Encoders add silence, and cut some off."""


async def known_speakers(clips: Mapping[str, bytes], decoder: DecoderPool) -> tuple[KnownSpeaker, ...]:
    """The speakers of these clips.

    Raises:
        InvalidArgumentError: a clip cannot be decoded, or is shorter or longer than it may be.
    """
    return tuple([KnownSpeaker(name, await _decoded(name, clip, decoder)) for name, clip in clips.items()])


async def _decoded(name: str, clip: bytes, decoder: DecoderPool) -> Samples:
    wrong = f"the reference of {name!r} must be {MIN_S:g} to {MAX_S:g} s of audio"
    try:
        samples = (await decoder.decode(clip, Asked(max_duration_s=MAX_S + _TOLERANCE_S))).samples
    except AudioTooLongError as error:
        raise InvalidArgumentError(f"{wrong}, and is longer", field="known_speakers") from error
    except AudioError as error:
        raise InvalidArgumentError(f"{wrong}: {error}", field="known_speakers") from error
    if len(samples) < (MIN_S - _TOLERANCE_S) * SAMPLE_RATE:
        raise InvalidArgumentError(f"{wrong}, and is {len(samples) / SAMPLE_RATE:.1f} s", field="known_speakers")
    return samples

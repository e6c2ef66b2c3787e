"""What a live stream tells, and what can be asked of it."""

from __future__ import annotations

from dataclasses import dataclass

from triscribe.speech.vad import DEFAULT_OPTIONS, VadOptions
from triscribe.types import Segment

DEFAULT_PREFIX_S = 0.3
"""Kept before the speech that voice detection finds."""


@dataclass(frozen=True, slots=True)
class FinalResult:
    """Segments that will not change, in the stream's seconds.

    `delay_s`: seconds since the last sample that they are about came in.
    """

    segments: tuple[Segment, ...]
    delay_s: float


@dataclass(frozen=True, slots=True)
class InterimResult:
    """What follows the finals so far, as it looks now; `stability`, 0 to 1, is the share that did not change lately."""

    segments: tuple[Segment, ...]
    stability: float


@dataclass(frozen=True, slots=True)
class SpeechActivity:
    """Speech begins or ends at `time_s`, in the stream's seconds.

    Attributes:
        begins: else it ends.
        time_s: where voice detection found that.
        edge_s: where the audio that is transcribed begins or ends, what is kept around the speech included.
        cut_short: the audio ended, and nobody knows whether the speech did.
    """

    begins: bool
    time_s: float
    edge_s: float
    cut_short: bool = False


@dataclass(frozen=True, slots=True)
class UtteranceFinal:
    """All results of the first utterance that was open have been told; the next ones are about the next."""


@dataclass(frozen=True, slots=True)
class Silence:
    """Nobody has spoken between these two times, in the stream's seconds."""

    start_s: float
    end_s: float


LiveEvent = FinalResult | InterimResult | SpeechActivity | UtteranceFinal | Silence


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """What is told beside finals, and what makes an utterance.

    Attributes:
        interims: tell `InterimResult`.
        events: tell `SpeechActivity`.
        end_s: silence that ends an utterance, in seconds.
        sentence_end_s: silence that ends one whose text is a whole sentence; None: the same.
        language: code; None detects it.
        voice: what counts as speech; of its fields only the thresholds.
        prefix_s: seconds that are kept before the speech.
        utterances: tell `UtteranceFinal`.
        idle_s: tell `Silence` whenever it has lasted so many seconds; None never does.
    """

    interims: bool
    events: bool
    end_s: float
    language: str | None
    sentence_end_s: float | None = None
    voice: VadOptions = DEFAULT_OPTIONS
    prefix_s: float = DEFAULT_PREFIX_S
    utterances: bool = False
    idle_s: float | None = None

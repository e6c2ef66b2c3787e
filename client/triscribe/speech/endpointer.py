"""Voice detection in live audio: where speech begins and ends. For recordings see `vad`.

The thresholds are those of `vad`. The rules differ because the future is unknown here: a beginning needs some voiced
windows in a row, since it cannot be taken back, and an end is known only once the silence has lasted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from triscribe.speech.silero import WINDOW_SAMPLES, SpeechProbabilities
from triscribe.speech.vad import VadOptions
from triscribe.types import SAMPLE_RATE, Samples

_SILENCE_PEAK = 10 ** (-70 / 20)
"""Blocks below -70 dBFS need no model to be called silence: 16-bit dither is at -90 dBFS, a quiet room near -60."""

_MIN_WINDOWS = 3
"""Voiced windows in a row (96 ms) that make speech: a click is shorter, and Whisper hears "Thank you." in it."""


@dataclass(frozen=True, slots=True)
class SpeechEvent:
    """Speech begins or ends at `sample`, counted from the start of the stream."""

    begins: bool
    sample: int


class Endpointer:
    """The hysteresis of `vad`, one block after the other; an end is known `silence_s` late."""

    def __init__(self, silence_s: float, options: VadOptions | None = None) -> None:
        options = options or VadOptions()
        self._start_at = options.threshold
        self._end_below = options.lower_threshold
        self._silence = round(silence_s * SAMPLE_RATE)
        self._model = SpeechProbabilities()
        self._received = 0
        self._judged = 0
        self._speaking = False
        self._last_voiced = 0
        self._run = 0

    @property
    def speaking(self) -> bool:
        """Whether an utterance is open."""
        return self._speaking

    @property
    def last_voiced(self) -> int:
        """Where the last voiced window of the open utterance ends, in samples."""
        return self._last_voiced

    @property
    def quiet_s(self) -> float:
        """For how long nobody has spoken in the open utterance."""
        return max(0, self._judged - self._last_voiced) / SAMPLE_RATE if self._speaking else 0.0

    def push(self, samples: Samples) -> list[SpeechEvent]:
        """Beginnings and ends in the next samples, shape `(n_samples,)`; a multiple of 512 is judged at once."""
        if not self._speaking and float(np.abs(samples).max(initial=0.0)) < _SILENCE_PEAK:
            self._received += len(samples)
            return []
        events = []
        start = self._received
        for i, probability in enumerate(self._model.push(samples).tolist()):
            events += self._judge(probability, start + (i + 1) * WINDOW_SAMPLES)
        self._received += len(samples)
        return events

    def _judge(self, probability: float, end: int) -> list[SpeechEvent]:
        """One window, which ends at sample `end`."""
        self._judged = end
        candidate = self._speaking or self._run
        self._run = self._run + 1 if probability >= (self._end_below if candidate else self._start_at) else 0
        if self._speaking:
            if self._run:
                self._last_voiced = end
            elif end - self._last_voiced >= self._silence:
                return self.end()
        elif self._run == _MIN_WINDOWS:
            self._speaking, self._last_voiced = True, end
            return [SpeechEvent(begins=True, sample=end - _MIN_WINDOWS * WINDOW_SAMPLES)]
        return []

    def end(self) -> list[SpeechEvent]:
        """The end of the open utterance, which somebody knows from more than the silence."""
        if not self._speaking:
            return []
        self._speaking, self._run = False, 0
        return [SpeechEvent(begins=False, sample=self._last_voiced)]

    def finish(self) -> list[SpeechEvent]:
        """The end of an utterance that the end of the stream cut short."""
        if not self._speaking:
            return []
        self._speaking = False
        return [SpeechEvent(begins=False, sample=self._received)]

"""Voice detection in recordings: a hysteresis turns probabilities into spans. For live audio see `endpointer`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triscribe.errors import UsageError
from triscribe.media.samples import release
from triscribe.speech import second_look
from triscribe.speech.silero import WINDOW_SAMPLES, blocks, speech_probabilities
from triscribe.types import SAMPLE_RATE, Samples, Span

_LONG_GAP_WINDOWS = 156
"""After 5 s without speech the model's state is worth no trust: see `_look_again`."""

_LOOK_BACK_WINDOWS = 250
"""Windows (8 s) before the start of speech that are looked at again; what was lost were up to 4 s."""

_WARM_UP_WINDOWS = 16
"""Half a second that a fresh state takes to tell music from speech."""

_RELEASE_WINDOWS = 300 * SAMPLE_RATE // WINDOW_SAMPLES
"""After so many (5 minutes) the memory of a recording that lies in a file is let go."""


@dataclass(frozen=True, slots=True)
class VadOptions:
    """When a stretch counts as speech. A missed word is worse than a second of silence, so it is generous.

    The defaults lose 13 of 946 reference words of read and meeting speech, and keep none of white noise, hum or a
    tone; Silero's own threshold of 0.5 loses 28, and from 0.2 down noise comes through.

    Attributes:
        threshold: a window at least this probable, 0 to 1, starts speech.
        end_threshold: speech lasts until the probability stays below this; None is `threshold - 0.15`, at
            least 0.01.
        min_silence_s: how long it must stay there. Shorter pauses belong to the speech around them.
        min_speech_s: shorter speech is dropped; 0 keeps every cough, and every "yes".
        pad_s: added on both sides, at most half of the pause between two spans.
    """

    threshold: float = 0.25
    end_threshold: float | None = None
    min_silence_s: float = 0.3
    min_speech_s: float = 0.0
    pad_s: float = 0.4

    def __post_init__(self) -> None:
        end_threshold = self.threshold if self.end_threshold is None else self.end_threshold
        if not 0.0 < self.threshold < 1.0 or not 0.0 <= end_threshold <= self.threshold:
            raise UsageError("voice detection needs 0 <= end_threshold <= threshold < 1")
        if min(self.min_silence_s, self.min_speech_s, self.pad_s) < 0:
            raise UsageError("the lengths of voice detection may not be negative")

    @property
    def lower_threshold(self) -> float:
        """What keeps speech going, in files and in live audio."""
        return max(self.threshold - 0.15, 0.01) if self.end_threshold is None else self.end_threshold


DEFAULT_OPTIONS = VadOptions()


_QUIET = VadOptions(threshold=0.5, min_speech_s=0.2)
"""Silero's own threshold, where noise has been made louder."""


def speech_spans(samples: Samples, options: VadOptions = DEFAULT_OPTIONS) -> list[Span]:
    """Finds speech.

    Args:
        samples: mono audio at 16 kHz, shape `(n_samples,)`.
        options: thresholds and lengths.

    Returns:
        Spans in order, which do not overlap; two of them may touch. None at all where nobody speaks.
    """
    return list(spans_as_found(samples, options))


def spans_as_found(samples: Samples, options: VadOptions = DEFAULT_OPTIONS) -> Iterator[Span]:
    """The spans of `speech_spans`, each as soon as the next is known: the rest of the file is looked at later."""
    pad = round(options.pad_s * SAMPLE_RATE)
    before: Span | None = None
    waiting: Span | None = None
    for span in _with_quiet(samples, _sure_spans(samples, options), pad):
        if waiting:  # how far it is padded depends on where the next one begins
            yield _padded(before, waiting, span, len(samples), pad)
        before, waiting = waiting, span
    if waiting:
        yield _padded(before, waiting, None, len(samples), pad)


def _sure_spans(samples: Samples, options: VadOptions) -> Iterator[Span]:
    """Speech before padding."""
    waiting, first_window, looked_until = np.empty(0, dtype=np.float32), 0, 0
    raw: list[Span] = []
    read = 0
    for block in blocks(samples):
        read += len(block)
        if read >= _RELEASE_WINDOWS:
            release(samples)
            read = 0
        waiting = np.concatenate([waiting, block])
        raw = _hysteresis(waiting, first_window, options)
        if _look_again(samples, waiting, first_window, raw, looked_until):
            raw = _hysteresis(waiting, first_window, options)
        yield from raw[:-1]  # the last may still grow
        if raw:
            looked_until = max(looked_until, raw[-1].start)
            done = raw[-1].start // WINDOW_SAMPLES - first_window
            waiting, first_window, raw = waiting[done:], first_window + done, raw[-1:]
    yield from raw


def _with_quiet(samples: Samples, spans: Iterator[Span], pad: int) -> Iterator[Span]:
    """The spans, and between them speech that is too quiet beside them."""
    end = 0
    for span in spans:
        yield from second_look.quiet_speech(samples, Span(end, max(end, span.start - pad)), _quiet_spans)
        yield span
        end = span.end + pad
    yield from second_look.quiet_speech(samples, Span(min(end, len(samples)), len(samples)), _quiet_spans)


def _quiet_spans(samples: Samples) -> list[Span]:
    return list(_sure_spans(samples, _QUIET))


def _look_again(
    samples: Samples, probabilities: NDArray[np.float32], first_window: int, spans: list[Span], looked_until: int
) -> bool:
    """Raise the probabilities before speech that follows a long gap to those of a fresh state; whether there were any.

    Music, applause or tones that last leave the model in a state that takes quiet speech after them for more of the
    same: beside 20 s of applause the first 3 s of a telephone call were lost. Only what lies just before speech is
    looked at, so that sounds alone stay what they were. `probabilities` begin with window `first_window`; what begins
    up to sample `looked_until` was looked at before.
    """
    is_changed = False
    heard_until = 0
    for span in spans:
        start = span.start // WINDOW_SAMPLES
        if span.start > looked_until and start - heard_until >= _LONG_GAP_WINDOWS:
            first = max(heard_until, start - _LOOK_BACK_WINDOWS)
            fresh = speech_probabilities(samples[first * WINDOW_SAMPLES : span.start])[_WARM_UP_WINDOWS:]
            known = probabilities[first + _WARM_UP_WINDOWS - first_window : start - first_window]
            np.maximum(known, fresh, out=known)
            is_changed = True
        heard_until = -(-span.end // WINDOW_SAMPLES)
    return is_changed


def _hysteresis(probabilities: NDArray[np.float32], first_window: int, options: VadOptions) -> list[Span]:
    """Speech before padding, in samples: as Silero's own loop, but what stays above the lower threshold is kept.

    `first_window` is the number of the window that `probabilities` begins with.
    """
    voiced = np.flatnonzero(probabilities >= options.lower_threshold)
    if not len(voiced):
        return []
    quiet = np.diff(voiced) - 1
    breaks = np.flatnonzero(quiet * WINDOW_SAMPLES >= max(options.min_silence_s * SAMPLE_RATE, 1))
    starts = np.concatenate([voiced[:1], voiced[breaks + 1]])
    ends = np.concatenate([voiced[breaks], voiced[-1:]]) + 1
    spans = []
    for first, last in zip(starts.tolist(), ends.tolist(), strict=True):
        loud = np.flatnonzero(probabilities[first:last] >= options.threshold)
        if len(loud):
            begin, end = first_window + first + int(loud[0]), first_window + last
            span = Span(begin * WINDOW_SAMPLES, end * WINDOW_SAMPLES)
            if span.end - span.start >= options.min_speech_s * SAMPLE_RATE:
                spans.append(span)
    return spans


def _padded(before: Span | None, span: Span, after: Span | None, length: int, pad: int) -> Span:
    """The span grown by `pad` samples on both sides, meeting its neighbours in the middle of a shorter pause."""
    left = max(span.start - pad, (before.end + span.start) // 2 if before else 0)
    right = min(span.end + pad, (span.end + after.start) // 2 if after else length)
    return Span(left, right)

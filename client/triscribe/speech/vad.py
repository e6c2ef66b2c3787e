"""Voice detection: where in a file somebody speaks. The only module that imports faster_whisper.

Silero (https://github.com/snakers4/silero-vad) gives one probability for each 32 ms; a hysteresis turns them into
spans. faster-whisper carries the model, but its `get_speech_timestamps` copies the whole file three times (3.4 GB on
top for 4 h), so the model's session is run here block by block, its state carried on: the same probabilities in
constant memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from triscribe.errors import UsageError
from triscribe.types import SAMPLE_RATE, Samples, Span

WINDOW_SAMPLES = 512
"""Samples for one probability (32 ms), fixed by the model."""

_CONTEXT_SAMPLES = 64
"""Samples before each window that the model sees as well."""

_STATE_SHAPE = (1, 1, 128)
"""Shape of the model's hidden and cell state."""

_BLOCK_WINDOWS = 2_000
"""Windows a call (64 s): larger ones are no faster and only take memory."""

_LONG_GAP_WINDOWS = 156
"""After 5 s without speech the model's state is worth no trust: see `_look_again`."""

_LOOK_BACK_WINDOWS = 250
"""Windows (8 s) before the start of speech that are looked at again; what was lost were up to 4 s."""

_WARM_UP_WINDOWS = 16
"""Half a second that a fresh state takes to tell music from speech."""


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


DEFAULT_OPTIONS = VadOptions()


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
    """The spans of `speech_spans`, each as soon as the next has begun: the rest of the file is looked at later."""
    pad = round(options.pad_s * SAMPLE_RATE)
    earlier: list[Span] = []  # the last span that was given away, before padding
    waiting, first_window, looked_until = np.empty(0, dtype=np.float32), 0, 0
    raw: list[Span] = []
    for block in _blocks(samples):
        waiting = np.concatenate([waiting, block])
        raw = _hysteresis(waiting, first_window, options)
        if _look_again(samples, waiting, first_window, raw, looked_until):
            raw = _hysteresis(waiting, first_window, options)
        # The last may still grow, and the padding of the one before it depends on where it begins.
        yield from _padded([*earlier, *raw], len(samples), pad)[len(earlier) : -1]
        if raw:
            earlier, looked_until = raw[-2:-1] or earlier, max(looked_until, raw[-1].start)
            done = raw[-1].start // WINDOW_SAMPLES - first_window
            waiting, first_window, raw = waiting[done:], first_window + done, raw[-1:]
    yield from _padded([*earlier, *raw], len(samples), pad)[len(earlier) :]


def speech_probabilities(samples: Samples) -> NDArray[np.float32]:
    """Silero's probability of speech for each 512 samples, the last window filled up with silence.

    Args:
        samples: mono audio at 16 kHz, shape `(n_samples,)`.

    Returns:
        Shape `(ceil(n_samples / 512),)`, values in [0, 1].
    """
    return np.concatenate([np.empty(0, dtype=np.float32), *_blocks(samples)])


def _blocks(samples: Samples) -> Iterator[NDArray[np.float32]]:
    """`speech_probabilities`, block by block."""
    from faster_whisper.vad import get_vad_model  # noqa: PLC0415 - loads CTranslate2; only files need it

    session = get_vad_model().session
    hidden = cell = np.zeros(_STATE_SHAPE, dtype=np.float32)
    block = _BLOCK_WINDOWS * WINDOW_SAMPLES
    for start in range(0, len(samples), block):
        output, hidden, cell = session.run(
            None, {"input": _windows(samples, start, min(start + block, len(samples))), "h": hidden, "c": cell}
        )
        yield output.ravel()


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


class SpeechProbabilities:
    """`speech_probabilities` for audio that is still coming in; the same values, bit for bit where blocks agree."""

    def __init__(self) -> None:
        self._hidden = self._cell = np.zeros(_STATE_SHAPE, dtype=np.float32)
        self._context: Samples = np.zeros(_CONTEXT_SAMPLES, dtype=np.float32)
        self._rest: Samples = np.empty(0, dtype=np.float32)

    def push(self, samples: Samples) -> NDArray[np.float32]:
        """One probability for each window that `samples`, shape `(n_samples,)`, completes."""
        from faster_whisper.vad import get_vad_model  # noqa: PLC0415 - as above

        waiting = np.concatenate([self._rest, samples], dtype=np.float32)
        length = len(waiting) - len(waiting) % WINDOW_SAMPLES
        self._rest = waiting[length:]
        if not length:
            return np.empty(0, dtype=np.float32)
        known = np.concatenate([self._context, waiting[:length]])
        self._context = known[-_CONTEXT_SAMPLES:]
        windows = sliding_window_view(known, _CONTEXT_SAMPLES + WINDOW_SAMPLES)[::WINDOW_SAMPLES]
        inputs = {"input": np.ascontiguousarray(windows), "h": self._hidden, "c": self._cell}
        output, self._hidden, self._cell = get_vad_model().session.run(None, inputs)
        probabilities: NDArray[np.float32] = output.ravel()
        return probabilities


def _windows(samples: Samples, start: int, end: int) -> NDArray[np.float32]:
    """The model's input for `samples[start:end]`: windows with their context, shape `(n_windows, 64 + 512)`."""
    context = samples[max(0, start - _CONTEXT_SAMPLES) : start]
    fill = -(end - start) % WINDOW_SAMPLES
    padded = np.pad(
        np.concatenate([context, samples[start:end]], dtype=np.float32),
        (_CONTEXT_SAMPLES - len(context), fill),
    )
    return np.ascontiguousarray(sliding_window_view(padded, _CONTEXT_SAMPLES + WINDOW_SAMPLES)[::WINDOW_SAMPLES])


def _hysteresis(probabilities: NDArray[np.float32], first_window: int, options: VadOptions) -> list[Span]:
    """Speech before padding, in samples: as Silero's own loop, but what stays above the lower threshold is kept.

    `first_window` is the number of the window that `probabilities` begins with.
    """
    low = max(options.threshold - 0.15, 0.01) if options.end_threshold is None else options.end_threshold
    voiced = np.flatnonzero(probabilities >= low)
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


def _padded(spans: list[Span], length: int, pad: int) -> list[Span]:
    """Spans grown by `pad` samples, meeting in the middle of a shorter pause."""
    padded: list[Span] = []
    for i, (start, end) in enumerate(spans):
        before = spans[i - 1].end if i else 0
        after = spans[i + 1].start if i + 1 < len(spans) else length
        left = max(start - pad, (before + start) // 2 if i else 0)
        right = min(end + pad, (end + after) // 2 if i + 1 < len(spans) else length)
        padded.append(Span(left, right))
    return padded

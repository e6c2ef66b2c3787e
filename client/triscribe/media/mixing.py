"""Several channels to one without losing speech: looked at before they are summed.

A plain mean cancels speech whose copies have opposite signs, buries the dialogue of 5.1 sound under what is around it,
and lets one broken microphone drown the other. So, from what the channels have held lately:

- of a layout with a centre channel, the centre alone is taken while it carries something: films put the dialogue there
  (Recommendation ITU-R BS.775);
- a channel that runs opposite to the loudest one is inverted;
- a channel with loud, steady noise only counts little beside one whose level moves as speech does.

Else it is the mean. The same code serves files and live audio: it never looks ahead.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from triscribe.types import Notice, Samples

Mix = Literal["mean", "centre", "inverted", "weighted"]
"""How channels became one: the mean, the centre alone, some with their sign turned, some counted little."""

MAX_CHANNELS = 8
"""More channels than of 7.1 sound are not looked at: the mean is taken."""

_FRAME_S = 0.1
"""Short enough to fall between words, long enough for the level of noise to be steady."""

_WINDOW_FRAMES = 80
"""What is known of a channel is what it held in the last 8 s."""

_MEMORY_FRAMES = 5.0
"""Time constant of the correlation between channels (0.5 s): soon enough that no word is lost when it turns."""

_INVERT_BELOW, _RIGHT_ABOVE = -0.5, -0.1
"""Correlation from which a channel is turned, and turned back. Wide stereo music stays above."""

_NOISE, _SPEECH, _SURE = 0.25, 0.4, 0.6
"""Share of a channel's energy above its own floor: up to `_NOISE` it counts least, from `_SPEECH` fully, and only
while another one has `_SURE`. White noise has 0.1, pink noise 0.2, speech in a quiet room more than 0.95."""

_LEAST = 0.03
"""Weight of a channel with noise alone: 30 dB down, not gone."""

_HARMLESS = 1e-2
"""Noise 20 dB below the loudest channel is left alone: a silent party of a call is no fault."""

_CENTRE_LEVEL = 3e-7
"""Variance of a centre channel that carries something: -65 dBFS."""

_CENTRE_SHARE = 1e-4
"""The same beside the loudest channel: 40 dB below it."""

_RAMP_S = 0.02
"""Weights change within this time, so that no click is made."""

_SAID_BELOW = 0.5
"""A weight that is worth a word."""

_SAID_FROM_S = 0.5
"""A mix that was used for less is not worth a word."""

_MESSAGES: dict[Mix, str] = {
    "centre": "the centre channel alone was transcribed, since dialogue is there; split channels to get all of them",
    "inverted": "channels that cancel each other out were turned round before they were mixed",
    "weighted": "channels without speech were turned down before the others were mixed",
}


@dataclass(frozen=True, slots=True)
class ChannelLayout:
    """Which channels there are: how many, which one is the centre, which carry only low frequencies."""

    channels: int
    centre: int | None = None
    low: tuple[int, ...] = ()

    @classmethod
    def of(cls, names: Sequence[str]) -> ChannelLayout:
        """From ffmpeg's names, such as FL, FR, FC, LFE, BL, BR."""
        centre = names.index("FC") if "FC" in names and len(names) > 1 else None
        return cls(len(names), centre, tuple(i for i, name in enumerate(names) if name.startswith("LFE")))


class _Use(NamedTuple):
    """From its first to its last sample, a mix was used for so many samples."""

    start: int
    end: int
    length: int


class Mixer:
    """Mixes a stream of blocks; `push` gives what is complete, `finish` the rest.

    Args:
        layout: of all blocks.
        rate: samples a second.
    """

    def __init__(self, layout: ChannelLayout, rate: int) -> None:
        self._layout = layout
        self._rate = rate
        self._frame = round(_FRAME_S * rate)
        self._waiting: NDArray[np.float32] = np.empty((layout.channels, 0), np.float32)
        self._energies: deque[NDArray[np.float64]] = deque(maxlen=_WINDOW_FRAMES)
        self._variances: deque[NDArray[np.float64]] = deque(maxlen=_WINDOW_FRAMES)
        self._products = np.zeros((layout.channels, layout.channels))
        self._signs = np.ones(layout.channels)
        self._reference = 0
        self._weights: NDArray[np.float64] | None = None
        self._last: NDArray[np.float32] | None = None
        self._heard = np.ones(layout.channels, bool)
        self._heard[list(layout.low)] = False
        self._mixed = 0
        self._used: list[tuple[Mix, int, int]] = []

    def push(self, block: NDArray[np.float32]) -> Samples:
        """The mix, shape `(n_samples,)`, of all whole frames so far; `block` has the shape `(n_channels, any)`."""
        waiting = np.concatenate([self._waiting, block], axis=1)
        whole = waiting.shape[1] - waiting.shape[1] % self._frame
        self._waiting = waiting[:, whole:]
        return self._mix(waiting[:, :whole])

    def finish(self) -> Samples:
        """What was held back; the mixer may be used on."""
        rest, self._waiting = self._waiting, self._waiting[:, :0]
        return self._mix(rest)

    @property
    def kind(self) -> Mix:
        """The mix that was used longest, the mean only where it was the only one."""
        told = self._told()
        return max(told, key=lambda kind: told[kind].length) if told else "mean"

    def notices(self, offset_s: float = 0.0) -> tuple[Notice, ...]:
        """What was done to the channels and from when to when, `offset_s` seconds later."""
        return tuple(
            Notice(
                "mixed_channels", _MESSAGES[kind], offset_s + use.start / self._rate, offset_s + use.end / self._rate
            )
            for kind, use in self._told().items()
        )

    def _told(self) -> dict[Mix, _Use]:
        """Each mix but the mean that was used long enough to be worth a word."""
        found: dict[Mix, _Use] = {}
        for kind, start, end in self._used:
            earlier = found.get(kind, _Use(start, start, 0))
            found[kind] = _Use(earlier.start, end, earlier.length + end - start)
        return {kind: use for kind, use in found.items() if use.length >= _SAID_FROM_S * self._rate}

    def _mix(self, block: NDArray[np.float32]) -> Samples:
        length = block.shape[1]
        if not length:
            return np.empty(0, np.float32)
        self._listen(block)
        kind, weights = self._choose()
        self._remember(kind, length)
        earlier = weights if self._weights is None else self._weights
        self._weights = weights
        mono: Samples = (weights.astype(np.float32) @ block).astype(np.float32, copy=False)
        ramp = min(length, round(_RAMP_S * self._rate))
        if not np.array_equal(earlier, weights):
            share = np.linspace(0.0, 1.0, ramp, endpoint=False, dtype=np.float32)
            mono[:ramp] = share * mono[:ramp] + (1 - share) * (earlier.astype(np.float32) @ block[:, :ramp])
        return mono

    def _listen(self, block: NDArray[np.float32]) -> None:
        """Take energies and correlations of the next samples; what is no number counts as silence.

        The signal is judged by its slope: hum, rumble and a constant offset are louder than speech, but slower.
        """
        before = block[:, :1] if self._last is None else self._last
        self._last = block[:, -1:]
        slope = np.nan_to_num(np.diff(np.concatenate([before, block], axis=1)), posinf=0.0, neginf=0.0)
        for start in range(0, slope.shape[1], self._frame):
            part = slope[:, start : start + self._frame]
            products = (part @ part.T).astype(np.float64) / part.shape[1]
            self._energies.append(products.diagonal().copy())
            self._variances.append(np.nan_to_num(block[:, start : start + self._frame].var(axis=1, dtype=np.float64)))
            self._products += (products - self._products) / _MEMORY_FRAMES

    def _choose(self) -> tuple[Mix, NDArray[np.float64]]:
        """The kind of the next mix, and the weight of each channel."""
        level = np.mean(self._variances, axis=0)
        centre = self._layout.centre
        if centre is not None and level[centre] > max(_CENTRE_LEVEL, _CENTRE_SHARE * level.max()):
            return "centre", np.eye(self._layout.channels)[centre]
        self._turn()
        weights = self._shares(level)
        signed = weights * self._signs / weights.sum()
        if np.any(self._signs[weights > _LEAST] < 0):
            return "inverted", signed
        return ("weighted" if np.any(weights[self._heard] < _SAID_BELOW) else "mean"), signed

    def _turn(self) -> None:
        """Which channels run opposite to the loudest one."""
        power = np.where(self._heard, self._products.diagonal(), 0.0)
        loudest = int(power.argmax())
        if power[loudest] > 2 * power[self._reference]:
            self._reference = loudest
            self._signs *= self._signs[loudest]
        scale = np.sqrt(power * power[self._reference])
        correlation = np.divide(self._products[self._reference], scale, out=np.zeros_like(scale), where=scale > 0)
        self._signs = np.where(correlation < _INVERT_BELOW, -1.0, self._signs)
        self._signs = np.where(correlation > _RIGHT_ABOVE, 1.0, self._signs)

    def _shares(self, level: NDArray[np.float64]) -> NDArray[np.float64]:
        """How much each channel counts, 0 to 1, by how its level moves; those of low frequencies never."""
        if not self._heard.any():
            return np.ones(self._layout.channels)
        energies = np.array(self._energies)
        mean, floor = energies.mean(axis=0), np.percentile(energies, 10, axis=0)
        moving = np.divide(mean - floor, mean, out=np.zeros_like(mean), where=mean > 0)
        weights = np.ones(self._layout.channels)
        if moving[self._heard].max() >= _SURE:
            loud = level > _HARMLESS * level[self._heard].max()
            weights = np.where(loud, np.clip((moving - _NOISE) / (_SPEECH - _NOISE), _LEAST, 1.0), 1.0)
        return np.where(self._heard, weights, 0.0)

    def _remember(self, kind: Mix, length: int) -> None:
        start, self._mixed = self._mixed, self._mixed + length
        if kind == "mean":
            return
        if self._used and self._used[-1][0] == kind and self._used[-1][2] == start:
            start = self._used.pop()[1]
        self._used.append((kind, start, self._mixed))

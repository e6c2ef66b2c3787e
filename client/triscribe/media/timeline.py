"""Decoded frames laid down where their timestamps say, at 16 kHz: mixed for one recording, else each channel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import av
import numpy as np
from av.filter import Graph
from numpy.typing import NDArray

from triscribe.errors import AudioError
from triscribe.media import mixing
from triscribe.media.mixing import ChannelLayout, Mixer
from triscribe.media.samples import Recording
from triscribe.types import SAMPLE_RATE, Notice

MIN_SAMPLE_RATE = 1_000
"""Hz. Below it a small file would grow without bound in the resampler, and holds no speech."""

MAX_SAMPLE_RATE = 3_000_000
"""Hz. DSD512 decodes to 2.8 MHz; beyond, the resampler's filter alone takes hundreds of megabytes."""

_BLOCK = SAMPLE_RATE
"""Samples that leave the resampler at once."""

_GAP_S = 0.5
"""Timestamps that jump ahead by less are jitter."""

_LONGEST_GAP_S = 300.0
"""Timestamps that jump ahead by more are a new clock, not missing audio."""

_FILL_ALLOWANCE_S = 600.0
"""Silence that may be filled in beyond the audio really decoded, so that lying timestamps cost little."""


class Timeline:
    """One recording that gets the mix, or one for each channel.

    Args:
        recordings: take the samples.
        start_s: where the media's own clock starts, if it has one.
        mixed: several channels become one.
    """

    def __init__(self, recordings: Sequence[Recording], start_s: float | None, *, mixed: bool) -> None:
        self._recordings = recordings
        self._recording = recordings[0]
        self._mixed = mixed
        self._clock = start_s
        self.position = 0.0  # seconds laid down, those still in the resampler included
        self._filled_s = 0.0
        self._graph: Graph | None = None
        self._source_format: tuple[str, str, int] | None = None
        self._mixer: Mixer | None = None
        self._mixers: list[tuple[float, Mixer]] = []  # with the second at which each was begun

    @property
    def mix(self) -> str | None:
        """How channels became one, as in `AudioInfo`; None where there was one only, or each is by itself."""
        kinds = [mixer.kind for _, mixer in self._mixers]
        return next((kind for kind in kinds if kind != "mean"), kinds[0]) if kinds else None

    def notices(self) -> tuple[Notice, ...]:
        """What was done to the channels."""
        return tuple(notice for start_s, mixer in self._mixers for notice in mixer.notices(start_s))

    def push(self, frame: av.AudioFrame) -> None:
        """Lay one frame down.

        Raises:
            AudioError: its sample rate is impossible, or it has another number of channels than there are recordings.
        """
        if not MIN_SAMPLE_RATE <= frame.sample_rate <= MAX_SAMPLE_RATE:
            raise AudioError(f"{self._recording.label} has an impossible sample rate of {frame.sample_rate} Hz")
        if not self._mixed and frame.layout.nb_channels != len(self._recordings):
            raise AudioError(f"{self._recording.label} changes the number of its channels on the way")
        self._keep_time(frame)
        # Broadcasts and chained files change rate or layout on the way; a resampler takes one of them.
        source_format = (frame.format.name, frame.layout.name, frame.sample_rate)
        if source_format != self._source_format:
            self.flush()
            self._source_format = source_format
            self._mixer = self._new_mixer(frame)
        if self._graph is None:
            summed = self._mixed and self._mixer is None
            self._graph = _resampler(frame, "mono" if summed else frame.layout.name)
        self._graph.push(frame)
        self._drain(self._graph)

    def flush(self) -> None:
        """Takes out what the resampler and the mixer still hold; the next frame starts a new resampler."""
        if self._graph is not None:
            self._graph.push(None)
            self._drain(self._graph)
            self._graph = None
        if self._mixer is not None:
            self._recording.append(self._mixer.finish())

    def _new_mixer(self, frame: av.AudioFrame) -> Mixer | None:
        """For as many channels as are worth a look."""
        names = [channel.name for channel in frame.layout.channels]
        if not self._mixed or not 1 < len(names) <= mixing.MAX_CHANNELS:
            return None
        mixer = Mixer(ChannelLayout.of(names), SAMPLE_RATE)
        self._mixers.append((self._recording.duration, mixer))
        return mixer

    def _keep_time(self, frame: av.AudioFrame) -> None:
        time = frame.time
        if time is not None:
            gap = 0.0 if self._clock is None else time - self._clock
            allowance = _FILL_ALLOWANCE_S + self._recording.duration
            if _GAP_S < gap <= _LONGEST_GAP_S and self._filled_s + gap <= allowance:
                self.flush()
                for recording in self._recordings:
                    recording.append(np.zeros(round(gap * SAMPLE_RATE), dtype=np.float32))
                self._filled_s += gap
                self.position += gap
            if self._clock is None or abs(gap) > _GAP_S:
                self._clock = time
        length_s = frame.samples / frame.sample_rate
        self.position += length_s
        if self._clock is not None:
            self._clock += length_s

    def _drain(self, graph: Graph) -> None:
        while True:
            try:
                block = cast("av.AudioFrame", graph.pull())
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            # Interleaved: the planes of layouts without names are not always all there.
            channels: NDArray[np.float32] = block.to_ndarray().astype(np.float32, copy=False)
            channels = np.ascontiguousarray(channels.reshape(-1, block.layout.nb_channels).T)
            if self._mixer is not None:
                channels = self._mixer.push(channels)[None]
            for recording, channel in zip(self._recordings, channels, strict=True):
                recording.append(channel)


def _resampler(frame: av.AudioFrame, layout: str) -> Graph:
    # Not av.AudioResampler: libswresample leaves a mix-down to float unscaled (two equal channels come out 3 dB
    # louder and clip) unless rematrix_maxval says otherwise.
    graph = Graph()
    source = graph.add(
        "abuffer",
        sample_rate=str(frame.sample_rate),
        sample_fmt=frame.format.name,
        channel_layout=frame.layout.name,
        time_base=str(frame.time_base or f"1/{frame.sample_rate}"),
    )
    resample = graph.add("aresample", f"{SAMPLE_RATE}:rematrix_maxval=1.0")
    shape = graph.add("aformat", sample_fmts="flt", sample_rates=str(SAMPLE_RATE), channel_layouts=layout)
    sink = graph.add("abuffersink")
    source.link_to(resample)
    resample.link_to(shape)
    shape.link_to(sink)
    graph.configure()
    graph.set_audio_frame_size(_BLOCK)
    return graph

"""A picture of who spoke when: a row for each speaker, a bar for each turn, overlaps marked."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Literal

from triscribe.extras import needs
from triscribe.formats.base import plain
from triscribe.types import Transcript

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW_MINUTES = 5.0
"""Longer recordings continue on a further panel, so that short turns stay visible."""

MAX_PANELS = 48
"""Beyond four hours panels cover more time instead; a picture of endless height is no use."""

_WIDTH_IN = 12.0
_SPEAKER_IN = 0.32
_FRAME_IN = 0.7


def _render(transcript: Transcript, kind: Literal["png", "svg"]) -> bytes:
    """Draws the turns.

    Raises:
        MissingPackageError: matplotlib is not installed.
    """
    with needs("formats", f"The format {kind}"):
        import matplotlib  # noqa: PLC0415 - slow to import
        from matplotlib.figure import Figure  # noqa: PLC0415
    speakers = transcript.speakers or tuple(dict.fromkeys(turn.speaker for turn in transcript.turns))
    duration = max(transcript.audio.duration, *(turn.end for turn in transcript.turns), 1.0)
    span = min(duration, max(ROW_MINUTES * 60, duration / MAX_PANELS))
    panels = max(1, -int(-duration // span))
    height = panels * (_FRAME_IN + _SPEAKER_IN * max(1, len(speakers)))
    figure = Figure(figsize=(_WIDTH_IN, height), layout="constrained")
    for panel, axes in enumerate(figure.subplots(panels, squeeze=False)[:, 0]):
        _draw(axes, transcript, speakers, (panel * span, (panel + 1) * span))
    axes.set_xlabel("minutes")
    target = io.BytesIO()
    # Without the date and with fixed ids the same transcript gives the same bytes.
    with matplotlib.rc_context({"svg.hashsalt": "triscribe"}):
        figure.savefig(target, format=kind, metadata={"Date": None} if kind == "svg" else None)
    return target.getvalue()


def _draw(axes: Axes, transcript: Transcript, speakers: tuple[str, ...], window: tuple[float, float]) -> None:
    start, end = window
    for row, speaker in enumerate(speakers):
        bars = [
            (turn.start / 60, (turn.end - turn.start) / 60)
            for turn in transcript.turns
            if turn.speaker == speaker and turn.start < end and turn.end > start
        ]
        axes.broken_barh(bars, (row - 0.4, 0.8), facecolors=f"C{row % 10}")
    for overlap in transcript.overlaps:
        if overlap.start < end and overlap.end > start:
            axes.axvspan(overlap.start / 60, overlap.end / 60, color="0.85", zorder=0)
    axes.set_xlim(start / 60, end / 60)
    axes.set_ylim(max(1, len(speakers)) - 0.5, -0.5)
    # A name from elsewhere must not be read as mathematics.
    axes.set_yticks(range(len(speakers)), [speaker.replace("$", r"\$") for speaker in speakers])


def render_png(transcript: Transcript) -> bytes:
    """The timeline as PNG."""
    return _render(transcript, "png")


def render_svg(transcript: Transcript) -> bytes:
    """The timeline as SVG."""
    return _render(transcript, "svg")


PNG = plain("png", render_png)
SVG = plain("svg", render_svg)

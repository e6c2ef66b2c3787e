"""Where several people speak at once: for the turns of a diarizer, and for channels that are a speaker each.

Also imported by the diarizer process, whose environment has none of the client's packages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from triscribe.types import Overlap, SpeakerTurn


def find_overlaps(turns: Iterable[SpeakerTurn]) -> tuple[Overlap, ...]:
    """Stretches in which at least two speakers are active, in order; a new one begins where their set changes."""
    edges = sorted((time, step, turn.speaker) for turn in turns for time, step in ((turn.start, 1), (turn.end, -1)))
    active: Counter[str] = Counter()
    overlaps: list[Overlap] = []
    previous = 0.0
    for time, step, speaker in edges:
        together = tuple(sorted(+active))
        if len(together) > 1 and time > previous:
            if overlaps and overlaps[-1].end == previous and overlaps[-1].speakers == together:
                overlaps[-1] = replace(overlaps[-1], end=time)
            else:
                overlaps.append(Overlap(previous, time, together))
        active[speaker] += step
        previous = time
    return tuple(overlaps)

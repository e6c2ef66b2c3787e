"""Subtitle cues: which words appear together, on which lines, and when.

Cues break where a reader pauses anyway: at the end of a sentence or clause, at a pause, always at a change of speaker.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from sentence_ends import sentence_ends
from triscribe.formats.base import milliseconds, written_in
from triscribe.formats.bidi import is_right_to_left, led, name_first
from triscribe.formats.boxes import Box, ShownWord, boxes, shown_words
from triscribe.formats.options import WriteOptions
from triscribe.spacing import clean
from triscribe.types import Segment, Transcript

PAUSE_S = 0.4
"""A pause from which a break is welcome."""

LONG_PAUSE_S = 2.0
"""A pause that no cue spans."""

# An ellipsis that ends no sentence still parts what stands before it from what comes.
_CLAUSE_END = re.compile(r"(?:[,;:—、，；：،؛–…-]|\.\.\.)['\")\]»”’」』）]*$")

# What a break costs, against 1 for each cue.
_AFTER_SENTENCE, _AFTER_CLAUSE, _AT_PAUSE, _ANYWHERE, _AFTER_ABBREVIATION = 0.0, 0.4, 0.3, 1.0, 1.5
_SHORT_CUE = 0.5
_WORST_HASTE = 2.0

# What ending a line at no punctuation costs, against the squares of how far lines are from their mean.
_UNPUNCTUATED_LINE, _ABBREVIATED_LINE = 0.1, 0.2


@dataclass(frozen=True, slots=True)
class CueWord:
    """A word of a cue. `space` says whether one precedes it on its line; without `timed` its times are a guess."""

    text: str
    space: bool
    start_ms: int
    end_ms: int
    timed: bool


@dataclass(frozen=True, slots=True)
class Cue:
    """Words on screen from `start_ms` to `end_ms`, milliseconds from the start of the file; a row is a line.

    `right_to_left` is the direction of the segment that they are from.
    """

    start_ms: int
    end_ms: int
    rows: tuple[tuple[CueWord, ...], ...]
    speaker: str | None
    right_to_left: bool = False

    @property
    def lines(self) -> tuple[str, ...]:
        """The text of each line."""
        return tuple("".join(f" {word.text}" if word.space else word.text for word in row) for row in self.rows)

    def lead(self, line: str) -> str:
        """What to put before one of its lines, for who takes a line's direction from its first letter."""
        return led(line) if self.right_to_left else ""


@dataclass(frozen=True, slots=True)
class _Run:
    """A stretch of a segment that one speaker says."""

    packed: list[Box]
    speaker: str | None
    right_to_left: bool


@dataclass(frozen=True, slots=True)
class _Draft:
    lines: tuple[tuple[Box, ...], ...]
    run: _Run

    @property
    def words(self) -> list[ShownWord]:
        return [word for line in self.lines for box in line for word in box.words]

    @property
    def columns(self) -> int:
        return sum(_columns(line) for line in self.lines)


def cues(transcript: Transcript, options: WriteOptions, *, name_speakers: bool) -> list[Cue]:
    """Lays a transcript out as cues.

    Args:
        transcript: with or without word times; without, a segment's time is shared out by length of text.
        options: limits.
        name_speakers: put `SPEAKER_00: ` before the first words after a change of speaker.

    Returns:
        Cues in order, none empty, none overlapping; every word is in exactly one.
    """
    runs = list(_runs(transcript, options, name_speakers=name_speakers))
    starts = [run.packed[0].start for run in runs]
    drafts = []
    for run, until in zip(runs, [*starts[1:], transcript.audio.duration], strict=False):
        for group in _groups(run.packed, until, options):
            drafts.append(_Draft(_lines(group, options.max_line_width), run))
    return list(_timed(drafts, options, transcript.audio.duration))


def _runs(transcript: Transcript, options: WriteOptions, *, name_speakers: bool) -> Iterator[_Run]:
    last_speaker = None
    for segment in transcript.segments:
        shown = _with_sentences(segment, written_in(transcript, segment))
        right_to_left = is_right_to_left(segment.text)
        for speaker, said in groupby(shown, key=lambda word: word.speaker):
            words = list(said)
            if name_speakers and speaker is not None and speaker != last_speaker:
                name = name_first(clean(speaker), marked=right_to_left and options.bidi_marks)
                words[0] = replace(words[0], text=name + words[0].text)
            last_speaker = speaker
            yield _Run(boxes(words, options.max_line_width), speaker, right_to_left)


def _with_sentences(segment: Segment, language: str) -> list[ShownWord]:
    """The words of a segment, which know whether a sentence ends with them."""
    words = shown_words(segment)
    ends = sentence_ends([f" {word.text}" if word.space else word.text for word in words], language)
    return [replace(word, ends_sentence=end) for word, end in zip(words, ends, strict=True)]


def _groups(packed: Sequence[Box], until: float, options: WriteOptions) -> list[Sequence[Box]]:
    """Boxes of one speaker parted into cues at the least total cost (dynamic programming over the break points).

    `until` is when something else appears, in seconds.
    """
    n = len(packed)
    best = [0.0] + [float("inf")] * n
    came_from = [0] * (n + 1)
    for start in range(n):
        for end, columns in _fitting(packed, start, options):
            next_start = packed[end].start if end < n else until
            cost = (
                best[start]
                + 1.0
                + _break_cost(packed, end)
                + _haste(columns, next_start - packed[start].start, options)
            )
            if columns < options.max_line_width // 3:
                cost += _SHORT_CUE
            if cost < best[end]:
                best[end], came_from[end] = cost, start
    groups = []
    end = n
    while end:
        groups.append(packed[came_from[end] : end])
        end = came_from[end]
    return groups[::-1]


def _fitting(packed: Sequence[Box], start: int, options: WriteOptions) -> Iterator[tuple[int, int]]:
    """Every end of a cue that starts at `start`, with its columns; at least one box always fits."""
    lines, used, total = 1, 0, 0
    for i in range(start, len(packed)):
        box = packed[i]
        needed = box.width + box.space if i > start else box.width
        if used + needed > options.max_line_width:
            lines, used = lines + 1, box.width
        else:
            used += needed
        total += needed
        if i > start:
            pause = box.start - packed[i - 1].end
            if lines > options.max_lines or pause >= LONG_PAUSE_S or box.end - packed[start].start > options.max_s:
                return
        yield i + 1, total


def _break_cost(packed: Sequence[Box], end: int) -> float:
    last = packed[end - 1].words[-1]
    if end == len(packed) or last.ends_sentence:
        return _AFTER_SENTENCE
    if packed[end].start - packed[end - 1].end >= PAUSE_S:
        return _AT_PAUSE
    if _CLAUSE_END.search(last.text):
        return _AFTER_CLAUSE
    return _AFTER_ABBREVIATION if last.text.endswith(".") else _ANYWHERE


def _haste(columns: int, room_s: float, options: WriteOptions) -> float:
    """What it costs that a cue must go before it can be read: how much faster than allowed one must read, less 1."""
    room_s = min(room_s - options.gap_s, options.max_s)
    if room_s <= 0:
        return _WORST_HASTE
    needed_s = max(columns / options.reading_speed, options.min_s)
    return min(_WORST_HASTE, max(0.0, needed_s / room_s - 1))


def _lines(group: Sequence[Box], width: int) -> tuple[tuple[Box, ...], ...]:
    """The fewest lines, about equally long, that end at punctuation where they can."""
    count = _fewest_lines(group, width)
    mean = _columns(group) / count
    n = len(group)
    # best[end] holds the cost of the boxes before `end` on the lines so far, and where those lines end.
    best: dict[int, tuple[float, tuple[int, ...]]] = {0: (0.0, ())}
    for line in range(count):
        reached: dict[int, tuple[float, tuple[int, ...]]] = {}
        for start, (cost, ends) in best.items():
            for end in range(start + 1, n - (count - line - 1) + 1):
                columns = _columns(group[start:end])
                if columns > width:
                    break
                total = cost + ((columns - mean) / mean) ** 2
                total += 0.0 if end == n else _line_break_cost(group[end - 1].words[-1])
                if end not in reached or total < reached[end][0]:
                    reached[end] = (total, (*ends, end))
        best = reached
    ends = best[n][1]
    return tuple(tuple(group[start:end]) for start, end in zip((0, *ends), ends, strict=False))


def _line_break_cost(last: ShownWord) -> float:
    if last.ends_sentence or _CLAUSE_END.search(last.text):
        return 0.0
    return _ABBREVIATED_LINE if last.text.endswith(".") else _UNPUNCTUATED_LINE


def _fewest_lines(group: Sequence[Box], width: int) -> int:
    lines, used = 1, group[0].width
    for box in group[1:]:
        used += box.width + box.space
        if used > width:
            lines, used = lines + 1, box.width
    return lines


def _columns(line: Sequence[Box]) -> int:
    return max(1, sum(box.width + box.space for box in line) - line[0].space)


def _timed(drafts: Sequence[_Draft], options: WriteOptions, duration: float) -> Iterator[Cue]:
    # Starts strictly increase, so that no cue is empty when it ends where the next one starts.
    starts: list[int] = []
    for draft in drafts:
        starts.append(max(milliseconds(draft.words[0].start), starts[-1] + 1 if starts else 0))
    for i, (draft, start_ms) in enumerate(zip(drafts, starts, strict=True)):
        spoken_ms = milliseconds(draft.words[-1].end)
        readable_ms = start_ms + milliseconds(max(options.min_s, draft.columns / options.reading_speed))
        end_ms = max(spoken_ms, min(readable_ms, milliseconds(duration)), start_ms + 1)
        end_ms = min(end_ms, start_ms + max(1, milliseconds(options.max_s)))
        if i + 1 < len(drafts):
            room_ms = starts[i + 1] - start_ms
            # The gap takes half of a very short cue at most.
            end_ms = min(end_ms, starts[i + 1] - min(milliseconds(options.gap_s), room_ms // 2))
        rows = tuple(_row([word for box in line for word in box.words], start_ms, end_ms) for line in draft.lines)
        yield Cue(start_ms, end_ms, rows, draft.run.speaker, draft.run.right_to_left)


def _row(words: Sequence[ShownWord], start_ms: int, end_ms: int) -> tuple[CueWord, ...]:
    def within(time: float) -> int:
        return min(max(milliseconds(time), start_ms), end_ms)

    return tuple(
        CueWord(word.text, word.space and i > 0, within(word.start), within(word.end), word.timed)
        for i, word in enumerate(words)
    )

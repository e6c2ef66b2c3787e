"""Live audio to results: voice detection opens and closes utterances, local agreement cuts the long ones.

While somebody speaks, the utterance so far is transcribed again and again, quickly; that gives the interims, and
tells where a sentence is complete. What becomes final is transcribed once more with the full options, from the first
moment of a pause on (`ahead`). A stream has one request under way at any time, so a busy server sees fewer interims
instead of a longer queue.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from concurrent.futures import Executor

import numpy as np

from triscribe.errors import (
    DeadlineExceededError,
    InternalError,
    ResourceExhaustedError,
    UnavailableError,
)
from triscribe.live.agreement import LocalAgreement, longest_pause
from triscribe.live.ahead import QUIET_S, Ahead, ends_sentence
from triscribe.live.events import (
    FinalResult,
    InterimResult,
    LiveEvent,
    LiveOptions,
    Silence,
    SpeechActivity,
    UtteranceFinal,
)
from triscribe.live.stretches import Quality, Recognize
from triscribe.live.tail import AudioTail
from triscribe.live.utterance import LONGEST_S, Pause, Utterance
from triscribe.speech.chunking import quietest
from triscribe.speech.endpointer import Endpointer, SpeechEvent
from triscribe.transcription.placing import placed
from triscribe.types import SAMPLE_RATE, ChunkResult, Notice, Samples, Segment

BLOCK_SAMPLES = 1536
"""Samples judged by voice detection at once (96 ms): small enough to be prompt, large enough to be cheap."""

_PAD_S = 0.3
"""Kept behind an utterance."""

_LATE_S = 0.7
"""A beginning is known a block late: so much silence is kept beside what is kept before every utterance."""

_BOUND_S = 8.0
"""No word waits longer for its final, as long as the server keeps up with the speech."""

_PATIENCE_S = (2.5, 6.0)
"""A stretch without a complete sentence is cut at its longest pause once its beginning is so old, at least and at most:
what a hypothesis and the final have taken lately has to fit into the rest of `_BOUND_S`."""

_RESERVE = 1.5
"""Requests may take so many times what they took lately."""

_LEAST_CUT_S = 1.5
"""Less is not cut: its words are not known well enough."""

_BACKLOG_S = 60.0
"""Audio that may wait; beyond it no more is read, and the caller's flow control stops it."""

_STEP_S = 1.0
_STEP_WITHOUT_INTERIMS_S = 3.0
_PAUSE_PER_REQUEST = 2.0
"""Wait at least this many times as long as the last interim request took, so that they use a third of the time."""

_AHEAD_SHARE = 2.0
"""Finals ahead of their time begin at least so many times as long after each other as one takes: somebody who pauses
after every word has half of the server to himself at most."""

_SLOW_S = 1.5
"""A server that takes so long for a final has others to serve: it is not asked for any ahead of its time."""

_MAX_NOTICES = 100

_PASSING = (UnavailableError, ResourceExhaustedError, DeadlineExceededError, InternalError)
"""Errors that only cost an interim: the next one is tried. The same errors in a final end the stream."""


class LiveRecognizer:
    """One live stream: `push` and `finish` feed it, `run` works, `events` gets what is to be sent; tasks of one loop.

    Args:
        recognize: transcribes stretches.
        options: see `LiveOptions`.
        threads: run voice detection.
    """

    def __init__(self, recognize: Recognize, options: LiveOptions, threads: Executor) -> None:
        self._recognize = recognize
        self._options = options
        self._threads = threads
        self._endpointer = Endpointer(options.end_s, options.voice)
        self._tail = AudioTail()
        self._utterances: deque[Utterance] = deque()
        self._done = 0
        self._quiet_since = 0
        self._finished = False
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._waiting: Samples = np.empty(0, dtype=np.float32)
        # Bounded: a caller that does not read stops everything up to its own sending.
        self.events: asyncio.Queue[LiveEvent] = asyncio.Queue(maxsize=16)
        self.language = options.language
        self.language_probability = 1.0 if options.language else 0.0
        self.model = ""
        self.notices: list[Notice] = []
        self._quick_s = self._final_s = 0.5  # what requests have taken lately
        self._judging = asyncio.Lock()
        self._next_ahead = 0.0

    @property
    def received_s(self) -> float:
        """Seconds of audio received."""
        return (self._tail.end + len(self._waiting)) / SAMPLE_RATE

    @property
    def outstanding_s(self) -> float:
        """Seconds of audio received and not final yet."""
        return self.received_s - self._done / SAMPLE_RATE

    async def push(self, samples: Samples) -> None:
        """Take samples, shape `(n_samples,)`; waits while too much is unfinished."""
        self._waiting = np.concatenate([self._waiting, samples])
        while len(self._waiting) >= BLOCK_SAMPLES:
            block, self._waiting = self._waiting[:BLOCK_SAMPLES], self._waiting[BLOCK_SAMPLES:]
            await self._take(block)

    async def finish(self) -> None:
        """No more audio comes; what is there becomes final."""
        await self._take(self._waiting)
        self._waiting = self._waiting[:0]
        for event in self._endpointer.finish():
            await self._note(event, cut_short=True)
        self._finished = True
        self._news.set()

    async def run(self) -> None:
        """Turn utterances into results until the audio has ended.

        Raises:
            ServerError: a stretch could not be transcribed; nothing is left out in silence.
        """
        while True:
            if self._utterances:
                await self._follow(self._utterances[0])
                self._utterances.popleft()
                if self._options.utterances:
                    await self.events.put(UtteranceFinal())
            elif self._finished:
                break
            else:
                self._progressed(self._tail.end - round((self._options.prefix_s + _LATE_S) * SAMPLE_RATE))
                await self._wait()

    async def _take(self, block: Samples) -> None:
        while self._tail.end - self._done > _BACKLOG_S * SAMPLE_RATE:
            self._room.clear()
            await self._room.wait()
        self._tail.append(block)
        loop = asyncio.get_running_loop()
        async with self._judging:
            for event in await loop.run_in_executor(self._threads, self._endpointer.push, block):
                await self._note(event)
            await self._note_pause()
        await self._note_silence()
        self._news.set()

    async def _note(self, event: SpeechEvent, *, cut_short: bool = False) -> None:
        """Tell of a beginning or an end before anything can be told about the utterance."""
        if event.begins:
            last_end = self._utterances[-1].end if self._utterances else self._done
            edge = max(event.sample - round(self._options.prefix_s * SAMPLE_RATE), last_end or 0, 0)
        else:
            edge = min(event.sample + round(_PAD_S * SAMPLE_RATE), self._tail.end)
            self._quiet_since = event.sample
        if self._options.events:
            times = event.sample / SAMPLE_RATE, edge / SAMPLE_RATE
            await self.events.put(SpeechActivity(event.begins, *times, cut_short))
        if event.begins:
            self._utterances.append(Utterance(edge))
        else:
            utterance = self._utterances[-1]
            utterance.end, utterance.voiced = edge, self._endpointer.last_voiced
            utterance.ended.set()
            utterance.turn.set()

    async def _note_pause(self) -> None:
        """Tell the open utterance of silence, which may be enough to end it."""
        if not self._endpointer.speaking:
            return
        utterance = self._utterances[-1]
        utterance.voiced, quiet_s = self._endpointer.last_voiced, self._endpointer.quiet_s
        if quiet_s >= QUIET_S and utterance.pause is None:
            until = min(utterance.voiced + round(_PAD_S * SAMPLE_RATE), self._tail.end)
            utterance.last_pause = Pause(utterance.voiced, until)
        least_s = self._options.sentence_end_s
        if least_s is not None and utterance.complete_at == utterance.voiced and quiet_s >= least_s:
            for event in self._endpointer.end():
                await self._note(event)
        elif quiet_s >= QUIET_S and self._may_look_ahead():
            utterance.turn.set()
        else:
            utterance.turn.clear()

    async def _note_silence(self) -> None:
        idle_s, end = self._options.idle_s, self._tail.end
        if idle_s is None or self._endpointer.speaking or end - self._quiet_since < idle_s * SAMPLE_RATE:
            return
        start, self._quiet_since = self._quiet_since, end
        await self.events.put(Silence(start / SAMPLE_RATE, end / SAMPLE_RATE))

    async def _wait(self) -> None:
        self._news.clear()
        await self._news.wait()

    def _progressed(self, sample: int) -> None:
        self._done = max(self._done, sample)
        self._tail.drop_before(self._done)
        self._room.set()

    async def _follow(self, utterance: Utterance) -> None:
        """One utterance from its first sample to its last final."""
        start, agreement = utterance.start, LocalAgreement()
        step_s = _STEP_S if self._options.interims else _STEP_WITHOUT_INTERIMS_S
        next_request = start + round(step_s * SAMPLE_RATE)
        longest = round(LONGEST_S * SAMPLE_RATE)
        ahead: Ahead | None = None
        try:
            while True:
                end = utterance.end
                if end is not None and utterance.fits(start):
                    made = ahead if ahead and ahead.is_of(start, utterance.voiced) else None
                    await self._finalise(start, end, until=utterance.until, ahead=made)
                    return
                if ahead and not ahead.request.done():
                    await self._wait()
                    continue
                if ahead and not ahead.is_told:
                    await self._tell(ahead, utterance, agreement)
                    continue
                if utterance.pause is not None and self._is_worth_a_look(utterance, start, ahead):
                    ahead = self._look_ahead(start, utterance.pause, utterance)
                    continue
                until = min(self._tail.end, start + longest, self._tail.end if end is None else end)
                is_due = until - start >= longest or self._is_due(start, until)
                is_known = ahead is not None and ahead.is_of(start, utterance.voiced)
                if (until < next_request or is_known) and not is_due:
                    await self._wait()
                    continue
                began = time.monotonic()
                cut = await self._interim_until_turn(utterance, start, until, agreement, is_due=is_due)
                self._quick_s = _lately(self._quick_s, time.monotonic() - began)
                if cut is not None and not utterance.fits(start):
                    await self._finalise(start, cut)
                    start = cut
                pause_s = max(step_s, _PAUSE_PER_REQUEST * (time.monotonic() - began))
                next_request = until + round(pause_s * SAMPLE_RATE)
        finally:
            if ahead:
                ahead.cancel()

    def _may_look_ahead(self) -> bool:
        return self._final_s < _SLOW_S and time.monotonic() >= self._next_ahead

    def _is_worth_a_look(self, utterance: Utterance, start: int, ahead: Ahead | None) -> bool:
        """Whether what was said before a pause may be all, and nobody has asked for its text."""
        if ahead and ahead.is_of(start, utterance.voiced):
            return False
        length = utterance.voiced - start
        return (
            utterance.turn.is_set()
            and not utterance.ended.is_set()
            and 0 < length <= (LONGEST_S - _PAD_S) * SAMPLE_RATE
            and self._may_look_ahead()
        )

    def _look_ahead(self, start: int, until: int, utterance: Utterance) -> Ahead:
        """Ask for the final that the utterance gets if it ends here."""
        utterance.turn.clear()
        self._next_ahead = time.monotonic() + _AHEAD_SHARE * self._final_s
        request = self._recognize_fully(start, until, "ahead")
        return Ahead.asked(start, utterance.voiced, request, self._news.set)

    async def _recognize_fully(self, start: int, until: int, quality: Quality) -> ChunkResult:
        began = time.monotonic()
        result = await self._recognize(self._tail.cut(start, until), quality=quality, language=self.language)
        self._final_s = _lately(self._final_s, time.monotonic() - began)
        return result

    async def _tell(self, ahead: Ahead, utterance: Utterance, agreement: LocalAgreement) -> None:
        """A final that came before it was needed is the next interim; a whole sentence may end the utterance."""
        ahead.is_told = True
        if ahead.result is None:
            return
        segments = placed(ahead.result, ahead.start / SAMPLE_RATE).segments
        agreement.update(segments)
        if self._options.interims and segments:
            await self.events.put(InterimResult(segments, _stability(agreement, segments)))
        if ends_sentence(segments, ahead.result.language):
            utterance.complete_at = ahead.voiced
            async with self._judging:
                await self._note_pause()

    async def _interim_until_turn(
        self, utterance: Utterance, start: int, until: int, agreement: LocalAgreement, *, is_due: bool
    ) -> int | None:
        """An interim request that is given up when the utterance ends, or pauses: the final result matters more.

        What is due is not given up for a pause: it would never come if the speaker pauses all the time.
        """
        if utterance.ended.is_set():
            return await self._interim(start, until, agreement, is_due=is_due)
        request = asyncio.ensure_future(self._interim(start, until, agreement, is_due=is_due))
        turn = asyncio.ensure_future((utterance.ended if is_due else utterance.turn).wait())
        try:
            await asyncio.wait({request, turn}, return_when=asyncio.FIRST_COMPLETED)
            return request.result() if request.done() else None
        finally:
            request.cancel()
            turn.cancel()

    def _is_due(self, start: int, until: int) -> bool:
        """Whether what begins here has to become final, complete or not."""
        patience_s = _BOUND_S - _RESERVE * (self._quick_s + self._final_s)
        patience_s = min(max(patience_s, _PATIENCE_S[0]), _PATIENCE_S[1])
        age_s = time.monotonic() - self._tail.arrived(start)
        return age_s >= patience_s and until - start >= _LEAST_CUT_S * SAMPLE_RATE

    async def _interim(self, start: int, until: int, agreement: LocalAgreement, *, is_due: bool) -> int | None:
        """Transcribe what has been said so far; returns the sample up to which it is complete, if it is anywhere.

        What is due is cut in any case.
        """
        start_s = start / SAMPLE_RATE
        samples = self._tail.cut(start, until)
        try:
            result = await self._recognize(samples, quality="quick", language=self.language)
        except _PASSING:
            return start + _quiet_place(samples) if is_due else None
        segments = placed(result, start_s).segments
        agreement.update(segments)
        cut_s = agreement.complete_until(start_s, segments)
        if cut_s is None and is_due:
            cut_s = longest_pause(segments) or start_s + _quiet_place(samples) / SAMPLE_RATE
        if cut_s is None:
            if self._options.interims and segments:
                await self.events.put(InterimResult(segments, _stability(agreement, segments)))
            return None
        agreement.cut_before(cut_s, segments)
        return max(start + 1, min(round(cut_s * SAMPLE_RATE), until))

    async def _finalise(self, start: int, end: int, *, until: int | None = None, ahead: Ahead | None = None) -> None:
        """Make a stretch final, by the text that was made ahead if there is one, else of the audio before `until`."""
        arrived = self._tail.arrived(end)
        result = placed(await self._final(start, until or end, ahead), start / SAMPLE_RATE)
        self.model = result.model
        if result.segments and self.language is None:
            # Settled by the first words, as the first chunks settle that of a file.
            self.language, self.language_probability = result.language, result.language_probability
        self.notices += result.notices[: _MAX_NOTICES - len(self.notices)]
        self._progressed(end)
        if result.segments:
            await self.events.put(FinalResult(result.segments, time.monotonic() - arrived))

    async def _final(self, start: int, until: int, ahead: Ahead | None) -> ChunkResult:
        if ahead:
            await asyncio.wait({ahead.request})
            if ahead.result is not None:
                return ahead.result
        return await self._recognize_fully(start, until, "final")


def _stability(agreement: LocalAgreement, segments: tuple[Segment, ...]) -> float:
    return agreement.agreed / max(1, sum(len(segment.words) for segment in segments))


def _lately(before_s: float, now_s: float) -> float:
    """Seconds that a request takes: slow ones count at once, quick ones little by little."""
    return max(now_s, 0.7 * before_s + 0.3 * now_s)


def _quiet_place(samples: Samples) -> int:
    return quietest(samples, len(samples) // 2, len(samples))

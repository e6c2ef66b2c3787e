"""One chunk from samples to segments: decode, judge, decode again what failed, time the words."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .checkpoint import Prompt
from .coverage import Loss, is_better, loss
from .errors import PipelineError
from .evidence import Frames, loud, voice
from .features import FRAMES_PER_SECOND, MAX_AUDIO_S, SAMPLE_RATE, is_silent, log_mel
from .job import Align, Context, Job, Samples, Whisper
from .pauses import out_of_pauses, quiet_stretches, quietest
from .quality import MESSAGES, Candidate, Verdict, best, is_made_up, judge
from .repetition import is_said, written_twice
from .result import Result, Segment, Warning_, Word, shift
from .unheard import has_voice, is_alike, is_doubtful, is_echo
from .units import Piece, written_words
from .words import attention_words, cut_segments, ordered

MIN_SPLIT_S = 2.0
"""A piece this short is not split again: its text is then reported as cut off."""

SPEAKS = 0.5
"""Silero's own threshold for speech."""

MAX_WORDS_PER_SECOND = 8
"""Nobody speaks faster: a text that repeats itself with more words than that is a loop."""


MAX_COPIES = 8
"""Phrases of a chunk of which the audio is asked whether it holds them twice."""

MAX_TOKENS = 224
TOKENS_PER_SECOND, SPARE_TOKENS = 10, 16
"""What nobody exceeds: fast speech has 6 words, or 8 to 9 tokens, a second."""


class Pipeline:
    """The steps of one chunk. Holds no request state."""

    def __init__(
        self,
        *,
        whisper: Whisper,
        align: Align,
        aligner_languages: frozenset[str],
        pool: Executor,
        context: Context,
        on_retry: Callable[[Verdict], None] = lambda verdict: None,
    ) -> None:
        self._whisper = whisper
        self._align = align
        self._aligner_languages = aligner_languages
        self._pool = pool
        self._context = context
        self._on_retry = on_retry

    async def run(self, job: Job) -> Result:
        """The segments of a chunk, or only its language.

        Raises:
            PipelineError: what `whisper` or `align` answered, or a request that cannot be served.
        """
        language = job.options.language or ("en" if not job.checkpoint.multilingual else None)
        if is_silent(job.samples) and not job.options.detect_only:
            return Result(language or "", 1.0 if language else 0.0)
        if job.options.detect_only:
            answer = await self._ask(job, self._frames(job), None, {"detect_only": True})
            return Result(answer["language"], answer["language_probability"], answer["languages"])
        return await self._transcribe(job)

    async def _transcribe(self, job: Job) -> Result:
        candidate, verdict, answer = await self._answered(job)
        if _is_doubted(job, answer):
            return Result(answer["language"], answer["language_probability"], answer["languages"])
        if candidate.limit_reached and job.duration_s > MIN_SPLIT_S and job.may_retry():
            return await self._split(job, answer)
        language, probability = answer["language"], answer["language_probability"]
        languages = answer.get("languages", {})
        if verdict is Verdict.NO_SPEECH or not candidate.text.strip():
            return await self._complete(job, Result(language, probability, languages), answer)
        if is_made_up(candidate, verdict, job.options):
            return Result(language, probability, languages, (), (_left_out(0.0, job.duration_s),))
        segments, warnings = await self._segments(job, candidate, answer)
        segments, left_out = await self._without_unheard(job, candidate, segments)
        warnings += left_out
        if segments and verdict is not Verdict.GOOD:
            warnings += (Warning_(verdict.value, MESSAGES[verdict], 0.0, job.duration_s),)
        return await self._complete(job, Result(language, probability, languages, segments, warnings), answer)

    async def _complete(self, job: Job, result: Result, answer: dict[str, Any]) -> Result:
        """The result, or that of both halves where it leaves out much of the speech; what is missing then is said."""
        lost = await self._loss(job, result)
        if lost is None:
            return result
        if result.segments and job.duration_s > 2 * MIN_SPLIT_S and job.may_retry():
            halves = await self._split(job, answer)
            if is_better(await self._loss(job, halves), lost):
                return halves
        return replace(result, warnings=result.warnings + lost.warnings)

    async def _loss(self, job: Job, result: Result) -> Loss | None:
        """The speech without text. Voice detection is only asked where there is sound without text."""
        sound = await asyncio.get_running_loop().run_in_executor(self._pool, loud, job.samples)
        if loss(sound, result.segments) is None:
            return None
        return loss(await self._speaking(job.samples), result.segments)

    async def _without_unheard(
        self, job: Job, candidate: Candidate, segments: tuple[Segment, ...]
    ) -> tuple[tuple[Segment, ...], tuple[Warning_, ...]]:
        """The segments without those that nobody said, and a warning for each of these."""
        doubtful = [segment for segment in segments if is_doubtful(candidate, segment.words)]
        if not doubtful or job.options.no_speech_threshold == 1:
            return segments, ()
        probabilities = await self._voice(job.samples)
        unheard = [segment for segment in doubtful if not has_voice(segment, probabilities)]
        kept = tuple(segment for segment in segments if segment not in unheard)
        return kept, tuple(_left_out(segment.start, segment.end) for segment in unheard)

    async def _answered(self, job: Job) -> tuple[Candidate, Verdict, dict[str, Any]]:
        """The text of a chunk, which is not the prompt given back: without one, noise gets another text."""
        prompted = await self._decode(job)
        prompt = job.checkpoint.text_tokenizer("en").decode(list(job.prompt.tokens))
        if not is_echo(prompted[0].text, prompt):
            return prompted
        plain = await self._decode(replace(job, prompt=Prompt(())))
        return prompted if is_alike(prompted[0].text, plain[0].text) else plain

    async def _decode(self, job: Job) -> tuple[Candidate, Verdict, dict[str, Any]]:
        """Climb the ladder until a text passes: the full context first, then higher temperatures."""
        first = self._frames(job)
        full = MAX_AUDIO_S * FRAMES_PER_SECOND
        ladder = [(first, job.options.temperature[0])]
        ladder += [(full, job.options.temperature[0])] if first < full else []
        ladder += [(full, temperature) for temperature in job.options.temperature[1:]]
        attempts: list[tuple[Candidate, Verdict, dict[str, Any]]] = []
        language = job.options.language
        for frames, temperature in ladder:
            answer = await self._ask(job, frames, language, {"temperature": temperature})
            candidate, verdict = self._judged(job, answer, temperature)
            if verdict is Verdict.REPETITIVE and await self._is_said(job, candidate, answer):
                verdict = Verdict.GOOD
            attempts.append((candidate, verdict, answer))
            if verdict in (Verdict.GOOD, Verdict.NO_SPEECH) or _is_doubted(job, answer):
                return attempts[-1]
            if not job.may_retry():
                break
            self._on_retry(verdict)
            if verdict is Verdict.LIMIT and frames == full:
                break  # dense speech, not a loop: a higher temperature would not make it shorter
        candidate, verdict = best([(candidate, verdict) for candidate, verdict, _ in attempts])
        return next(attempt for attempt in attempts if attempt[0] is candidate and attempt[1] is verdict)

    async def _is_said(self, job: Job, candidate: Candidate, answer: dict[str, Any]) -> bool:
        """Whether a text repeats itself because the speaker does."""
        pieces = _pieces(job, candidate, answer)
        if len(pieces) > MAX_WORDS_PER_SECOND * job.duration_s:
            return False
        words, warnings = await self._times(job, pieces, candidate, answer)
        return not warnings and is_said(words, await self._speaking(job.samples))

    async def _speaking(self, samples: Samples) -> Frames:
        """Where somebody speaks."""
        return loud(samples) & (await self._voice(samples) > SPEAKS)

    async def _voice(self, samples: Samples) -> NDArray[np.float32]:
        return await asyncio.get_running_loop().run_in_executor(self._pool, voice, samples)

    def _judged(self, job: Job, answer: dict[str, Any], temperature: float) -> tuple[Candidate, Verdict]:
        tokenizer = job.checkpoint.text_tokenizer(answer["language"])
        candidate = Candidate(
            text=tokenizer.decode(answer["tokens"]).strip(),
            tokens=tuple(answer["tokens"]),
            avg_logprob=answer["avg_logprob"],
            no_speech_prob=answer["no_speech_prob"],
            limit_reached=answer["limit_reached"],
            temperature=temperature,
        )
        return candidate, judge(candidate, job.duration_s, job.options)

    async def _ask(self, job: Job, frames: int, language: str | None, changes: dict[str, Any]) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        features = await loop.run_in_executor(self._pool, log_mel, job.samples, job.checkpoint.n_mels, frames)
        options = {
            "prompt": job.prompt.tokens,
            "language": language,
            "detect_beside": job.options.detect_beside and language is not None,
            "doubt_below": job.options.doubt_below,
            **_longest_text(job),
            "task": job.options.task,
            "temperature": job.options.temperature[0],
            "attention": not self._is_aligned(job, language),
            "content_frames": min(frames, max(2, round(job.duration_s * FRAMES_PER_SECOND))),
            "beam_size": job.options.beam_size,
            "patience": job.options.patience,
            "length_penalty": job.options.length_penalty,
            "repetition_penalty": job.options.repetition_penalty,
            "no_repeat_ngram_size": job.options.no_repeat_ngram_size,
            "suppress_tokens": job.options.suppress_tokens,
            **changes,
        }
        return await self._whisper(features, options)

    def _frames(self, job: Job) -> int:
        return self._context.frames(len(job.samples), job.options.language)

    def _is_aligned(self, job: Job, language: str | None) -> bool:
        # A translation is not what was said, so there is nothing to align it to. Segments alone need no better times
        # than those of cross-attention; Whisper's own timestamp tokens would cost accuracy (docs/benchmarks.md).
        wanted = job.options.word_timestamps and job.options.task == "transcribe"
        return wanted and language in self._aligner_languages

    async def _split(self, job: Job, answer: dict[str, Any]) -> Result:
        """Transcribe both halves, cut where it is quietest: at the token limit, or where speech was left out."""
        cut = quietest(job.samples)
        options = job.options.model_copy(update={"language": answer["language"]})
        halves = [replace(job, samples=part, options=options) for part in (job.samples[:cut], job.samples[cut:])]
        left, right = await asyncio.gather(*(self.run(half) for half in halves))
        right = shift(right, cut / SAMPLE_RATE)
        return Result(
            answer["language"],
            answer["language_probability"],
            answer.get("languages", {}),
            left.segments + right.segments,
            left.warnings + right.warnings,
        )

    async def _segments(
        self, job: Job, candidate: Candidate, answer: dict[str, Any]
    ) -> tuple[tuple[Segment, ...], tuple[Warning_, ...]]:
        def segment(start: float, end: float, text: str, words: Sequence[Word] = ()) -> Segment:
            return Segment(
                start,
                end,
                text.strip(),
                answer["language"],
                candidate.avg_logprob,
                candidate.no_speech_prob,
                candidate.compression_ratio,
                candidate.temperature,
                tuple(words),
                answer["language_probability"],
            )

        pieces = _pieces(job, candidate, answer)
        words, warnings = await self._times(job, pieces, candidate, answer)
        pieces, words = await self._once(job, pieces, words, candidate, answer)
        with_words = job.options.word_timestamps
        written_in = "en" if job.options.task == "translate" else answer["language"]
        return tuple(
            segment(
                words[part.start].start,
                words[part.stop - 1].end,
                "".join(p.text for p in pieces[part]),
                words[part] if with_words else (),
            )
            for part in cut_segments(words, [piece.text for piece in pieces], written_in)
        ), warnings

    async def _once(
        self, job: Job, pieces: list[Piece], words: list[Word], candidate: Candidate, answer: dict[str, Any]
    ) -> tuple[list[Piece], list[Word]]:
        """The text without what the model wrote twice and the audio holds once."""
        questions = MAX_COPIES
        while questions:
            for copy in written_twice(words):
                questions -= 1
                fewer = pieces[: copy.words.start] + pieces[copy.words.stop :]
                times, _ = await self._times(job, fewer, candidate, answer)
                if copy.is_sure or copy.is_better_once(times):
                    pieces, words = fewer, times
                    break
                if not questions:
                    return pieces, words
            else:
                break
        return pieces, words

    async def _times(
        self, job: Job, pieces: list[Piece], candidate: Candidate, answer: dict[str, Any]
    ) -> tuple[list[Word], tuple[Warning_, ...]]:
        warnings: tuple[Warning_, ...] = ()
        language = answer["language"]
        if self._is_aligned(job, language):
            try:
                times = await self._align(job.samples, [piece.word for piece in pieces], language)
                words = [Word(piece.word, **time) for piece, time in zip(pieces, times, strict=True)]
                return ordered(words, job.duration_s), ()
            except PipelineError as error:
                # A worker that died, or no room in shared memory: worth another try, which gives the better times.
                if error.code in ("CANCELLED", "UNAVAILABLE"):
                    raise
                warnings = (Warning_("alignment_failed", str(error), 0.0, job.duration_s),)
        if not answer["token_starts"]:
            forced = {"temperature": 0.0, "attention": True, "text_tokens": candidate.tokens}
            answer = await self._ask(job, MAX_AUDIO_S * FRAMES_PER_SECOND, language, forced)
        words = attention_words(pieces, answer["token_starts"], answer["token_probs"], job.duration_s)
        return ordered(out_of_pauses(words, quiet_stretches(job.samples)), job.duration_s), warnings


_LEFT_OUT = "whatever is to be heard here, the model found no speech in it that it could be sure of"


def _left_out(start: float, end: float) -> Warning_:
    return Warning_("text_left_out", _LEFT_OUT, start, end)


def _longest_text(job: Job) -> dict[str, int]:
    if job.options.retry_within_s is None:
        return {}
    seconds = -(-len(job.samples) // (2 * SAMPLE_RATE)) * 2  # in steps, so that chunks can share an execution
    return {"max_tokens": min(MAX_TOKENS, SPARE_TOKENS + TOKENS_PER_SECOND * seconds)}


def _is_doubted(job: Job, answer: dict[str, Any]) -> bool:
    """Whether the sound of a chunk speaks against the language that it was given, so that no text was made."""
    return bool(
        job.options.doubt_below
        and answer.get("languages")
        and answer["languages"].get(answer["language"], 0.0) < job.options.doubt_below
    )


def _pieces(job: Job, candidate: Candidate, answer: dict[str, Any]) -> list[Piece]:
    tokenizer = job.checkpoint.text_tokenizer(answer["language"])
    return written_words([token for token in candidate.tokens if token < tokenizer.eot], tokenizer)

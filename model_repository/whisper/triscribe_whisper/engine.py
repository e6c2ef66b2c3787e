"""Executing a batch: group what CTranslate2 can share, encode once, and answer everything that was asked."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import ctranslate2
import numpy as np
from faster_whisper.tokenizer import Tokenizer
from numpy.typing import NDArray

from .checkpoint import MAX_LENGTH, Checkpoint, start_sequence
from .device import is_out_of_memory
from .errors import WhisperError
from .options import WhisperOptions
from .variation import varied_rows

logger = logging.getLogger(__name__)

SECONDS_PER_POSITION = 0.02
"""One encoder position covers two frames of 10 ms."""


@dataclass(frozen=True)
class Call:
    """One chunk to be decoded.

    `features`: float32 log-mel, shape (n_mels, frames), 100 frames a second.
    """

    features: NDArray[np.float32]
    options: WhisperOptions


@dataclass
class Answer:
    """What Whisper said of one chunk; `token_starts` (seconds) has one entry more than `token_probs`."""

    language: str
    language_probability: float
    tokens: list[int] = field(default_factory=list)
    avg_logprob: float = 0.0
    no_speech_prob: float = 0.0
    limit_reached: bool = False
    languages: dict[str, float] = field(default_factory=dict)
    token_starts: list[float] = field(default_factory=list)
    token_probs: list[float] = field(default_factory=list)


class _GroupKey(NamedTuple):
    """What must be equal for calls to share an execution: only then does a result not depend on its batch-mates."""

    frames: int
    prompt_length: int
    detects: bool
    options: WhisperOptions


class Engine:
    """A loaded checkpoint. Not thread-safe in itself; CTranslate2 serialises the calls."""

    def __init__(self, model: ctranslate2.models.Whisper, checkpoint: Checkpoint) -> None:
        self._model = model
        self._checkpoint = checkpoint

    def run(self, calls: Sequence[Call]) -> list[Answer | WhisperError]:
        """Answer every call, in order; one that fails does not touch the others."""
        answers: list[Answer | WhisperError | None] = [None] * len(calls)
        groups: dict[_GroupKey, list[int]] = {}
        for index, call in enumerate(calls):
            try:
                self._check(call)
            except WhisperError as error:
                answers[index] = error
            else:
                groups.setdefault(_key(call), []).append(index)
        for indices in groups.values():
            for index, answer in zip(indices, self._run_or_split([calls[i] for i in indices]), strict=True):
                answers[index] = answer
        return [answer for answer in answers if answer is not None]

    def warm_up(self) -> None:
        """Run every stage once, so that the first request is not slower than the next."""
        silence = np.zeros((self._model.n_mels, 1000), np.float32)
        self.run([Call(silence, WhisperOptions(attention=True))])

    def _check(self, call: Call) -> None:
        n_mels, frames = call.features.shape
        if n_mels != self._model.n_mels:
            raise WhisperError(
                "INVALID_ARGUMENT", f"FEATURES has {n_mels} mel bins, not {self._model.n_mels}", "FEATURES"
            )
        if not 2 <= frames <= 3000 or frames % 2 or frames // 2 == n_mels:
            # CTranslate2 takes (batch, n_mels, frames) with frames / 2 = n_mels for encoder output.
            raise WhisperError("INVALID_ARGUMENT", f"FEATURES cannot have {frames} frames", "FEATURES")
        if not np.isfinite(call.features).all():
            raise WhisperError("INVALID_ARGUMENT", "FEATURES holds values that are no numbers", "FEATURES")
        options = call.options
        self._checkpoint.text_tokenizer(options.language, options.task)
        self._checkpoint.check_tokens(options.prompt, "OPTIONS.prompt")
        self._checkpoint.check_tokens(options.text_tokens or (), "OPTIONS.text_tokens")
        self._checkpoint.check_tokens(options.suppress_tokens, "OPTIONS.suppress_tokens", least=-1)

    def _run_or_split(self, calls: list[Call]) -> list[Answer | WhisperError]:
        try:
            return list(self._run_group(calls))
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if len(calls) == 1:
                return [WhisperError("RESOURCE_EXHAUSTED", "the device has no memory for even one chunk")]
            logger.warning("out of memory with %d chunks, retrying in halves: %s", len(calls), error)
            middle = len(calls) // 2
            return self._run_or_split(calls[:middle]) + self._run_or_split(calls[middle:])

    def _run_group(self, calls: list[Call]) -> list[Answer]:
        options = calls[0].options
        features = ctranslate2.StorageView.from_array(np.stack([call.features for call in calls]))
        encoded = self._model.encode(features)  # (batch, frames / 2, d_model)
        answers = self._languages(encoded, calls)
        if options.detect_only:
            return answers
        tokenizers = [self._checkpoint.text_tokenizer(answer.language, options.task) for answer in answers]
        if options.text_tokens is None:
            self._generate_undoubted(encoded, calls, tokenizers, answers)
        else:
            for answer in answers:
                answer.tokens = list(options.text_tokens)
        if options.attention:
            self._align(encoded, calls, tokenizers, answers)
        return answers

    def _languages(self, encoded: Any, calls: list[Call]) -> list[Answer]:
        if not self._checkpoint.multilingual:
            return [Answer("en", 1.0, languages={"en": 1.0}) for _ in calls]
        options = calls[0].options
        is_given = options.language is not None and not options.detect_only
        if is_given and not options.detect_beside:
            return [Answer(str(call.options.language), 1.0) for call in calls]
        detected = [
            {name.strip("<|>"): probability for name, probability in row}
            for row in self._model.detect_language(encoded)
        ]
        if is_given:
            return [
                Answer(str(call.options.language), 1.0, languages=row)
                for call, row in zip(calls, detected, strict=True)
            ]
        best = [max(row, key=row.__getitem__) for row in detected]
        return [Answer(name, row[name], languages=row) for name, row in zip(best, detected, strict=True)]

    def _generate_undoubted(
        self, encoded: Any, calls: list[Call], tokenizers: list[Tokenizer], answers: list[Answer]
    ) -> None:
        """Text for every call but those whose own sound speaks against the language they were given."""
        least = calls[0].options.doubt_below
        kept = [
            n for n, answer in enumerate(answers) if not least or answer.languages.get(answer.language, 1.0) >= least
        ]
        if len(kept) < len(calls) and kept:
            rows = np.asarray(encoded.to_device(ctranslate2.Device.cpu))[kept]
            encoded = ctranslate2.StorageView.from_array(np.ascontiguousarray(rows))
        if kept:
            self._generate(encoded, [calls[n] for n in kept], [tokenizers[n] for n in kept], [answers[n] for n in kept])

    def _generate(self, encoded: Any, calls: list[Call], tokenizers: list[Tokenizer], answers: list[Answer]) -> None:
        options = calls[0].options
        prompts = [
            [
                *([tokenizer.sot_prev, *call.options.prompt] if call.options.prompt else []),
                *start_sequence(tokenizer),
            ]
            for call, tokenizer in zip(calls, tokenizers, strict=True)
        ]
        varied = options.temperature > 0
        results = self._model.generate(
            varied_rows(encoded, calls) if varied else encoded,
            prompts,
            beam_size=1 if varied else options.beam_size,
            num_hypotheses=1,
            patience=options.patience,
            length_penalty=options.length_penalty,
            repetition_penalty=options.repetition_penalty,
            no_repeat_ngram_size=options.no_repeat_ngram_size,
            # CTranslate2 writes at most half of it, and no more than what the prompt leaves of it (whisper.cc).
            max_length=min(MAX_LENGTH, max(2 * options.max_tokens, options.max_tokens + len(prompts[0]))),
            return_scores=True,
            return_no_speech_prob=True,
            suppress_blank=True,
            suppress_tokens=self._checkpoint.suppressed(tokenizers[0], options.suppress_tokens),
        )
        for prompt, result, answer in zip(prompts, results, answers, strict=True):
            tokens = list(result.sequences_ids[0])
            answer.tokens = tokens
            # The score is the sum of log-probabilities over length ** penalty; Whisper's figure is their mean,
            # the end of text included (openai/whisper decoding.py).
            cumulative = result.scores[0] * max(len(tokens), 1) ** options.length_penalty
            answer.avg_logprob = cumulative / (len(tokens) + 1)
            answer.no_speech_prob = result.no_speech_prob
            answer.limit_reached = len(tokens) >= min(options.max_tokens, MAX_LENGTH - len(prompt))

    def _align(self, encoded: Any, calls: list[Call], tokenizers: list[Tokenizer], answers: list[Answer]) -> None:
        texts = [
            [token for token in answer.tokens if token < tokenizer.eot]
            for answer, tokenizer in zip(answers, tokenizers, strict=True)
        ]
        rows = np.asarray(encoded.to_device(ctranslate2.Device.cpu))  # (batch, frames / 2, d_model)
        for call, text, row, tokenizer, answer in zip(calls, texts, rows, tokenizers, answers, strict=True):
            if not text:
                continue
            # One by one: CTranslate2 normalises the attention over padded text, so a batch of unequal texts moves
            # times by up to 60 ms (and was slower on a CPU: 0.62 s against 0.53 s for four chunks).
            frames = call.options.content_frames or call.features.shape[1]
            view = ctranslate2.StorageView.from_array(np.ascontiguousarray(row[None]))
            result = self._model.align(view, tokenizer.sot_sequence, [text], frames, median_filter_width=7)[0]
            answer.token_probs = list(result.text_token_probs)
            answer.token_starts = _jump_times(result.alignments)


def _key(call: Call) -> _GroupKey:
    # The language is a prompt token of its own for every row, so different languages share a call. Rows with and
    # without a given language cannot share one: detection needs an extra decoder step.
    detects = call.options.language is None
    plain = call.options.model_copy(update={"prompt": (), "language": None, "content_frames": 0})
    return _GroupKey(call.features.shape[1], len(call.options.prompt), detects, plain)


def _jump_times(alignments: list[tuple[int, int]]) -> list[float]:
    """Seconds at which each token begins: where the DTW path moves to it (openai/whisper timing.py)."""
    path = np.asarray(alignments)
    jumps = np.pad(np.diff(path[:, 0]), (1, 0), constant_values=1).astype(bool)
    return [float(time) for time in path[jumps, 1] * SECONDS_PER_POSITION]

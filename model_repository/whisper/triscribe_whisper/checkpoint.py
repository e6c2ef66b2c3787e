"""What a converted Whisper checkpoint says about itself: languages and special tokens."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import tokenizers
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import get_suppressed_tokens

from .errors import WhisperError

MAX_LENGTH = 448
"""Tokens in Whisper's decoder context, prompt included (openai/whisper `n_text_ctx`)."""

_ENGLISH_ONLY_EOT = 50256
"""<|endoftext|> of GPT-2, kept by the English-only checkpoints; the multilingual vocabularies moved it."""


_TIMESTAMPS = 1501
"""0.00 to 30.00 s in steps of 0.02 s, the end of every vocabulary of Whisper (openai/whisper tokenizer.py)."""


@dataclass(frozen=True)
class Checkpoint:
    """The static facts of one checkpoint folder."""

    path: Path
    multilingual: bool
    languages: tuple[str, ...]
    tokenizer: tokenizers.Tokenizer

    @classmethod
    def read(cls, path: Path) -> Checkpoint:
        """Read the small files of a CTranslate2 model folder; the weights stay closed.

        Raises:
            WhisperError: FAILED_PRECONDITION when the folder is not a usable Whisper checkpoint.
        """
        try:
            tokenizer = tokenizers.Tokenizer.from_file(str(path / "tokenizer.json"))
            language_ids = json.loads((path / "config.json").read_text())["lang_ids"]
        except Exception as error:  # tokenizers raises bare Exception
            raise WhisperError("FAILED_PRECONDITION", f"{path} is not a Whisper checkpoint: {error}") from error
        multilingual = tokenizer.token_to_id("<|endoftext|>") != _ENGLISH_ONLY_EOT
        names = [tokenizer.id_to_token(token) for token in language_ids] if multilingual else ["<|en|>"]
        return cls(path, multilingual, tuple(name.strip("<|>") for name in names if name), tokenizer)

    def text_tokenizer(self, language: str | None, task: str) -> Tokenizer:
        """The tokenizer set up for a language and a task; None stands for a language still to be detected.

        Raises:
            WhisperError: FAILED_PRECONDITION for a language or task that the checkpoint does not have.
        """
        if language is not None and language not in self.languages:
            known = f"{len(self.languages)} languages without it" if self.multilingual else "English only"
            raise WhisperError(
                "FAILED_PRECONDITION", f"this checkpoint knows {known}: {language!r}", "OPTIONS.language"
            )
        if task == "translate" and not self.multilingual:
            raise WhisperError("FAILED_PRECONDITION", "an English-only checkpoint cannot translate", "OPTIONS.task")
        return Tokenizer(self.tokenizer, self.multilingual, task=task, language=language or self.languages[0])

    def check_tokens(self, tokens: Iterable[int], field: str, *, least: int = 0) -> None:
        """CTranslate2 looks ids up unchecked: one that does not exist ends the process.

        Raises:
            WhisperError: INVALID_ARGUMENT, an id is below `least` or beyond the vocabulary.
        """
        # tokenizer.json does not list the timestamps, so its own size would be too small.
        size = self.text_tokenizer(None, "transcribe").timestamp_begin + _TIMESTAMPS
        for token in tokens:
            if not least <= token < size:
                raise WhisperError("INVALID_ARGUMENT", f"{field}: this checkpoint has no token {token}", field)

    def suppressed(self, tokenizer: Tokenizer, tokens: tuple[int, ...]) -> list[int]:
        """Token ids never to be written, -1 expanded as faster-whisper does."""
        return list(get_suppressed_tokens(tokenizer, list(tokens)) or [])


def start_sequence(tokenizer: Tokenizer) -> list[int]:
    """The tokens that start a transcript: language, task, and that no timestamps are wanted (they cost accuracy)."""
    return [*tokenizer.sot_sequence, tokenizer.no_timestamps]

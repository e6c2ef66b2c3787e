"""The text side of a served checkpoint: tokenizer, prompt, tokens to words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tokenizers
from faster_whisper.tokenizer import _LANGUAGE_CODES, Tokenizer

PROMPT_TOKENS = 223
"""Room for earlier text: half of Whisper's 448 tokens, less the marker (openai/whisper decoding.py)."""

_ENGLISH_ONLY_EOT = 50256


@dataclass(frozen=True)
class Prompt:
    """Tokens for the whisper model, and what there was no room for."""

    tokens: tuple[int, ...]
    dropped_terms: tuple[str, ...] = ()
    cut: bool = False


@dataclass(frozen=True)
class Checkpoint:
    """What the pipeline needs to know of one served model."""

    name: str
    n_mels: int
    multilingual: bool
    tasks: tuple[str, ...]
    languages: tuple[str, ...]
    tokenizer: tokenizers.Tokenizer

    @classmethod
    def read(cls, name: str, path: Path, *, tasks: Sequence[str], languages: Sequence[str] = ()) -> Checkpoint:
        """Read the small files of a checkpoint folder; no `languages` means all that its vocabulary has."""
        tokenizer = tokenizers.Tokenizer.from_file(str(path / "tokenizer.json"))
        preprocessor = path / "preprocessor_config.json"
        if preprocessor.exists():
            n_mels = int(json.loads(preprocessor.read_text())["feature_size"])
        else:
            # large-v3 brought Cantonese and 128 mel bins together.
            n_mels = 128 if tokenizer.token_to_id("<|yue|>") is not None else 80
        multilingual = tokenizer.token_to_id("<|endoftext|>") != _ENGLISH_ONLY_EOT
        if not languages:
            languages = [code for code in _LANGUAGE_CODES if tokenizer.token_to_id(f"<|{code}|>") is not None]
        return cls(name, n_mels, multilingual, tuple(tasks), tuple(languages if multilingual else ["en"]), tokenizer)

    def text_tokenizer(self, language: str) -> Tokenizer:
        """faster-whisper's tokenizer for a language."""
        return Tokenizer(self.tokenizer, self.multilingual, task="transcribe", language=language)

    def prompt(self, initial_prompt: str | None, hotwords: str | None) -> Prompt:
        """Hotwords first, then the end of the earlier text: what is nearest to the speech matters most."""
        tokenizer = self.text_tokenizer("en")

        def encode(words: str) -> list[int]:
            # A prompt that spells <|endoftext|> must not become that token.
            return [token for token in tokenizer.encode(words) if token < tokenizer.eot]

        tokens: list[int] = []
        dropped: list[str] = []
        for term in (part.strip() for part in (hotwords or "").split(",")):
            ids = encode(f" {term}" if not tokens else f", {term}") if term else []
            if len(tokens) + len(ids) <= PROMPT_TOKENS:
                tokens += ids
            else:
                dropped.append(term)
        text = encode(f" {initial_prompt.strip()}") if initial_prompt and initial_prompt.strip() else []
        room = PROMPT_TOKENS - len(tokens)
        return Prompt(
            tuple(tokens + text[len(text) - room :] if len(text) > room else tokens + text),
            tuple(dropped),
            len(text) > room,
        )

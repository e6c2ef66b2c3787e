"""The aligner's entry point: a chunk of audio and its written words in, a time for every word out."""

from __future__ import annotations

import json
import logging
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from . import description
from .description import SAMPLE_RATE
from .errors import AlignError
from .layout import SHORTEST_WORD_S, AlignedWord
from .pipeline import LanguageAligner
from .runtime import Device

__all__ = ["AlignError", "AlignedWord", "Aligner", "parse_words"]

MAX_CHUNK_S: Final = 30.0
MAX_WORDS: Final = 1_000
"""More than anybody says in 30 s; Whisper writes 448 tokens at most."""

logger = logging.getLogger(__name__)


def parse_words(text: bytes) -> list[str]:
    """The JSON array that the tensor WORDS holds.

    Raises:
        AlignError: INVALID_ARGUMENT.
    """
    try:
        words = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise AlignError("INVALID_ARGUMENT", f"WORDS is not JSON: {error}", "WORDS") from error
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise AlignError("INVALID_ARGUMENT", "WORDS is not an array of strings", "WORDS")
    return words


class Aligner:
    """Aligners of all installed languages; each loads when it is first asked for. Safe to share between threads."""

    def __init__(self, languages_dir: Path, *, threads: int = 2, max_sessions: int = 4, device: Device = "cpu") -> None:
        """List the languages; loads nothing yet.

        Args:
            languages_dir: folder with one folder a language (aligner.toml and the link `weights/`).
            threads: threads of one run on the CPU.
            max_sessions: languages kept loaded; the one unused for longest leaves.
            device: where the acoustic models run.

        Raises:
            AlignError: FAILED_PRECONDITION, the folder does not exist.
        """
        if not languages_dir.is_dir():
            raise AlignError("FAILED_PRECONDITION", f"no folder of aligners: {languages_dir}")
        self._files = {path.parent.name: path for path in sorted(languages_dir.glob("*/aligner.toml"))}
        self._threads, self._device, self._max_sessions = threads, device, max(1, max_sessions)
        self._loaded: OrderedDict[str, LanguageAligner] = OrderedDict()
        self._lock = threading.Lock()
        self._loading = {language: threading.Lock() for language in self._files}

    @property
    def languages(self) -> tuple[str, ...]:
        """Codes of the languages that can be aligned."""
        return tuple(self._files)

    def warm_up(self, language: str) -> None:
        """Load a language and run it once, so that its first request is not slower than the next."""
        if language in self._files:
            self.align(np.zeros(SAMPLE_RATE, np.float32), ["hello"], language)

    def align(self, audio: NDArray[np.float32], words: list[str], language: str) -> list[AlignedWord]:
        """Time every word.

        Args:
            audio: the chunk, (samples,) float32 at 16 kHz in [-1, 1], at most 30 s.
            words: the written words in order.
            language: code of the language, such as "en".

        Returns:
            One item per word, in order: `start < end`, without overlaps, inside the chunk.

        Raises:
            AlignError: INVALID_ARGUMENT (the audio or the words are out of bounds), FAILED_PRECONDITION (no aligner
                for the language, or its weights are missing) or what the acoustic model failed with.
        """
        if language not in self._files:
            raise AlignError("FAILED_PRECONDITION", f"no aligner for language {language!r}", "LANGUAGE")
        _check(audio, words)
        return self._aligner(language).align(audio, words) if words else []

    def _aligner(self, language: str) -> LanguageAligner:
        # A lock a language: loading one takes seconds, in which those that are loaded go on.
        with self._loading[language]:
            with self._lock:
                aligner = self._loaded.pop(language, None)
                if aligner is not None:
                    self._loaded[language] = aligner
                    return aligner
            aligner = LanguageAligner(
                description.read(self._files[language]), threads=self._threads, device=self._device
            )
            logger.info("aligner for %s loaded", language)
            with self._lock:
                self._loaded[language] = aligner
                while len(self._loaded) > self._max_sessions:
                    gone, _ = self._loaded.popitem(last=False)
                    logger.info("aligner for %s unloaded", gone)
            return aligner


def _check(audio: NDArray[np.float32], words: list[str]) -> None:
    if audio.ndim != 1 or audio.dtype != np.float32:
        raise AlignError("INVALID_ARGUMENT", f"audio is {audio.dtype}{list(audio.shape)}, not float32[n]", "AUDIO")
    duration = len(audio) / SAMPLE_RATE
    if duration > MAX_CHUNK_S:
        raise AlignError("INVALID_ARGUMENT", f"{duration:.2f} s of audio; at most {MAX_CHUNK_S:.0f} s", "AUDIO")
    if not np.isfinite(audio).all():
        raise AlignError("INVALID_ARGUMENT", "the audio holds values that are not finite", "AUDIO")
    if len(words) > MAX_WORDS:
        raise AlignError("INVALID_ARGUMENT", f"{len(words)} words; at most {MAX_WORDS}", "WORDS")
    if len(words) * SHORTEST_WORD_S > duration:
        raise AlignError("INVALID_ARGUMENT", f"{len(words)} words do not fit into {duration:.3f} s", "WORDS")

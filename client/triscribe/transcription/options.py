"""What is to be done with a recording."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from triscribe.errors import UsageError
from triscribe.language import languages
from triscribe.language.chinese import Script
from triscribe.language.languages import AskedLanguage
from triscribe.media import tracks
from triscribe.speech.chunking import ChunkingOptions
from triscribe.speech.vad import VadOptions
from triscribe.types import Notice, Task

Priority = Literal["interactive", "bulk"]
"""The lane of Triton's queue: interactive requests go first."""


@dataclass(frozen=True)
class TranscribeOptions:
    """What to do with a recording. None leaves a choice to the server.

    Attributes:
        model: name of a served checkpoint.
        language: code, tag or name; None or "auto" detects it once for the file, "multi" wherever it may change.
        languages: codes that detection chooses from; empty: all that the checkpoint knows.
        script: how Chinese is written; None leaves it to the tag of the language, else as the checkpoint wrote it.
        channels: "split" transcribes each channel by itself, and each is a speaker.
        audio_track: number from 1 or language of the track to take; None: the default one.
        task: "translate" writes English.
        initial_prompt: text that the recording could be a continuation of.
        hotwords: terms to expect, separated by commas.
        word_timestamps: whether words get times.
        voice_detection: None switches it off, and every second is transcribed.
        chunking: how the file is cut; None leaves it to its language (`chunking.options_for`).
        timeout_s: seconds that one chunk may take, its time in the queue included.
        decoding: further options of docs/contracts.md (temperature, length_penalty, …).
    """

    model: str | None = None
    language: str | None = None
    languages: tuple[str, ...] = ()
    script: Script | None = None
    channels: Literal["mix", "split"] = "mix"
    audio_track: str | None = None
    task: Task = "transcribe"
    initial_prompt: str | None = None
    hotwords: str | None = None
    beam_size: int | None = None
    word_timestamps: bool = True
    voice_detection: VadOptions | None = field(default_factory=VadOptions)
    chunking: ChunkingOptions | None = None
    timeout_s: float = 600.0
    decoding: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for code in self.languages:
            languages.name(code)
        if self.audio_track is not None:
            tracks.check(self.audio_track)  # refused here, before a server is started for it
        fixed = self.fixed_language  # an unknown one is refused here, too
        if self.languages and fixed:
            raise UsageError(
                f"the language is {self.language}, so there are none to choose from: leave one of the two out"
            )

    @property
    def fixed_language(self) -> str | None:
        """The code of the one language, where there is nothing to detect."""
        if self.language == languages.MULTI:
            return None
        return self.asked_language.code

    @cached_property
    def asked_language(self) -> AskedLanguage:
        """The language as it was asked for."""
        return languages.understood(languages.AUTO if self.language in (None, languages.MULTI) else self.language)

    @property
    def written_script(self) -> Script | None:
        """How Chinese is written: as was asked for, or as the tag of the language says."""
        return self.script or self.asked_language.script

    def request(self, *, language: str | None, priority: Priority) -> dict[str, Any]:
        """The OPTIONS of one chunk."""
        chosen = {
            "model": self.model,
            "initial_prompt": self.initial_prompt,
            "hotwords": self.hotwords,
            "beam_size": self.beam_size,
        }
        return {
            **{name: value for name, value in chosen.items() if value is not None},
            "language": language,
            "task": self.task,
            "word_timestamps": self.word_timestamps,
            "priority": priority,
            **self.decoding,
        }


def language_notices(asked: AskedLanguage, taken: str | None) -> tuple[Notice, ...]:
    """What the caller should know about the language, of which `taken` is the code that was used."""
    if asked.code is None or taken is None:
        return ()
    if taken != asked.code:
        message = f"the model does not know {languages.name(asked.code)}: {languages.name(taken)} was taken"
        return (Notice("language_fallback", message),)
    return (Notice("language_tag_reduced", asked.dropped),) if asked.dropped else ()

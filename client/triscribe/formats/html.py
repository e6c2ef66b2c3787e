"""A page to read and listen: words that light up as they are spoken and seek when clicked, speakers, search.

The page needs nothing from elsewhere: `reader/` holds its template, style and script, which go into it. Whatever the
transcript says is escaped by the template engine, and a content security policy with the hashes of the page's own
script and style keeps anything else from running or loading. The only module that imports Jinja2.
"""

from __future__ import annotations

import base64
import hashlib
import os
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from langcodes import Language
from langcodes.tag_parser import LanguageTagError
from markupsafe import Markup

from triscribe.formats.base import Writer
from triscribe.formats.bidi import is_right_to_left
from triscribe.formats.boxes import ShownWord, shown_words
from triscribe.formats.options import WriteOptions
from triscribe.spacing import clean, needs_space
from triscribe.types import AudioInfo, Transcript

MAX_EMBEDDED_BYTES = 16 * 2**20
"""Of the audio that `auto` puts into the page; base64 makes it a third larger. Twenty minutes of speech as MP3."""

NEW_PARAGRAPH_S = 2.0
"""A pause that starts a paragraph."""

LONG_PARAGRAPH = 500
"""Characters after which the next segment starts a paragraph."""

COLOURS = 8
"""Speakers with a colour of their own; more of them share."""

_STRIP = 1000  # units of the timeline's width

# What browsers play, and as what; anything else is linked, and its bytes would only make the page large.
_PLAYABLE = {
    ".aac": "audio/aac",
    ".flac": "audio/flac",
    ".m4a": "audio/mp4",
    ".mp3": "audio/mpeg",
    ".mp4": "video/mp4",
    ".oga": "audio/ogg",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".wav": "audio/wav",
    ".webm": "video/webm",
}


@dataclass
class _Paragraph:
    """What one speaker says without a long pause. `index` counts the speakers; -1 is nobody known."""

    index: int
    name: str
    words: list[dict[str, Any]] = field(default_factory=list)
    language: str = ""
    characters: int = 0
    start_s: float = 0.0
    end_s: float = 0.0
    clock: str = ""

    @property
    def start(self) -> str:
        return f"{self.start_s:.3f}"

    @property
    def direction(self) -> str:
        """A name in Latin letters at its start does not turn a paragraph of Hebrew round, as `auto` alone would."""
        return "rtl" if is_right_to_left("".join(word["text"] for word in self.words)) else "auto"

    @property
    def colour(self) -> str:
        return _colour(self.index)


def render(transcript: Transcript, options: WriteOptions) -> str:
    """The whole page as one HTML document; the audio as `options.html_audio` says."""
    paragraphs = list(_paragraphs(transcript))
    duration = max([transcript.audio.duration, *(paragraph.end_s for paragraph in paragraphs)])
    for paragraph in paragraphs:
        paragraph.clock = _clock(paragraph.start_s, duration)
    css, noscript_css, script = _file("page.css"), _file("noscript.css"), _file("page.js")
    ui_language, labels = _labels(transcript.language)
    return (
        _environment()
        .get_template("page.html")
        .render(
            css=Markup(css),  # noqa: S704 - the page's own files
            noscript_css=Markup(noscript_css),  # noqa: S704
            script=Markup(script),  # noqa: S704
            policy=_policy(script, css, noscript_css),
            title=_title(transcript.audio),
            facts=[fact for fact in (_language_name(transcript.language, ui_language), transcript.model) if fact],
            language=transcript.language or "und",
            ui_language=ui_language,
            labels=labels,
            source=_source(transcript.audio, options),
            duration=f"{duration:.3f}",
            zero=_clock(0, duration),
            length=_clock(duration, duration),
            paragraphs=paragraphs,
            lanes=_lanes(paragraphs, duration),
            legend=_legend(paragraphs),
        )
    )


def _paragraphs(transcript: Transcript) -> Iterator[_Paragraph]:
    speakers: dict[str | None, int] = {None: -1}
    paragraph: _Paragraph | None = None
    for segment in transcript.segments:
        for i, word in enumerate(shown_words(segment)):
            index = speakers.setdefault(word.speaker, len(speakers) - 1)
            if (
                paragraph is None
                or index != paragraph.index
                or word.start - paragraph.end_s >= NEW_PARAGRAPH_S
                or (i == 0 and paragraph.characters >= LONG_PARAGRAPH)
            ):
                if paragraph is not None:
                    yield paragraph
                paragraph = _Paragraph(index, clean(word.speaker or ""), start_s=max(0.0, word.start))
            _append(paragraph, word, segment.language, first_of_segment=i == 0)
    if paragraph is not None:
        yield paragraph


def _append(paragraph: _Paragraph, word: ShownWord, language: str, *, first_of_segment: bool) -> None:
    space = word.space
    if first_of_segment and paragraph.words:
        space = needs_space(paragraph.words[-1]["text"], word.text, {paragraph.language, language})
    paragraph.language = language
    paragraph.words.append(
        {
            "text": word.text,
            "space": space and bool(paragraph.words),
            "start": f"{max(0.0, word.start):.3f}",
            "end": f"{max(0.0, word.end):.3f}",
        }
    )
    paragraph.characters += len(word.text) + space
    paragraph.end_s = max(paragraph.end_s, word.end)


def _colour(index: int) -> str:
    return "n" if index < 0 else str(index % COLOURS)


def _lanes(paragraphs: Sequence[_Paragraph], duration: float) -> list[dict[str, Any]]:
    """A row of the timeline for each speaker: who speaks when, in thousandths of its width."""
    scale = _STRIP / max(duration, 1e-3)
    rows = sorted({paragraph.index for paragraph in paragraphs})
    return [
        {
            "colour": _colour(index),
            "y": 10 * row + 2,
            "bars": [
                (f"{p.start_s * scale:.2f}", f"{max(1.0, (p.end_s - p.start_s) * scale):.2f}")
                for p in paragraphs
                if p.index == index
            ],
        }
        for row, index in enumerate(rows)
    ]


def _legend(paragraphs: Sequence[_Paragraph]) -> list[dict[str, Any]]:
    """The named speakers, each with its share of the time in which anybody speaks."""
    spoken: dict[int, float] = {}
    names: dict[int, str] = {}
    for p in paragraphs:
        spoken[p.index] = spoken.get(p.index, 0.0) + max(0.0, p.end_s - p.start_s)
        names[p.index] = p.name
    total = sum(spoken.values()) or 1.0
    return [
        {"name": names[index], "index": index, "colour": _colour(index), "share": round(100 * seconds / total)}
        for index, seconds in sorted(spoken.items())
        if index >= 0
    ]


def _source(audio: AudioInfo, options: WriteOptions) -> str | None:
    """The address of the audio: its bytes, a path from the page to it, or None where there is no file to play."""
    path = Path(audio.path)
    if options.html_audio == "none" or audio.path == "-" or not path.is_file():
        return None
    media_type = _PLAYABLE.get(path.suffix.lower())
    small = path.stat().st_size <= MAX_EMBEDDED_BYTES
    if options.html_audio == "embed" or (options.html_audio == "auto" and media_type and small):
        content = base64.b64encode(path.read_bytes()).decode("ascii")
        return f"data:{media_type or 'application/octet-stream'};base64,{content}"
    try:
        relative = Path(os.path.relpath(path, options.folder or Path.cwd()))
    except ValueError:  # another drive of Windows
        return path.resolve().as_uri()
    return quote(os.fsencode(relative.as_posix()))


def _title(audio: AudioInfo) -> str:
    return clean(Path(audio.path).name.encode("utf-8", "replace").decode("utf-8")) if audio.path != "-" else "stdin"


def _clock(seconds: float, duration: float) -> str:
    """Minutes and seconds, with hours where the recording has any."""
    minutes, second = divmod(int(seconds), 60)
    if duration < 3600:
        return f"{minutes}:{second:02}"
    return f"{minutes // 60}:{minutes % 60:02}:{second:02}"


def _policy(script: str, *styles: str) -> str:
    """Only the page's own script and styles, and audio that is in the page, beside it, or picked by the reader."""

    def digest(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"

    return (
        f"default-src 'none'; script-src {digest(script)}; style-src {' '.join(digest(style) for style in styles)}; "
        "img-src data:; media-src data: blob: file: 'self'; base-uri 'none'; form-action 'none'"
    )


def _labels(language: str | None) -> tuple[str, dict[str, Any]]:
    texts = tomllib.loads(_file("labels.toml"))
    chosen = {"zh": "zh", "yue": "zh"}.get(language or "", "en")
    return chosen, texts[chosen]


def _language_name(code: str | None, ui_language: str) -> str:
    try:
        return Language.get(code).display_name(ui_language) if code else ""
    except LanguageTagError:
        return clean(code or "")


@lru_cache
def _file(name: str) -> str:
    return (resources.files(__package__) / "reader" / name).read_text(encoding="utf-8")


@lru_cache
def _environment() -> Environment:
    return Environment(loader=PackageLoader(__package__, "reader"), autoescape=True, undefined=StrictUndefined)


WRITER = Writer("html", render)

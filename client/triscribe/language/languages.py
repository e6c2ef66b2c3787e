"""The languages that Whisper knows, and what people call them."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

import langcodes

from triscribe.errors import UsageError
from triscribe.language import chinese
from triscribe.language.chinese import Script
from triscribe.tags import as_tag, readings

AUTO = "auto"
"""What asks for the language to be detected, once for a recording."""

MULTI = "multi"
"""What asks for it to be detected again wherever somebody else may be speaking."""

LANGUAGES: dict[str, str] = {
    "af": "Afrikaans",
    "am": "Amharic",
    "ar": "Arabic",
    "as": "Assamese",
    "az": "Azerbaijani",
    "ba": "Bashkir",
    "be": "Belarusian",
    "bg": "Bulgarian",
    "bn": "Bengali",
    "bo": "Tibetan",
    "br": "Breton",
    "bs": "Bosnian",
    "ca": "Catalan",
    "cs": "Czech",
    "cy": "Welsh",
    "da": "Danish",
    "de": "German",
    "el": "Greek",
    "en": "English",
    "es": "Spanish",
    "et": "Estonian",
    "eu": "Basque",
    "fa": "Persian",
    "fi": "Finnish",
    "fo": "Faroese",
    "fr": "French",
    "gl": "Galician",
    "gu": "Gujarati",
    "ha": "Hausa",
    "haw": "Hawaiian",
    "he": "Hebrew",
    "hi": "Hindi",
    "hr": "Croatian",
    "ht": "Haitian Creole",
    "hu": "Hungarian",
    "hy": "Armenian",
    "id": "Indonesian",
    "is": "Icelandic",
    "it": "Italian",
    "ja": "Japanese",
    "jw": "Javanese",
    "ka": "Georgian",
    "kk": "Kazakh",
    "km": "Khmer",
    "kn": "Kannada",
    "ko": "Korean",
    "la": "Latin",
    "lb": "Luxembourgish",
    "ln": "Lingala",
    "lo": "Lao",
    "lt": "Lithuanian",
    "lv": "Latvian",
    "mg": "Malagasy",
    "mi": "Maori",
    "mk": "Macedonian",
    "ml": "Malayalam",
    "mn": "Mongolian",
    "mr": "Marathi",
    "ms": "Malay",
    "mt": "Maltese",
    "my": "Myanmar",
    "ne": "Nepali",
    "nl": "Dutch",
    "nn": "Nynorsk",
    "no": "Norwegian",
    "oc": "Occitan",
    "pa": "Punjabi",
    "pl": "Polish",
    "ps": "Pashto",
    "pt": "Portuguese",
    "ro": "Romanian",
    "ru": "Russian",
    "sa": "Sanskrit",
    "sd": "Sindhi",
    "si": "Sinhala",
    "sk": "Slovak",
    "sl": "Slovenian",
    "sn": "Shona",
    "so": "Somali",
    "sq": "Albanian",
    "sr": "Serbian",
    "su": "Sundanese",
    "sv": "Swedish",
    "sw": "Swahili",
    "ta": "Tamil",
    "te": "Telugu",
    "tg": "Tajik",
    "th": "Thai",
    "tk": "Turkmen",
    "tl": "Tagalog",
    "tr": "Turkish",
    "tt": "Tatar",
    "uk": "Ukrainian",
    "ur": "Urdu",
    "uz": "Uzbek",
    "vi": "Vietnamese",
    "yi": "Yiddish",
    "yo": "Yoruba",
    "yue": "Cantonese",
    "zh": "Chinese",
}
"""English name for each of Whisper's 100 codes, as in openai/whisper `tokenizer.py`."""

# The same table's aliases, then names that people try.
_ALIASES = {
    "burmese": "my",
    "valencian": "ca",
    "flemish": "nl",
    "haitian": "ht",
    "letzeburgesch": "lb",
    "pushto": "ps",
    "panjabi": "pa",
    "moldavian": "ro",
    "moldovan": "ro",
    "sinhalese": "si",
    "castilian": "es",
    "mandarin": "zh",
    "bangla": "bn",
    "farsi": "fa",
    "filipino": "tl",
    "valencià": "ca",
    "vlaams": "nl",
    "castellano": "es",
    **dict.fromkeys(["汉语", "漢語", "华语", "華語", "国语", "國語", "普通話", "中国话", "中國話", "putonghua"], "zh"),
    **dict.fromkeys(["廣東話", "广府话", "廣府話", "白话", "白話"], "yue"),
}
_BY_NAME = {name.casefold(): code for code, name in LANGUAGES.items()} | _ALIASES

_FALLBACKS = {"yue": "zh"}
"""Codes that only newer checkpoints know (large-v3), and what the others take for them."""

# Codes of today's standard for which Whisper has another one, or that it writes as a relative.
_WHISPER_CODES = {"jv": "jw", "cmn": "zh", "nb": "no", "fil": "tl"}

_SCRIPTS: dict[str, Script] = {"Hans": "simplified", "Hant": "traditional"}
"""By their codes in ISO 15924."""


@dataclass(frozen=True, slots=True)
class AskedLanguage:
    """A language as somebody asked for it.

    Attributes:
        code: one of `LANGUAGES`; None where it is to be detected.
        script: how Chinese is to be written, where the tag says it.
        fallback: the code for a checkpoint that does not know `code`; None: there is none.
        dropped: what of the tag Whisper cannot be asked for, as a sentence; empty: nothing.
    """

    code: str | None
    script: Script | None = None
    fallback: str | None = None
    dropped: str = ""


def understood(text: str) -> AskedLanguage:
    """What a code, a name or a tag asks for.

    Tags keep what can be kept of them: `zh-TW`, `zh-Hant` and `zh-HK` are written traditional, `zh-CN` and `zh-Hans`
    simplified; `zh-HK` and `zh-MO` are Cantonese, or Chinese for a checkpoint that does not know it.

    Raises:
        UsageError: as `resolve`.
    """
    code = _resolved(text)
    tag = _tag(text)
    if code is None or tag is None:
        return AskedLanguage(code, fallback=_FALLBACKS.get(code or ""))
    script: Script | None = None
    if code in chinese.LANGUAGES:
        if tag.territory in ("HK", "MO"):
            code = "yue"
        if tag.script or tag.territory:
            script = _SCRIPTS.get(tag.maximize().script or "")
    return AskedLanguage(code, script, _FALLBACKS.get(code), _dropped(text.strip(), tag, code, script))


def _dropped(text: str, tag: langcodes.Language, code: str, script: Script | None) -> str:
    usual = langcodes.Language.get(tag.language or code).maximize()
    is_usual = tag.territory in (None, usual.territory) or script is not None
    is_written = tag.script in (None, usual.script) or script is not None
    if is_usual and is_written and not (tag.variants or tag.extensions or tag.private or tag.extlangs):
        return ""
    return f"{text} was taken for {LANGUAGES[code]}: the model knows no region, script or variant of it"


def resolve(text: str) -> str | None:
    """The code that Whisper uses for a language.

    Args:
        text: a code ("de", "deu", "pt-BR"), a name in English or in the language itself ("German", "Deutsch"), in
            any case, or "auto".

    Returns:
        One of `LANGUAGES`, or None for "auto".

    Raises:
        UsageError: Whisper does not know the language; the text names similar ones.
    """
    return understood(text).code


def _resolved(text: str) -> str | None:
    key = " ".join(text.casefold().replace("_", "-").split())
    if key == AUTO:
        return None
    code = key if key in LANGUAGES else _BY_NAME.get(key) or _from_standard(key)
    if code is None:
        raise UsageError(f"Whisper knows no language {text!r}{_suggestion(key)}")
    return code


def _tag(text: str) -> langcodes.Language | None:
    """A text that is a tag rather than a name."""
    if text.strip().casefold() in _BY_NAME:
        return None
    return as_tag(text.strip().replace("_", "-"))


def resolve_all(text: str) -> tuple[str, ...]:
    """The codes of several languages, separated by commas; each as for `resolve`, but for "auto".

    Raises:
        UsageError: as `resolve`; or one of them is no language.
    """
    codes = [resolve(part) for part in text.split(",") if part.strip()]
    if None in codes:
        raise UsageError(f"a list of languages cannot hold {AUTO!r}")
    return tuple(dict.fromkeys(code for code in codes if code))


def name(code: str) -> str:
    """The English name of one of Whisper's codes.

    Raises:
        UsageError: not one of `LANGUAGES`.
    """
    if code not in LANGUAGES:
        raise UsageError(f"Whisper has no language code {code!r}{_suggestion(code)}")
    return LANGUAGES[code]


def _from_standard(key: str) -> str | None:
    for reading in readings(key):
        code = _WHISPER_CODES.get(reading.language or "", reading.language)
        if code in LANGUAGES:
            return code
    return None


def _suggestion(key: str) -> str:
    close = difflib.get_close_matches(key, [*_BY_NAME, *LANGUAGES], n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(close)}?" if close else ""

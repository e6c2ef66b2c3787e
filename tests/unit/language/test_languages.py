import langcodes
import pytest

from triscribe.errors import UsageError
from triscribe.language.languages import LANGUAGES, name, resolve, resolve_all, understood


def test_every_code_and_every_name_is_known():
    assert len(LANGUAGES) == 100
    for code, english in LANGUAGES.items():
        assert resolve(code) == resolve(english.upper()) == code
        assert name(code) == english


def test_the_codes_are_those_of_the_tokenizer():
    from faster_whisper.tokenizer import _LANGUAGE_CODES

    assert set(LANGUAGES) == set(_LANGUAGE_CODES)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Chinese", "zh"),
        ("cantonese", "yue"),
        ("Mandarin", "zh"),
        ("castilian", "es"),
        ("Flemish", "nl"),
        ("haitian", "ht"),
        ("  Haitian  Creole ", "ht"),
        ("deu", "de"),
        ("ger", "de"),
        ("pt-BR", "pt"),
        ("pt_br", "pt"),
        ("iw", "he"),
        ("jv", "jw"),
        ("nb", "no"),
        ("Deutsch", "de"),
        ("Français", "fr"),
        ("中文", "zh"),
        ("普通话", "zh"),
        ("國語", "zh"),
        ("汉语", "zh"),
        ("zh-Hant", "zh"),
        ("粤语", "yue"),
        ("粵語", "yue"),
        ("廣東話", "yue"),
        ("YUE", "yue"),
        ("日本語", "ja"),
        ("한국어", "ko"),
        ("ไทย", "th"),
        ("ESPAÑOL", "es"),
        ("auto", None),
        ("AUTO", None),
    ],
)
def test_what_people_type(text, code):
    assert resolve(text) == code


@pytest.mark.parametrize("text", ["klingon", "", "xx", "1", "xyzzy german"])
def test_unknown(text):
    with pytest.raises(UsageError, match="knows no language"):
        resolve(text)


def test_a_slip_gets_a_suggestion():
    with pytest.raises(UsageError, match="did you mean german"):
        resolve("Germn")
    with pytest.raises(UsageError):
        name("German")


def test_every_own_name_is_known():
    """What a language calls itself; Whisper has Norwegian twice, and langcodes calls Tagalog Filipino."""
    for code in LANGUAGES:
        if code not in ("nn", "no"):
            own = langcodes.Language.get({"jw": "jv"}.get(code, code)).autonym()
            assert resolve(own) == code, own


def test_several():
    assert resolve_all("German, 中文,yue,de,") == ("de", "zh", "yue")
    for wrong in ("de,auto", "de,klingon"):
        with pytest.raises(UsageError):
            resolve_all(wrong)


@pytest.mark.parametrize("text", ["\x00\x80\x80", "\x00", "\ud800", "a" * 10_000])
def test_what_is_no_text_is_no_language(text):
    with pytest.raises(UsageError):
        resolve(text)


@pytest.mark.parametrize(
    ("text", "code", "script", "is_dropped"),
    [
        ("zh-TW", "zh", "traditional", False),
        ("zh_tw", "zh", "traditional", False),
        ("zh-Hant", "zh", "traditional", False),
        ("cmn-Hant", "zh", "traditional", False),
        ("zh-HK", "yue", "traditional", False),
        ("zh-Hant-HK", "yue", "traditional", False),
        ("zh-MO", "yue", "traditional", False),
        ("zh-CN", "zh", "simplified", False),
        ("zh-Hans", "zh", "simplified", False),
        ("zh-SG", "zh", "simplified", False),
        ("yue-Hans", "yue", "simplified", False),
        ("yue", "yue", None, False),
        ("zh", "zh", None, False),
        ("Chinese", "zh", None, False),
        ("en-US", "en", None, False),
        ("pt-BR", "pt", None, False),
        ("nb-NO", "no", None, False),
        ("en-GB", "en", None, True),
        ("pt-PT", "pt", None, True),
        ("sr-Latn", "sr", None, True),
        ("de-1996", "de", None, True),
        ("auto", None, None, False),
    ],
)
def test_a_tag_keeps_what_can_be_kept_of_it(text, code, script, is_dropped):
    asked = understood(text)
    assert (asked.code, asked.script) == (code, script)
    assert (text in asked.dropped) == is_dropped
    assert asked.fallback == ("zh" if code == "yue" else None)

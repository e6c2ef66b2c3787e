import pytest
from hypothesis import given
from hypothesis import strategies as st

from triscribe.formats import WRITERS
from triscribe.formats.html import _paragraphs
from triscribe.spacing import SPACELESS, joined
from triscribe.types import AudioInfo, Segment, Transcript, Word


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ([("Hello.", "en"), (" Again. ", "en")], "Hello. Again."),
        ([("你好。", "zh"), ("再见。", "zh")], "你好。再见。"),
        ([("今日は", "ja"), ("ﾊﾝｶｸ", "ja")], "今日はﾊﾝｶｸ"),
        ([("สวัสดี", "th"), ("ครับ", "th")], "สวัสดีครับ"),
        ([("안녕하세요.", "ko"), ("저는", "ko")], "안녕하세요. 저는"),
        ([("我用GPT", "zh"), ("很好.", "zh"), ("对", "yue")], "我用GPT很好.对"),
        ([("我用GPT", "zh"), ("OpenAI", "zh")], "我用GPT OpenAI"),
        ([("Hello.", "en"), ("你好。", "zh"), ("Bye.", "en")], "Hello. 你好。 Bye."),
        ([("", "en"), ("a", "en"), (" ", "en"), ("b", "en")], "a b"),
        ([("진짜 웃겨 ㅋㅋㅋ", "ko"), ("ㅋㅋㅋ 맞아", "ko")], "진짜 웃겨 ㅋㅋㅋ ㅋㅋㅋ 맞아"),
        ([("ㅠㅠ", "ko"), ("네", "ko")], "ㅠㅠ 네"),
        ([("ﾡﾢ", "ko"), ("ﾣ", "ko")], "ﾡﾢ ﾣ"),
        ([("ㄅㄆ", "zh"), ("ㄇ", "zh")], "ㄅㄆㄇ"),
        ([], ""),
    ],
)
def test_no_space_is_invented(parts, text):
    assert joined(parts) == text


@given(
    st.lists(
        st.tuples(
            st.text("aé.ㅋㅠ가네今日はﾊﾝสวข。 ", min_size=1, max_size=6).filter(str.strip),
            st.sampled_from(["en", "ko", "ja", "zh", "th"]),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_page_and_transcript_agree(parts):
    """The page lays segments of one paragraph out itself; a space may not come or go there."""
    segments = tuple(
        Segment(n, n + 0.5, text, language, -0.1, 0, 1, 0, (Word(text.strip(), n, n + 0.5, 1.0, "aligned"),))
        for n, (text, language) in enumerate(parts)
    )
    transcript = Transcript(AudioInfo("-", 60.0), "ko", 1.0, "base", "transcribe", segments)
    (paragraph,) = _paragraphs(transcript)
    shown = "".join(f" {word['text']}" if word["space"] else word["text"] for word in paragraph.words)
    assert " ".join(shown.split()) == " ".join(transcript.text.split())
    assert "".join(str(WRITERS["txt"].render(transcript)).split()) == "".join(transcript.text.split())


def test_hangul_is_spaced_and_kana_is_not():
    assert not [chr(code) for code in (*range(0x3131, 0x318F), *range(0xFFA0, 0xFFDD)) if SPACELESS.match(chr(code))]
    assert all(SPACELESS.match(chr(code)) for code in (*range(0x3041, 0x3097), *range(0xFF66, 0xFF9E)))

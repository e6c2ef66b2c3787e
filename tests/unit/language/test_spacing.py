import pytest

from triscribe.types import Segment, joined_text


def segment(text, language):
    return Segment(0, 1, text, language, -0.1, 0, 1, 0)


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
        ([], ""),
    ],
)
def test_no_space_is_invented(parts, text):
    assert joined_text(segment(*part) for part in parts) == text

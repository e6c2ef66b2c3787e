from hypothesis import given
from hypothesis import strategies as st

from triscribe.language.chinese import in_script
from triscribe.types import Segment, Word

HAN = "头发发展汉语里面台湾乾隆皇后以后头髮發展漢語裡面臺灣干係云雲iPhone 15，。"


def segment(words, language="zh"):
    timed = tuple(Word(word.strip(), n, n + 0.5, 0.9, "attention") for n, word in enumerate(words))
    return Segment(0.0, len(words), "".join(words).strip(), language, -0.1, 0.0, 1.0, 0.0, timed)


def test_both_scripts():
    spoken = segment(["头发", "的", "发展，", "很", " OK", "吗？"])
    traditional = in_script(spoken, "traditional")
    assert traditional.text == "頭髮的發展，很 OK嗎？"
    assert [word.word for word in traditional.words] == ["頭髮", "的", "發展，", "很", "OK", "嗎？"]
    assert in_script(traditional, "simplified") == spoken


def test_a_character_is_read_with_its_neighbours_in_other_words():
    halves = in_script(segment(["头", "发"]), "traditional")
    assert [word.word for word in halves.words] == ["頭", "髮"]


def test_other_languages_are_left_alone():
    japanese = segment(["国", "会"], "ja")
    assert in_script(japanese, "traditional") is japanese


@given(st.lists(st.text(st.sampled_from(HAN), min_size=1, max_size=4).filter(str.strip), min_size=1, max_size=12))
def test_scripts_have_equal_words_and_times(words):
    before = segment(words)
    simplified, traditional = (in_script(before, script) for script in ("simplified", "traditional"))
    for after in (simplified, traditional):
        assert [(w.start, w.end, w.probability) for w in after.words] == [
            (w.start, w.end, w.probability) for w in before.words
        ]
        assert "".join(after.text.split()) == "".join("".join(w.word.split()) for w in after.words)
    assert len(simplified.text) == len(traditional.text) == len(before.text)

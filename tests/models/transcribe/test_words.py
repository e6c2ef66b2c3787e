import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triscribe_transcribe.result import Result, Segment, Warning_, Word, shift
from triscribe_transcribe.units import written_words
from triscribe_transcribe.words import (
    ATTENTION_BIAS_S,
    MIN_WORD_S,
    attention_words,
    cut_segments,
    ordered,
)


def pieces_of(checkpoint, text, language="en"):
    tokenizer = checkpoint.text_tokenizer(language)
    tokens = tokenizer.encode(text)
    return written_words(tokens, tokenizer), tokens


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (" Hello, world!", ["Hello,", "world!"]),
        (' She said: "No."', ["She", "said:", '"No."']),
        (" It's 3.5% of (all) that…", ["It's", "3.5%", "of", "(all)", "that…"]),
        (" a state-of-the-art U.S. idea, isn't-it?", ["a", "state-of-the-art", "U.S.", "idea,", "isn't-it?"]),
        (" $3,000.50 yes", ["$3,000.50", "yes"]),
        (" naïve Zürich 🎉 yes", ["naïve", "Zürich", "🎉", "yes"]),
    ],
)
def test_punctuation_stays_with_its_word(checkpoint, text, words):
    pieces, _ = pieces_of(checkpoint, text)
    assert [piece.word for piece in pieces] == words


@pytest.mark.parametrize(
    ("language", "text", "words"),
    [
        ("zh", "广州市房地产中介协会分析，好。", ["广州", "市", "房地产", "中介", "协会", "分析，", "好。"]),
        ("zh", "我用iPhone 15看《红楼梦》", ["我", "用", "iPhone", "15", "看", "《红楼梦》"]),
        ("zh", "價格是$3.50，漲了3.5%，對吧？", ["價格", "是", "$3.50，", "漲了", "3.5%，", "對吧？"]),
        ("ja", "東京に住んでいます。", ["東京", "に", "住", "んで", "います。"]),
        ("yue", "我哋今日去香港。", ["我", "哋", "今日", "去", "香港。"]),
        ("th", "สวัสดีครับผมทำงานที่กรุงเทพ", ["สวัสดี", "ครับ", "ผม", "ทำงาน", "ที่", "กรุงเทพ"]),
        ("en", " I said 你好世界 to her - twice", ["I", "said", "你好", "世界", "to", "her", "-", "twice"]),
    ],
)
def test_text_without_spaces_has_words(checkpoint, language, text, words):
    pieces, _ = pieces_of(checkpoint, text, language)
    assert [piece.word for piece in pieces] == words


CHINESE = "广州市房地产中介协会分析大学生利用漏洞免费吃肯德基获刑富士康在印度工厂出现大规模感染"
MIXED = st.text(
    st.sampled_from([*CHINESE, *"今日は天気がいいですね東京", *"สวัสดีครับผม", *"我哋唔係𠮶𨋢", *" ，。！？「」 ab3.$%🎉"])
)


@given(MIXED, st.sampled_from(["zh", "yue", "ja", "th", "en"]), st.integers(0, 3), st.integers(0, 3))
def test_no_half_characters_and_the_units_are_the_text(checkpoint, text, language, lost_head, lost_tail):
    """Also where tokens were lost at either end, which leaves halves of characters behind."""
    tokenizer = checkpoint.text_tokenizer(language)
    tokens = tokenizer.encode(text)
    kept = tokens[lost_head : len(tokens) - lost_tail]
    pieces = written_words(kept, tokenizer)
    joined = "".join(piece.text for piece in pieces)
    assert "\ufffd" not in joined
    assert joined in text
    if not lost_head and not lost_tail:
        assert joined == text or not text.strip()
    starts = [0.1 * n for n in range(len(kept) + 1)]
    words = attention_words(pieces, starts, [0.5] * len(kept), 30.0)
    times = [time for word in words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert [word.word for word in words] == [piece.text.strip() for piece in pieces]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_split_character_has_one_time(checkpoint, language):
    tokenizer = checkpoint.text_tokenizer(language)
    tokens = tokenizer.encode("𠮶𨋢")
    assert len(tokens) > 2
    for piece in written_words(tokens, tokenizer):
        assert piece.text in "𠮶𨋢"
        assert piece.last - piece.first == len(tokenizer.encode(piece.text))


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=60))
def test_no_text_is_lost_and_pieces_stand_in_order(checkpoint, text):
    pieces, tokens = pieces_of(checkpoint, text)
    written = "".join("".join(piece.text.split()) for piece in pieces)
    assert written == "".join(checkpoint.text_tokenizer("en").decode(tokens).split())
    for earlier, later in itertools.pairwise(pieces):
        assert earlier.first < earlier.last <= later.first
    assert not pieces or pieces[-1].last <= len(tokens)


def test_attention_gives_a_word_the_span_of_its_tokens(checkpoint):
    pieces, tokens = pieces_of(checkpoint, " Hello world.")
    starts = [0.5 * n for n in range(len(tokens) + 1)]
    words = attention_words(pieces, starts, [0.25] * len(tokens), 30.0)
    assert [word.word for word in words] == ["Hello", "world."]
    # Attention moves to a token before it is heard; the measured bias is taken off.
    assert words[0].start == pytest.approx(-ATTENTION_BIAS_S)
    assert words[1].start == pytest.approx(starts[pieces[1].first] - ATTENTION_BIAS_S)
    assert words[0].end == words[1].start
    assert {word.probability for word in words} == {0.25}
    assert {word.timing for word in words} == {"attention"}


TIME = st.floats(-5, 40, allow_nan=False)


@given(st.lists(st.tuples(TIME, TIME), max_size=40), st.floats(0.0, 30))
def test_times_are_monotone_and_inside_whatever_came_in(times, duration_s):
    words = ordered([Word("x", start, end, 1.0, "aligned") for start, end in times], duration_s)
    flat = [time for word in words for time in (word.start, word.end)]
    assert flat == sorted(flat)
    assert len(words) == len(times)
    assert all(0 <= time <= duration_s for time in flat)
    if duration_s >= MIN_WORD_S * (len(words) + 1):
        assert all(word.end - word.start >= MIN_WORD_S - 1e-9 for word in words)


def test_good_times_are_left_alone():
    words = [Word("a", 0.1, 0.5, 1.0, "aligned"), Word("b", 0.5, 0.9, 1.0, "aligned")]
    assert ordered(words, 1.0) == words


def cut(text, language, spans=None):
    """The text of each segment."""
    texts = [f" {word}" for word in text.split()]
    spans = spans or [(i, i + 1) for i in range(len(texts))]
    words = [Word(word, start, end, 1.0, "aligned") for word, (start, end) in zip(texts, spans, strict=True)]
    return ["".join(texts[part]).strip() for part in cut_segments(words, texts, language)]


@pytest.mark.parametrize(
    ("language", "segments"),
    [
        ("en", ["Mr. Jones left Acme Inc. at 5 p.m. today.", "No.", "He left at 5 p.m.", "She stayed."]),
        ("en", ["See No. 5 by J. Smith.", "Really?!", "Yes."]),
        ("de", ["Am 3. Mai kam z.B. Frau Dr. Meier.", "So war es.", "Gut."]),
        ("ru", ["Приду, т.е. завтра.", "Это был я.", "Да."]),
        ("zh", ["好。", "你好吗？", "好"]),
    ],
)
def test_segments_are_sentences_of_their_language(language, segments):
    assert cut(" ".join(segments), language) == segments


def test_segments_are_stretches_between_pauses():
    spans = [(0, 1), (1, 2), (2, 3), (4.5, 5), (5.5, 6)]
    assert cut("One two. Three four five", "en", spans) == ["One two.", "Three", "four five"]
    assert cut_segments([], [], "en") == []


def test_shift_moves_every_time():
    word = Word("a", 0.0, 1.0, 1.0, "aligned")
    result = Result("en", 1.0, {}, (Segment(0, 1, "a", "en", 0, 0, 0, 0, (word,)),), (Warning_("c", "m", 0.0, 1.0),))
    moved = shift(result, 10.0)
    assert (moved.segments[0].start, moved.segments[0].end) == (10.0, 11.0)
    assert (moved.segments[0].words[0].start, moved.segments[0].words[0].end) == (10.0, 11.0)
    assert (moved.warnings[0].start, moved.warnings[0].end) == (10.0, 11.0)

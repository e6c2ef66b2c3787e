"""Random transcripts, as odd as a model could make them."""

from hypothesis import settings
from hypothesis import strategies as st

from triscribe.formats.options import WriteOptions
from triscribe.types import AudioInfo, AudioTrack, Notice, Overlap, Segment, SpeakerTurn, Transcript, Word

patient = settings(deadline=None)
brief = settings(deadline=None, max_examples=40)

ODD_CHARACTERS = "aZé\u0301你。ｱ𝄞🙂->&<{\t\n\r\x00\x1b\u2028\u3000\u200b\ud800 "

words_text = st.one_of(
    st.sampled_from(
        ["Hello", "there.", "well,", "a", "I", "-->", "<b>", "&amp;", "你好", "。", "Wörter", "no?", "12", "x" * 60]
    ),
    st.text(st.sampled_from(ODD_CHARACTERS), max_size=12),
)
speakers = st.sampled_from([None, "SPEAKER_00", "SPEAKER_01", "Ann & <Bob>"])
times = st.floats(0, 100, allow_nan=False)
probabilities = st.floats(0, 1)


@st.composite
def spans(draw):
    start, length = draw(times), draw(st.floats(0, 20))
    return start, start + length


@st.composite
def segments(draw):
    start, end = draw(spans())
    words = []
    if draw(st.booleans()):
        for text in draw(st.lists(words_text, max_size=15)):
            word_start, word_end = draw(spans())
            timing = draw(st.sampled_from(["aligned", "attention", "interpolated"]))
            words.append(Word(text, word_start, word_end, draw(probabilities), timing, draw(speakers)))
        text = " ".join(word.word for word in words)
    else:
        text = " ".join(draw(st.lists(words_text, max_size=25)))
    logprob = draw(st.sampled_from([-0.3, -1.5, float("-inf")]))
    return Segment(start, end, text, "en", logprob, draw(probabilities), 1.4, 0.0, tuple(words), draw(speakers))


@st.composite
def transcripts(draw):
    pairs = st.lists(spans(), max_size=2)
    turns = [SpeakerTurn(start, end, "SPEAKER_00") for start, end in draw(pairs)]
    overlaps = [Overlap(start, end, ("SPEAKER_00", "SPEAKER_01")) for start, end in draw(pairs)]
    notices = [Notice("truncated_audio", "cut off", draw(st.none() | times)) for _ in range(draw(st.integers(0, 2)))]
    return Transcript(
        audio=AudioInfo(
            draw(st.sampled_from(["a.wav", "-", "stray\udcff.wav"])),
            draw(times),
            draw(st.sampled_from([None, AudioTrack(2, 3, "pt-BR", "Main")])),
            draw(st.sampled_from([None, "mean", "centre"])),
        ),
        language="en",
        language_probability=draw(probabilities),
        model="base",
        task="transcribe",
        segments=tuple(draw(st.lists(segments(), max_size=4))),
        speakers=("SPEAKER_00", "SPEAKER_01"),
        turns=tuple(turns),
        overlaps=tuple(overlaps),
        warnings=tuple(notices),
    )


def transcript(*segments, duration=60.0):
    return Transcript(AudioInfo("talk.wav", duration), "en", 0.98, "base", "transcribe", segments)


def segment(text, start, end, *, speaker=None, timed=False):
    """A segment; with `timed`, its words share the time out evenly."""
    words: tuple[Word, ...] = ()
    if timed:
        parts = text.split()
        step = (end - start) / len(parts)
        words = tuple(
            Word(part, start + i * step, start + (i + 1) * step, 0.9, "aligned", speaker)
            for i, part in enumerate(parts)
        )
    return Segment(start, end, text, "en", -0.2, 0.01, 1.2, 0.0, words, speaker)


orderly_text = st.sampled_from(
    [
        *("Hello", "there.", "well,", "a", "don't", "well-known", "<b>", "&amp;", "Wörter", "no?", "e\u0301te\u0301"),
        *("你好", "世界。", "「東京", "チェック", "」", "（笑）", "สวัสดี", "ครับ", "안녕하세요", "🙂"),
        "honorificabilitudinitatibus",
    ]
)


@st.composite
def orderly_transcripts(draw):
    """Words one after another, as speech is: pauses, changes of speaker, scripts with and without spaces."""
    start_ms = 0
    found = []
    for _ in range(draw(st.integers(0, 3))):
        words: list[Word] = []
        for text in draw(st.lists(orderly_text, min_size=1, max_size=25)):
            start_ms += draw(st.sampled_from([0, 0, 0, 20, 500, 3000]))
            length_ms = draw(st.integers(100, 900) | st.just(9000))
            speaker = words[-1].speaker if words and draw(st.integers(0, 5)) else draw(speakers)
            words.append(Word(text, start_ms / 1000, (start_ms + length_ms) / 1000, 0.9, "aligned", speaker))
            start_ms += length_ms
        written = draw(st.sampled_from(["", " "])).join(word.word for word in words)
        found.append(Segment(words[0].start, words[-1].end, written, "en", -0.2, 0.01, 1.2, 0.0, tuple(words)))
    return transcript(*found, duration=start_ms / 1000 + draw(st.sampled_from([0, 0.5, 30])))


@st.composite
def limits(draw):
    return WriteOptions(
        max_line_width=draw(st.integers(2, 60) | st.just(42)),
        max_lines=draw(st.integers(1, 4)),
        max_s=draw(st.floats(1, 10)),
        min_s=draw(st.floats(0, 1)),
        reading_speed=draw(st.floats(4, 40)),
        gap_s=draw(st.sampled_from([0, 2 / 24, 0.5])),
    )

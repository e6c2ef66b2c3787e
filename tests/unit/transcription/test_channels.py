from triscribe.transcription.channels import merge
from triscribe.types import AudioInfo, Notice, Segment, Transcript, Word


def transcript(*times, language="en", warnings=()):
    segments = tuple(
        Segment(start, end, "Hi.", language, -0.1, 0, 1, 0, (Word("Hi.", start, end, 0.9, "aligned"),))
        for start, end in times
    )
    return Transcript(AudioInfo("a", 10.0), language, 0.9, "base", "transcribe", segments, warnings=warnings)


def test_each_channel_is_a_speaker():
    merged = merge([transcript((0, 1), (4, 5)), transcript((0.5, 2), (2, 3), (6, 9), language="de")])
    assert [(s.start, s.channel, s.speaker, s.words[0].speaker) for s in merged.segments] == [
        (0, 1, "CHANNEL_1", "CHANNEL_1"),
        (0.5, 2, "CHANNEL_2", "CHANNEL_2"),
        (2, 2, "CHANNEL_2", "CHANNEL_2"),
        (4, 1, "CHANNEL_1", "CHANNEL_1"),
        (6, 2, "CHANNEL_2", "CHANNEL_2"),
    ]
    assert merged.speakers == ("CHANNEL_1", "CHANNEL_2")
    assert [(o.start, o.end, o.speakers) for o in merged.overlaps] == [(0.5, 1, ("CHANNEL_1", "CHANNEL_2"))]
    assert [(t.start, t.end) for t in merged.turns] == [(s.start, s.end) for s in merged.segments]
    assert merged.language == "de"  # most of the speech


def test_warnings_of_the_file_come_once():
    cut, unsure = Notice("truncated_audio", "cut"), Notice("low_confidence", "unsure", 0, 1)
    merged = merge([transcript(warnings=(cut,)), transcript(warnings=(cut, unsure))])
    assert [notice.message for notice in merged.warnings] == ["cut", "channel 2: unsure"]
    assert not merged.segments
    assert not merged.speakers

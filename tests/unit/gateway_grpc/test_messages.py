"""What the gateway writes, the client reads back unchanged."""

from hypothesis import given
from hypothesis import strategies as st

from triscribe.client import results
from triscribe.gateway.grpc.messages import metadata_message, result_message
from triscribe.types import AudioInfo, AudioTrack, Notice, Overlap, Segment, SpeakerTurn, Transcript, Word

times = st.integers(0, 4 * 3600 * 1000).map(lambda ms: ms / 1000)
probabilities = st.floats(0, 1, width=32)
names = st.sampled_from([None, "SPEAKER_00", "SPEAKER_01"])
text = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1, max_size=8)
words = st.builds(
    Word, text, times, times, probabilities, st.sampled_from(["aligned", "attention", "interpolated"]), names
)
segments = st.builds(
    Segment,
    start=times,
    end=times,
    text=text,
    language=st.sampled_from(["en", "de", "yue"]),
    avg_logprob=st.floats(-5, 0, width=32),
    no_speech_prob=probabilities,
    compression_ratio=st.floats(0, 9, width=32),
    temperature=st.sampled_from([0.0, 0.5]),
    words=st.lists(words, max_size=3).map(tuple),
    speaker=names,
)
tracks = st.none() | st.builds(
    AudioTrack, st.integers(1, 9), st.integers(1, 9), st.sampled_from([None, "pt-BR"]), st.none() | st.just("Main")
)
transcripts = st.builds(
    Transcript,
    audio=st.builds(
        AudioInfo, st.just("-"), times, tracks, st.sampled_from([None, "mean", "centre", "inverted", "weighted"])
    ),
    language=st.sampled_from([None, "en"]),
    language_probability=probabilities,
    model=st.sampled_from(["", "base"]),
    task=st.just("transcribe"),
    segments=st.lists(segments, max_size=3).map(tuple),
    speakers=st.just(("SPEAKER_00",)),
    turns=st.lists(st.builds(SpeakerTurn, times, times, st.just("SPEAKER_00")), max_size=2).map(tuple),
    overlaps=st.lists(st.builds(Overlap, times, times, st.just(("A", "B"))), max_size=2).map(tuple),
    warnings=st.lists(st.builds(Notice, st.just("code"), text, st.none() | times, st.none() | times), max_size=2).map(
        tuple
    ),
)


@given(transcripts)
def test_a_transcript_survives_the_wire(transcript):
    messages = [result_message(segment) for segment in transcript.segments]
    metadata = metadata_message(transcript, "id")
    back = results.transcript(map(results.segment, messages), metadata, path="-", task="transcribe")
    assert back == transcript


def test_a_language_that_whisper_spells_its_own_way():
    segment = Segment(0, 1, "sugeng enjing", "jw", 0, 0, 1, 0)
    assert result_message(segment).language_code == "jv"


def test_confidence_without_words_comes_from_the_tokens():
    segment = Segment(0, 1, " hello ", "en", -0.6931472, 0, 1, 0)
    best = result_message(segment).alternatives[0]
    assert best.transcript == "hello"
    assert abs(best.confidence - 0.5) < 1e-6

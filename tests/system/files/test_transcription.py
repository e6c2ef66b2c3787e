"""What comes back for real speech, silence and noise, through the real server."""

import json
from typing import Any

import jiwer
import jsonschema
import numpy as np
import pytest
from whisper_normalizer.english import EnglishTextNormalizer

from tests.harness.audio import wav
from tests.harness.paths import REPOSITORY
from tests.harness.raw import RawClient, ok, text_of
from triscribe import transcribe
from triscribe.formats import WRITERS
from triscribe.transcription.options import TranscribeOptions
from triscribe.transcription.transcriber import Transcriber
from triscribe.types import SAMPLE_RATE

pytestmark = pytest.mark.server

normalise = EnglishTextNormalizer()

TRANSCRIPT_SCHEMA = json.loads((REPOSITORY / "docs" / "transcript.schema.json").read_text())
RESULT_SCHEMA = json.loads((REPOSITORY / "docs" / "result.schema.json").read_text())

SAMPLE_WER = 0.30
"""base makes 0.14 on the conversation, in which people talk over each other."""


@pytest.fixture(scope="module")
def transcript(server, conversation):
    return Transcriber(server.url).transcribe(conversation.path)


def test_one_call_is_enough_with_a_server_and_without(server, conversation):
    options: dict[str, Any] = {"language": "en", "word_timestamps": False}
    theirs = transcribe(conversation.path, server=server.url, model="base", **options)
    assert theirs == Transcriber(server.url, TranscribeOptions(model="base", **options)).transcribe(conversation.path)
    ours = transcribe(conversation.path, model="tiny.en", **options)
    assert (ours.model, ours.language) == ("tiny.en", "en")
    assert jiwer.wer(normalise(conversation.reference), normalise(ours.text)) < SAMPLE_WER


def test_sample_conversation_is_understood(transcript, conversation):
    assert jiwer.wer(normalise(conversation.reference), normalise(transcript.text)) < SAMPLE_WER
    assert transcript.language == "en"
    assert transcript.language_probability > 0.9
    assert transcript.model == "base"
    assert transcript.audio.duration == pytest.approx(30.0, abs=0.01)


def test_words_are_timed_in_order_inside_their_segments(transcript):
    words = [word for segment in transcript.segments for word in segment.words]
    assert len(words) > 50
    for segment in transcript.segments:
        assert segment.start == segment.words[0].start
        assert segment.end == segment.words[-1].end
        assert "".join(segment.text.split()) == "".join("".join(word.word.split()) for word in segment.words)
    times = [time for word in words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert times[0] >= 0
    assert times[-1] <= transcript.audio.duration
    # The first words are spoken 6.7 s into the file.
    assert words[0].start == pytest.approx(6.7, abs=0.5)


def test_json_is_valid(transcript):
    jsonschema.validate(json.loads(WRITERS["json"].render(transcript)), TRANSCRIPT_SCHEMA)


def test_without_words_the_segments_have_times_and_the_text_is_as_good(server, conversation):
    options = TranscribeOptions(word_timestamps=False, language="english")
    transcript = Transcriber(server.url, options).transcribe(conversation.path)
    assert jiwer.wer(normalise(conversation.reference), normalise(transcript.text)) < SAMPLE_WER
    assert all(not segment.words and segment.end > segment.start for segment in transcript.segments)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"language": "en", "word_timestamps": False},
        {"language": "en", "task": "translate"},
        {"language": "de"},
        {"detect_only": True},
        {"model": "tiny.en"},
        {"hotwords": ",".join(f"Chicago{n}" for n in range(200))},
        {"initial_prompt": "A telephone call between two women. " * 100},
    ],
    ids=lambda options: ",".join(options) or "defaults",
)
def test_every_kind_of_answer_is_as_documented(server, conversation, options):
    with RawClient(server.url) as client:
        envelope = client.ask(conversation.part(17.5, 24), options)
    jsonschema.validate(envelope, RESULT_SCHEMA)
    answer = ok(envelope)
    assert bool(answer.get("languages")) == options.get("detect_only", False)
    assert bool(answer["segments"]) != options.get("detect_only", False)
    codes = {warning["code"] for warning in answer["warnings"]}
    assert ("hotwords_dropped" in codes) == ("hotwords" in options)
    assert ("prompt_cut" in codes) == ("initial_prompt" in options)


def test_int16_says_what_float_says(server, conversation):
    samples = conversation.part(17.5, 24)
    pcm = np.round(samples * 32768).clip(-32768, 32767).astype(np.int16)
    with RawClient(server.url) as client:
        of_float = client.ask(pcm.astype(np.float32) / 32768, {"language": "en"})
        assert text_of(ok(of_float))
        assert client.ask(pcm, {"language": "en"}) == of_float


def _rng_noise(level: float) -> np.ndarray:
    return np.random.default_rng(1).normal(0, level, 30 * SAMPLE_RATE).astype(np.float32)


@pytest.mark.parametrize(
    "samples",
    [np.zeros(0, np.float32), np.zeros(30 * SAMPLE_RATE, np.float32), np.full(3200, 1e-4, np.float32)],
    ids=["empty", "digital silence", "dither"],
)
def test_silence_has_no_text_even_without_voice_detection(server, samples):
    with RawClient(server.url) as client:
        assert ok(client.ask(samples, {}))["segments"] == []


@pytest.mark.parametrize("level", [0.001, 0.03], ids=["quiet", "loud"])
def test_a_minute_of_noise_has_no_text(server, level, tmp_path):
    path = tmp_path / "noise.wav"
    path.write_bytes(wav(np.tile(_rng_noise(level), 2)))
    transcript = Transcriber(server.url).transcribe(path)
    assert transcript.text == ""
    assert transcript.audio.duration == pytest.approx(60.0)


def test_a_minute_of_silence_has_no_text(server, tmp_path):
    path = tmp_path / "silence.wav"
    path.write_bytes(wav(np.zeros(60 * SAMPLE_RATE, np.float32)))
    assert Transcriber(server.url).transcribe(path).text == ""


def test_alternating_requests_never_see_each_other(server, conversation):
    """A short answer after a long one, speech after silence, another model in between: each as if it were alone."""
    inputs: list[tuple[Any, dict[str, Any]]] = [
        (conversation.part(17.5, 24), {"language": "en"}),
        (np.zeros(SAMPLE_RATE, np.float32), {"language": "en"}),
        (conversation.part(21.9, 24), {"language": "en", "word_timestamps": False}),
        (conversation.part(24, 28.5), {"model": "tiny.en"}),
    ]
    with RawClient(server.url) as client:
        alone = [client.ask(samples, options) for samples, options in inputs]
        texts = [text_of(ok(answer)) for answer in alone]
        assert len(set(texts)) == len(texts)
        for _ in range(5):
            assert [client.ask(samples, options) for samples, options in inputs] == alone

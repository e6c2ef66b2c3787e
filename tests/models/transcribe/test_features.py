import numpy as np
import pytest
from faster_whisper.feature_extractor import FeatureExtractor
from hypothesis import given
from hypothesis import strategies as st

from triscribe_transcribe.errors import PipelineError
from triscribe_transcribe.features import SAMPLE_RATE, bucket_frames, check_audio, is_silent, log_mel
from triscribe_transcribe.job import Context

BUCKETS = Context().buckets_s


@pytest.mark.parametrize(
    "audio",
    [
        np.zeros((), np.float32),
        np.zeros((1, 100), np.float32),
        np.array([0, np.nan], np.float32),
        np.array([0, -np.inf], np.float32),
        np.zeros(round(30.001 * SAMPLE_RATE), np.float32),
        np.zeros(30 * SAMPLE_RATE + 1, np.int16),
    ],
    ids=["scalar", "matrix", "NaN", "infinity", "30.001 s", "one sample over"],
)
def test_bad_audio_is_refused(audio):
    with pytest.raises(PipelineError) as caught:
        check_audio(audio, "AUDIO_X")
    assert (caught.value.code, caught.value.field) == ("INVALID_ARGUMENT", "AUDIO_X")
    assert "AUDIO_X" in str(caught.value)


def test_thirty_seconds_are_not_too_long():
    assert len(check_audio(np.zeros(30 * SAMPLE_RATE, np.float32), "AUDIO")) == 30 * SAMPLE_RATE


def test_int16_equals_the_float_it_stands_for():
    pcm = np.array([-32768, -1, 0, 1, 32767], np.int16)
    np.testing.assert_array_equal(check_audio(pcm, "AUDIO_INT16"), pcm.astype(np.float32) / 32768)


def test_what_is_too_loud_is_clipped():
    np.testing.assert_array_equal(check_audio(np.array([-2, 0.5, 2], np.float32), "AUDIO"), [-1, 0.5, 1])


@given(st.integers(0, 30 * SAMPLE_RATE), st.sampled_from([0.0, 1.0, 3.0]))
def test_a_bucket_holds_the_chunk_and_its_margin_where_there_is_room(n_samples, margin_s):
    frames = bucket_frames(n_samples, BUCKETS, margin_s)
    assert frames / 100 in BUCKETS
    assert frames * 160 >= min(n_samples + margin_s * SAMPLE_RATE, 30 * SAMPLE_RATE) - 1
    smaller = [bucket for bucket in BUCKETS if bucket < frames / 100]
    assert all(bucket < n_samples / SAMPLE_RATE + margin_s for bucket in smaller)


@pytest.mark.parametrize("n_mels", [80, 128])
def test_no_bucket_looks_like_encoder_output(n_mels):
    """CTranslate2 takes (batch, n_mels, frames) with frames / 2 = n_mels for features that are encoded already."""
    assert all(bucket * 100 / 2 != n_mels for bucket in BUCKETS)


@pytest.mark.parametrize("n_mels", [80, 128])
def test_log_mel_is_that_of_the_padded_samples(conversation, n_mels):
    samples = conversation.part(17.5, 24)
    features = log_mel(samples, n_mels, 1000)
    assert features.shape == (n_mels, 1000)
    assert features.dtype == np.float32
    padded = np.concatenate([samples, np.zeros(10 * SAMPLE_RATE - len(samples), np.float32)])
    expected = FeatureExtractor(feature_size=n_mels)(padded, padding=160)[:, :1000]
    np.testing.assert_array_equal(features, expected)


@pytest.mark.parametrize(
    ("samples", "silent"),
    [
        (np.zeros(0), True),
        (np.full(319, 0.5), True),
        (np.full(320, 0.5), False),
        (np.full(16000, 2e-4), True),
        (np.full(16000, -1e-3), False),
    ],
)
def test_silence_is_what_no_microphone_meant(samples, silent):
    assert is_silent(samples.astype(np.float32)) is silent

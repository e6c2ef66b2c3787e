import numpy as np
import pytest

from tests.harness.media import wav_of
from triscribe.media import decoding
from triscribe.media.declared import PcmFormat
from triscribe.media.pcm import PcmStream
from triscribe.types import SAMPLE_RATE


def samples_of(pcm, data):
    stream = PcmStream(pcm)
    return np.concatenate([stream.push(data), stream.finish()], axis=1)[0]


_RNG = np.random.default_rng(1)


@pytest.mark.parametrize("encoding", ["mulaw", "alaw", "linear16", "float32"])
def test_every_code_means_what_ffmpeg_says(encoding):
    floats = _RNG.uniform(-1, 1, 4096).astype("<f4")
    data = floats.tobytes() if encoding == "float32" else bytes(range(256)) * 64
    pcm = PcmFormat(encoding)
    ours = samples_of(pcm, data)
    theirs = decoding.decode(wav_of(pcm, data)).samples
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_pieces_of_any_size_give_the_same_samples():
    pcm = PcmFormat("linear16", 44_100, 2)
    data = _RNG.integers(-30_000, 30_000, 2 * 44_100, dtype=np.int16).tobytes()
    pieces = PcmStream(pcm)
    expected = samples_of(pcm, data)
    got, position = [], 0
    while position < len(data):
        step = int(_RNG.integers(1, 5000))
        got.append(pieces.push(data[position : position + step])[0])
        position += step
    np.testing.assert_allclose(np.concatenate([*got, pieces.finish()[0]]), expected, atol=1e-6)
    assert len(expected) == pytest.approx(SAMPLE_RATE, abs=2)


@pytest.mark.parametrize(("encoding", "channels", "surplus"), [("linear16", 1, 1), ("float32", 1, 3), ("mulaw", 2, 1)])
def test_half_a_sample_at_the_end_is_a_warning(encoding, channels, surplus):
    pcm = PcmFormat(encoding, channels=channels)
    stream = PcmStream(pcm)
    data = bytes(SAMPLE_RATE * pcm.frame_bytes) + bytes(surplus)
    assert stream.push(data).shape[1] + stream.finish().shape[1] == SAMPLE_RATE
    (notice,) = stream.notices()
    assert (notice.code, notice.start) == ("incomplete_sample", 1.0)


def test_split_channels_stay_apart():
    data = np.stack([np.full(SAMPLE_RATE, 1000), np.full(SAMPLE_RATE, -2000)], axis=1).astype("<i2").tobytes()
    stream = PcmStream(PcmFormat("linear16", channels=2), split=True)
    left, right = np.concatenate([stream.push(data), stream.finish()], axis=1)
    assert set(left.tolist()) == {1000 / 32768}
    assert set(right.tolist()) == {-2000 / 32768}
    assert stream.mix is None


def test_opposite_channels_of_live_audio_do_not_cancel():
    voice = (_RNG.normal(0, 3000, SAMPLE_RATE)).astype("<i2")
    data = np.stack([voice, -voice], axis=1).tobytes()
    stream = PcmStream(PcmFormat("linear16", channels=2))
    samples = np.concatenate([stream.push(data[i : i + 640])[0] for i in range(0, len(data), 640)])
    assert np.abs(samples).mean() > 0.05
    assert stream.mix == "inverted"


def test_what_is_no_number_becomes_silence():
    stream = PcmStream(PcmFormat("float32"))
    samples = stream.push(np.array([np.nan, np.inf, -np.inf, 0.5, 7.0], "<f4").tobytes())[0]
    assert samples.tolist() == [0.0, 0.0, 0.0, 0.5, 1.0]
    assert [notice.code for notice in stream.notices()] == ["invalid_samples"]

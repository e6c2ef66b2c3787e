import numpy as np
import pytest

from triscribe.errors import InvalidArgumentError
from triscribe.media import decoding
from triscribe.media.pcm import PcmFormat, PcmStream
from triscribe.types import SAMPLE_RATE

_RNG = np.random.default_rng(1)


@pytest.mark.parametrize("encoding", ["mulaw", "alaw", "linear16", "float32"])
def test_every_code_means_what_ffmpeg_says(encoding):
    floats = _RNG.uniform(-1, 1, 4096).astype("<f4")
    data = floats.tobytes() if encoding == "float32" else bytes(range(256)) * 64
    pcm = PcmFormat(encoding)
    stream = PcmStream(pcm)
    ours = np.concatenate([stream.push(data), stream.finish()])
    theirs = decoding.decode(pcm.wav_header(len(data)) + data).samples
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_pieces_of_any_size_give_the_same_samples():
    pcm = PcmFormat("linear16", 44_100, 2)
    data = _RNG.integers(-30_000, 30_000, 2 * 44_100, dtype=np.int16).tobytes()
    whole, pieces = PcmStream(pcm), PcmStream(pcm)
    expected = np.concatenate([whole.push(data), whole.finish()])
    got, position = [], 0
    while position < len(data):
        step = int(_RNG.integers(1, 5000))
        got.append(pieces.push(data[position : position + step]))
        position += step
    np.testing.assert_allclose(np.concatenate([*got, pieces.finish()]), expected, atol=1e-6)
    assert len(expected) == pytest.approx(SAMPLE_RATE, abs=2)


def test_half_a_sample_at_the_end_is_refused():
    stream = PcmStream(PcmFormat("linear16"))
    stream.push(b"\x00\x00\x01")
    with pytest.raises(InvalidArgumentError, match="inside a sample"):
        stream.finish()


def test_what_is_no_number_becomes_silence():
    stream = PcmStream(PcmFormat("float32"))
    samples = stream.push(np.array([np.nan, np.inf, -np.inf, 0.5, 7.0], "<f4").tobytes())
    assert samples.tolist() == [0.0, 0.0, 0.0, 0.5, 1.0]

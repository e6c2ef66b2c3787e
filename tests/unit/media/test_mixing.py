import io

import av
import numpy as np
import pytest

from tests.harness.audio import conversation
from tests.harness.marks import needs_data
from tests.harness.media import encode, fill, wav
from tests.harness.paths import DATA
from triscribe.media.decoding import decode
from triscribe.media.mixing import ChannelLayout, Mixer
from triscribe.types import SAMPLE_RATE

RNG = np.random.default_rng(1)
SPEECH = conversation()[7 * SAMPLE_RATE : 27 * SAMPLE_RATE]  # it begins with a silence
SPEECH = SPEECH / np.float32(10 * np.std(SPEECH))
SILENCE = np.zeros_like(SPEECH)
NOISE = RNG.normal(0, 0.3, len(SPEECH)).astype(np.float32)
TIMES = np.arange(len(SPEECH)) / SAMPLE_RATE
HUM = (0.5 * np.sin(2 * np.pi * 50 * TIMES) + 0.2 * np.sin(2 * np.pi * 150 * TIMES)).astype(np.float32)
SURROUND = ChannelLayout.of(["FL", "FR", "FC", "LFE", "BL", "BR"])


def mixed(*channels, layout=None, block=SAMPLE_RATE):
    """The mix and its mixer."""
    together = np.stack(channels).astype(np.float32)
    mixer = Mixer(layout or ChannelLayout(len(channels)), SAMPLE_RATE)
    parts = [mixer.push(together[:, i : i + block]) for i in range(0, together.shape[1], block)]
    samples = np.concatenate([*parts, mixer.finish()])
    assert len(samples) == together.shape[1]
    return samples, mixer


def clarity(samples, speech=SPEECH, from_s=3.0):
    """How far the speech stands above everything else, in dB, once the mixer has heard some of it."""
    start = round(from_s * SAMPLE_RATE)
    samples, speech = samples[start:], speech[start:]
    share = float(samples @ speech / (speech @ speech)) * speech
    rest = samples - share
    return 10 * np.log10(float(share @ share) / (float(rest @ rest) + 1e-9) + 1e-9)


@pytest.mark.parametrize("block", [SAMPLE_RATE, 4096, 320])
@pytest.mark.parametrize(
    ("channels", "kind", "least"),
    [
        ((SPEECH, -SPEECH), "inverted", 40),
        ((SPEECH, -0.5 * SPEECH + 0.005 * NOISE), "inverted", 20),
        ((SPEECH, np.where(TIMES < 10, SPEECH, -SPEECH)), "inverted", 15),
        ((SPEECH, -SPEECH, SPEECH, -SPEECH), "inverted", 40),
        ((SPEECH, NOISE), "weighted", 6),
        ((NOISE, SPEECH), "weighted", 6),
        ((SPEECH, HUM), "weighted", 6),
    ],
)
def test_speech_is_kept(channels, kind, least, block):
    samples, mixer = mixed(*channels, block=block)
    assert mixer.kind == kind
    assert clarity(samples) > least
    assert clarity(samples) > clarity(np.mean(channels, axis=0)) + 6
    assert [notice.code for notice in mixer.notices()] == ["mixed_channels"]


@pytest.mark.parametrize(
    "channels",
    [
        (SPEECH, SPEECH),
        (SPEECH, SILENCE),
        (SPEECH + 0.5, SPEECH - 0.5),
        (SPEECH + 0.05 * NOISE, SPEECH + 0.05 * NOISE[::-1]),
        (np.where(TIMES < 10, SPEECH, 0), np.where(TIMES >= 10, SPEECH, 0)),
        (np.where(TIMES < 10, SPEECH, 0) + 0.003 * NOISE, np.where(TIMES >= 10, SPEECH, 0) + 0.003 * NOISE[::-1]),
        (SPEECH, np.roll(SPEECH, 160)),
        (SILENCE, SILENCE),
        (NOISE, NOISE[::-1]),
    ],
)
def test_ordinary_channels_give_their_mean(channels):
    samples, mixer = mixed(*channels)
    np.testing.assert_allclose(samples, np.mean(channels, axis=0), atol=1e-5)
    assert mixer.kind == "mean"
    assert mixer.notices() == ()


@pytest.mark.parametrize("around", [0.1 * NOISE, HUM, np.roll(SPEECH[::-1], 999)])
def test_the_centre_is_taken_alone(around):
    samples, mixer = mixed(around, around, 0.3 * SPEECH, HUM, around, around, layout=SURROUND)
    assert clarity(samples) > 40
    assert mixer.kind == "centre"


def test_without_anything_in_the_centre_the_others_are_mixed():
    samples, mixer = mixed(SPEECH, SPEECH, SILENCE, HUM, SILENCE, SILENCE, layout=SURROUND)
    assert clarity(samples) > 40
    assert mixer.kind == "mean"


def test_what_is_no_number_spoils_nothing_else():
    broken = SPEECH.copy()
    broken[5 * SAMPLE_RATE : 6 * SAMPLE_RATE] = np.nan
    samples, _ = mixed(SPEECH, broken)
    assert np.isfinite(samples[: 5 * SAMPLE_RATE]).all()
    assert np.isfinite(samples[6 * SAMPLE_RATE :]).all()


@pytest.mark.parametrize(
    ("codec", "container"), [("aac", "mp4"), ("libmp3lame", "mp3"), ("libopus", "webm"), ("flac", "flac")]
)
def test_lossy_codecs_keep_what_would_cancel(codec, container):
    pair = np.stack([SPEECH, -SPEECH])
    decoded = decode(encode_channels(codec, container, pair))
    assert decoded.mix == "inverted"
    assert float(np.sqrt(np.mean(decoded.samples**2))) > 0.8 * float(np.sqrt(np.mean(SPEECH**2)))


def encode_channels(codec, container, channels):
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=48_000, layout="stereo")
        fill(output, stream, channels, SAMPLE_RATE, "stereo")
    return file.getvalue()


def test_a_mix_that_was_chosen_has_its_times():
    channels = (SPEECH, np.where(TIMES < 10, SPEECH, -SPEECH))
    _, mixer = mixed(*channels)
    (notice,) = mixer.notices(offset_s=100.0)
    assert notice.start == pytest.approx(110, abs=1.1)
    assert notice.end == pytest.approx(120, abs=0.1)
    assert decode(wav(np.stack(channels, axis=1))).mix == "inverted"
    assert decode(wav(SPEECH)).mix is None
    assert decode(encode("flac", "flac", SPEECH, SAMPLE_RATE, layout="stereo")).mix == "mean"


@needs_data
@pytest.mark.parametrize(("name", "mix"), [("r04_antiphase.flac", "inverted"), ("r04_centre_in_5.1.ac3", "centre")])
def test_recordings_that_were_reported(name, mix):
    decoded = decode(DATA / "reports" / name)
    assert decoded.mix == mix
    assert [notice.code for notice in decoded.notices] == ["mixed_channels"]

import struct

import numpy as np
import pytest
import soxr

from tests.harness.audio import conversation, pcm16
from tests.harness.media import encode, tone, wav
from triscribe.errors import AudioError
from triscribe.media.declared import NO_HEADER, Header, PcmFormat, header, suspicious_rate
from triscribe.types import SAMPLE_RATE

LINEAR16 = PcmFormat("linear16")


@pytest.mark.parametrize(
    ("codec", "container", "name"),
    [
        ("flac", "flac", "FLAC"),
        ("libopus", "ogg", "Ogg"),
        ("libmp3lame", "mp3", "MP3"),
        ("libopus", "webm", "WebM"),
        ("aac", "mp4", "MP4"),
        ("aac", "adts", "AAC"),
        ("pcm_s16be", "aiff", "AIFF"),
        ("pcm_s16be", "au", "AU"),
        ("pcm_s16le", "caf", "CAF"),
        ("pcm_s16le", "w64", "Wave64"),
        ("pcm_s24le", "wav", "WAV"),
    ],
)
@pytest.mark.parametrize("encoding", ["linear16", "mulaw"])
def test_a_file_is_named(codec, container, name, encoding):
    content = encode(codec, container, tone(3, 48_000), 48_000)
    with pytest.raises(AudioError, match=name):
        header(content, PcmFormat(encoding), is_all=True)


def test_mp3_without_a_tag_is_named_however_it_comes_in():
    content = encode("libmp3lame", "mp3", tone(3, 44_100), 44_100)
    frames = content[content.index(b"\xff\xfb") :]
    assert header(frames[:100], LINEAR16, is_all=False) is None
    with pytest.raises(AudioError, match="MP3"):
        header(frames[:8000], LINEAR16, is_all=False)


@pytest.mark.parametrize("start", [b"\xff\xfb\x90\x64", b"\xff\xf1\x50\x80", b"\xff\xff\xff\xff", b"ID3"])
def test_samples_that_begin_like_a_frame_are_samples(start):
    noise = np.random.default_rng(0).integers(-9000, 9000, 20_000).astype("<i2").tobytes()
    assert header(start + noise, LINEAR16, is_all=False) == NO_HEADER


def test_a_header_that_agrees_is_passed_over():
    content = wav(tone())
    assert header(content, LINEAR16, is_all=False) == Header(44, len(content) - 44)
    chunk = b"LIST" + struct.pack("<I", 10) + bytes(10)
    longer = content[:12] + chunk + content[12:]
    assert header(longer, LINEAR16, is_all=False) == Header(44 + len(chunk), len(content) - 44)
    assert header(longer[:40], LINEAR16, is_all=False) is None


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (wav(tone(rate=44_100), 44_100), "LINEAR16 at 44100 Hz, 1 channel$"),
        (wav(np.stack([tone(), tone()], axis=1)), "LINEAR16 at 16000 Hz, 2 channels"),
        (wav(tone(), float32=True), "FLOAT32 at 16000 Hz"),
        (wav(tone())[:30], "without samples"),
    ],
)
def test_a_header_that_disagrees_is_refused(content, says):
    with pytest.raises(AudioError, match=says):
        header(content, LINEAR16, is_all=True)


@pytest.mark.parametrize(("true", "declared"), [(48_000, 16_000), (44_100, 16_000), (16_000, 48_000), (8_000, 24_000)])
def test_a_wrong_rate_is_suspected(true, declared):
    recorded = soxr.resample(conversation(), SAMPLE_RATE, true)
    heard = soxr.resample(recorded, declared, SAMPLE_RATE)
    (notice,) = suspicious_rate(heard, PcmFormat("linear16", declared))
    assert notice.code == "suspicious_sample_rate"
    assert str(true) in notice.message


def test_a_right_rate_is_not():
    assert suspicious_rate(conversation(), LINEAR16) == ()
    assert suspicious_rate(np.zeros(SAMPLE_RATE, np.float32), LINEAR16) == ()
    noise = np.random.default_rng(0).normal(0, 0.1, 30 * SAMPLE_RATE).astype(np.float32)
    assert suspicious_rate(noise, LINEAR16) == ()
    assert pcm16(conversation())[:4] != b"RIFF"

import contextlib
import io
import os
import re
import socket
import sys
import time
import wave
from pathlib import Path

import av
import numpy as np
import psutil
import pytest

from tests.harness.media import encode, tone, wav
from triscribe.errors import AudioError
from triscribe.media import container
from triscribe.media.decoding import decode, decode_channels
from triscribe.types import SAMPLE_RATE


def level(samples):
    return float(np.sqrt(np.mean(np.square(samples[len(samples) // 4 : -len(samples) // 4]))))


@pytest.mark.parametrize(
    ("codec", "container", "rate", "video"),
    [
        ("pcm_s16le", "wav", 44_100, False),
        ("pcm_s24le", "wav", 48_000, False),
        ("pcm_mulaw", "wav", 8_000, False),
        ("flac", "flac", 44_100, False),
        ("libmp3lame", "mp3", 44_100, False),
        ("libopus", "ogg", 48_000, False),
        ("libopus", "webm", 48_000, False),
        ("aac", "adts", 44_100, False),
        ("aac", "mp4", 44_100, True),
        ("aac", "matroska", 48_000, True),
        ("mp2", "mpegts", 48_000, True),
    ],
)
def test_what_people_have(codec, container, rate, video):
    decoded = decode(encode(codec, container, tone(rate=rate), rate, video=video))
    assert decoded.notices == ()
    assert decoded.samples.dtype == np.float32
    assert len(decoded.samples) / SAMPLE_RATE == pytest.approx(2.0, abs=0.08)
    assert level(decoded.samples) == pytest.approx(level(tone()), rel=0.05)
    spectrum = np.abs(np.fft.rfft(decoded.samples))
    assert np.argmax(spectrum) * SAMPLE_RATE / len(decoded.samples) == pytest.approx(440, abs=2)


def test_a_16_khz_wav_comes_out_as_it_went_in():
    np.testing.assert_allclose(decode(wav(tone())).samples, tone(), atol=1 / 32767)


@pytest.mark.parametrize("channels", [2, 3, 6, 8])
def test_equal_channels_mix_to_the_same_level(channels):
    samples = decode(wav(np.repeat(tone()[:, None], channels, axis=1))).samples
    np.testing.assert_allclose(samples, tone(), atol=2e-4)


def test_paths_bytes_and_streams_are_the_same(tmp_path, monkeypatch):
    path = tmp_path / "Odd näme & space.MP3"
    path.write_bytes(wav(tone()))
    expected = decode(path.read_bytes()).samples
    np.testing.assert_array_equal(decode(path).samples, expected)
    np.testing.assert_array_equal(decode(str(path)).samples, expected)
    with path.open("rb") as file:
        file.read(100)
        np.testing.assert_array_equal(decode(file).samples, expected)
        assert not file.closed
    with path.open("rb") as file:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(file))
        np.testing.assert_array_equal(decode(Path("-")).samples, expected)


def test_a_stream_that_cannot_seek():
    reader, writer = os.pipe()
    content = encode("aac", "mp4", tone(rate=44_100), 44_100)  # the index is at the end
    assert len(content) < 65_536  # fits the pipe's buffer
    os.write(writer, content)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        assert len(decode(pipe).samples) == pytest.approx(2 * SAMPLE_RATE, abs=0.08 * SAMPLE_RATE)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"Just some words. " * 50, "not a media file"),
        (wav(tone())[:44], "ends before any audio"),
        (encode("aac", "mp4", tone(rate=44_100), 44_100)[:9000], "not a media file"),
        (wav(tone(), rate=100), "impossible sample rate of 100 Hz"),
        (wav(tone(), rate=2_147_483_647), "impossible sample rate"),
    ],
)
def test_what_is_no_audio(content, reason):
    with pytest.raises(AudioError, match=reason) as caught:
        decode(content)
    assert "\n" not in str(caught.value)


def test_video_without_sound():
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        picture = output.add_stream("mpeg4", rate=10)
        picture.width, picture.height, picture.pix_fmt = 32, 32, "yuv420p"
        for packet in [*picture.encode(av.VideoFrame(32, 32, "yuv420p")), *picture.encode(None)]:
            output.mux(packet)
    with pytest.raises(AudioError, match="no audio track"):
        decode(file.getvalue())


def test_only_regular_files(tmp_path):
    with pytest.raises(AudioError, match="is a directory"):
        decode(tmp_path)
    with pytest.raises(AudioError, match="does not exist"):
        decode(tmp_path / "nothing.wav")
    with pytest.raises(AudioError, match="cannot be opened"):
        decode(Path("a\0b"))
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "fifo")
        with pytest.raises(AudioError, match="is a pipe"):
            decode(tmp_path / "fifo")
        with pytest.raises(AudioError, match="is a device"):
            decode(Path("/dev/zero"))


@pytest.mark.parametrize("address", ["https://example.org/a.mp3", "file:///etc/passwd", "rtsp://example.org/x"])
def test_addresses_are_not_fetched(address):
    for source in (address, Path(address)):
        with pytest.raises(AudioError, match="download it first"):
            decode(source)


def test_text_streams_are_refused():
    with pytest.raises(AudioError, match="binary mode"):
        decode(io.StringIO("text"))  # type: ignore[arg-type]


@pytest.fixture
def neighbour(tmp_path):
    """A good file that playlists point at, and an ear on the network."""
    (tmp_path / "good.wav").write_bytes(wav(tone()))
    return tmp_path / "good.wav"


@pytest.mark.parametrize(
    "playlist",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:2.0,\n{path}\n#EXT-X-ENDLIST\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:2.0,\n{url}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{path}'\n",
        "ffconcat version 1.0\nfile good.wav\n",
        "[playlist]\nFile1={path}\n",
        '<?xml version="1.0"?>\n<MPD><BaseURL>{url}</BaseURL></MPD>',
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
        "\n\nffconcat version 1.0\nfile '{path}'\n",
        "# VobSub index file, v7\n{path}\n",
    ],
)
def test_what_a_file_points_at_stays_closed(playlist, neighbour, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/x.wav"
        script = neighbour.with_name("list.wav")
        script.write_text(playlist.format(path=neighbour, url=url))
        monkeypatch.chdir(neighbour.parent)
        with pytest.raises(AudioError):
            decode(script)
        # Also without the first lock, which goes by how the text begins.
        monkeypatch.setattr("triscribe.media.source._PLAYLIST", re.compile(b"(?!)"))
        with pytest.raises(AudioError):
            decode(script)
        listener.settimeout(0.05)
        with pytest.raises(TimeoutError):
            listener.accept()


def test_every_lock_holds_alone(neighbour, monkeypatch):
    script = neighbour.with_name("list.txt")
    script.write_text("ffconcat version 1.0\nfile good.wav\n")
    monkeypatch.setattr("triscribe.media.source._PLAYLIST", re.compile(b"(?!)"))
    monkeypatch.setattr(container, "_FORMATS", ",".join(av.formats_available))
    with pytest.raises(AudioError):
        decode(script)


@pytest.mark.parametrize(
    ("codec", "container", "keep"), [("pcm_s16le", "wav", 0.5), ("flac", "flac", 0.5), ("libmp3lame", "mp3", 0.5)]
)
def test_a_file_that_ends_early_gives_what_it_has_and_says_so(codec, container, keep):
    content = encode(codec, container, tone(10), SAMPLE_RATE)
    decoded = decode(content[: int(keep * len(content))])
    length = len(decoded.samples) / SAMPLE_RATE
    assert length == pytest.approx(5, abs=1)
    notice = next(notice for notice in decoded.notices if notice.code == "truncated_audio")
    assert notice.start == pytest.approx(length)
    assert notice.end == pytest.approx(10, abs=0.2)


def test_a_wav_from_a_pipe_is_not_cut_off():
    content = bytearray(wav(tone()))
    content[4:8] = content[40:44] = b"\xff\xff\xff\xff"
    assert decode(bytes(content)).notices == ()


def test_a_header_that_promises_a_year_costs_nothing():
    content = bytearray(encode("flac", "flac", tone(), SAMPLE_RATE))
    content[21] |= 0x0F  # the four highest of the 36 bits that count samples
    content[22:26] = b"\xff\xff\xff\xff"
    decoded = decode(bytes(content))
    assert len(decoded.samples) == 2 * SAMPLE_RATE
    assert [notice.code for notice in decoded.notices] == ["truncated_audio"]


def test_damage_in_the_middle_is_reported_and_time_goes_on():
    content = bytearray(encode("flac", "matroska", tone(20), SAMPLE_RATE))
    for at in range(int(len(content) * 0.4), int(len(content) * 0.6), 50):
        content[at] ^= 0xFF
    decoded = decode(bytes(content))
    assert "damaged_audio" in {notice.code for notice in decoded.notices}
    assert len(decoded.samples) / SAMPLE_RATE == pytest.approx(20, abs=1)


def test_a_track_that_starts_after_the_video_keeps_its_place():
    decoded = decode(encode("aac", "matroska", tone(2, 48_000), 48_000, video=True, offset_s=3.0))
    assert np.abs(decoded.samples[: int(2.9 * SAMPLE_RATE)]).max() == 0
    assert level(decoded.samples[int(3.1 * SAMPLE_RATE) :]) > 0.3
    assert len(decoded.samples) / SAMPLE_RATE == pytest.approx(5, abs=0.1)


def test_a_gap_in_the_timestamps_becomes_silence():
    decoded = decode(encode("libopus", "matroska", tone(4, 48_000), 48_000, gap_at=(2, 5)))
    assert len(decoded.samples) / SAMPLE_RATE == pytest.approx(9, abs=0.1)
    assert np.abs(decoded.samples[int(2.2 * SAMPLE_RATE) : int(6.8 * SAMPLE_RATE)]).max() < 0.01


def test_lying_timestamps_add_little():
    decoded = decode(encode("libopus", "matroska", tone(4, 48_000), 48_000, gap_at=(2, 400_000)))
    assert len(decoded.samples) / SAMPLE_RATE < 10


def test_samples_that_are_no_numbers_become_silence():
    samples = tone()
    samples[8000:8010] = np.nan
    samples[9000] = np.inf
    decoded = decode(wav(samples, float32=True))
    assert np.isfinite(decoded.samples).all()
    notice = decoded.notices[0]
    assert notice.code == "invalid_samples"
    assert (notice.start, notice.end) == pytest.approx((0.5, 0.5625), abs=0.001)
    np.testing.assert_allclose(decoded.samples[10_000:], samples[10_000:], atol=1e-6)


def test_a_single_click_beyond_full_scale_is_clipped():
    samples = tone()
    samples[100] = 50.0
    decoded = decode(wav(samples, float32=True))
    assert decoded.notices == ()
    assert decoded.samples[100] == 1.0
    np.testing.assert_allclose(decoded.samples[200:], samples[200:], atol=1e-6)


def test_integers_written_as_float_are_scaled():
    decoded = decode(wav(tone() * 32767, float32=True))
    assert [notice.code for notice in decoded.notices] == ["rescaled_audio"]
    np.testing.assert_allclose(decoded.samples, tone() * 2, atol=1e-4)


def test_the_limit_stops_a_decompression_bomb():
    silence = encode("flac", "flac", np.zeros(600 * SAMPLE_RATE, dtype=np.float32), SAMPLE_RATE)
    assert len(silence) < 500_000
    with pytest.raises(AudioError, match="longer than the 5 s allowed"):
        decode(silence, max_duration_s=5)
    assert len(decode(wav(tone(5)), max_duration_s=5).samples) == 5 * SAMPLE_RATE


def test_rate_and_layout_may_change_on_the_way():
    first = encode("libmp3lame", "mp3", tone(2, 44_100), 44_100)
    second = encode("libmp3lame", "mp3", tone(2, 48_000), 48_000, layout="stereo")
    assert len(decode(first + second).samples) / SAMPLE_RATE == pytest.approx(4, abs=0.3)


def test_memory_is_given_back():
    content = encode("libopus", "ogg", tone(20, 48_000), 48_000)
    for _ in range(5):
        decode(content)
    before = psutil.Process().memory_info().rss
    for _ in range(60):
        decode(content)
    assert psutil.Process().memory_info().rss - before < 20 * 2**20


@pytest.mark.parametrize("seed", range(40))
def test_random_damage_never_crashes_or_hangs(seed):
    rng = np.random.default_rng(seed)
    codec, container, rate = [
        ("pcm_s16le", "wav", 16_000),
        ("libmp3lame", "mp3", 44_100),
        ("aac", "mp4", 44_100),
        ("libopus", "webm", 48_000),
        ("flac", "flac", 16_000),
    ][seed % 5]
    content = np.frombuffer(encode(codec, container, tone(1, rate), rate), dtype=np.uint8).copy()
    places = rng.integers(0, len(content), size=int(rng.integers(1, 40)))
    content[places] = rng.integers(0, 256, size=len(places))
    started = time.monotonic()
    with contextlib.suppress(AudioError):
        assert np.abs(decode(content.tobytes(), max_duration_s=600).samples).max() <= 1.0
    assert time.monotonic() - started < 10


def test_the_wave_module_agrees(tmp_path):
    path = tmp_path / "a.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((tone() * 32767).astype("<i2").tobytes())
    np.testing.assert_allclose(decode(path).samples, tone(), atol=1 / 16384)


def test_channels_are_decoded_apart():
    left, right = tone(frequency=300.0), tone(frequency=1000.0) * 0.5
    for media in (wav(np.stack([left, right], axis=1)), wav(np.stack([left, right], axis=1), float32=True)):
        channels = decode_channels(media)
        assert len(channels) == 2
        for channel, tone_of_it in zip(channels, (left, right), strict=True):
            np.testing.assert_allclose(channel.samples, tone_of_it, atol=1e-4)
    (mono,) = decode_channels(wav(left))
    np.testing.assert_array_equal(mono.samples, decode(wav(left)).samples)


def test_a_quiet_channel_hears_nothing_of_the_other_at_any_rate():
    loud = tone(rate=44_100)
    silent, heard = decode_channels(wav(np.stack([np.zeros_like(loud), loud], axis=1), 44_100))
    assert not silent.samples.any()
    assert len(silent.samples) == len(heard.samples) == 2 * SAMPLE_RATE


def test_too_many_channels_are_refused():
    with pytest.raises(AudioError, match="channels"):
        decode_channels(wav(np.zeros((SAMPLE_RATE, 12), np.float32)))

"""Media that mean harm: mutations of real files, headers that lie, bombs, and files that point elsewhere."""

from __future__ import annotations

import io
import random
import struct
import wave
from collections.abc import Iterator

import av
import numpy as np

from triscribe.types import SAMPLE_RATE

CONTAINERS = (
    *(("pcm_s16le", "wav"), ("flac", "flac"), ("libopus", "ogg"), ("flac", "ogg"), ("libmp3lame", "mp3")),
    *(("aac", "mp4"), ("aac", "adts"), ("aac", "mpegts"), ("libopus", "webm"), ("flac", "matroska")),
    *(("pcm_s16be", "aiff"), ("pcm_s16be", "au"), ("alac", "mov"), ("pcm_s16le", "caf"), ("wmav2", "asf")),
)
"""(codec, container) of the seeds: what PyAV's own ffmpeg writes."""


def encoded(codec: str, container: str, seconds: float, *, silent: bool = False) -> bytes:
    """A tone, or silence, as a media file; 48 kHz, since Opus knows no other of the usual rates."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=48_000, layout="mono")
        stream.bit_rate = 64_000
        for second in range(max(1, int(seconds))):
            tone = (0 if silent else 8000) * np.sin((np.arange(48_000) + second * 48_000) / 17)
            frame = av.AudioFrame.from_ndarray(tone.astype(np.int16)[np.newaxis], "s16", "mono")
            frame.sample_rate, frame.pts = 48_000, second * 48_000
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return file.getvalue()


def seeds() -> dict[str, bytes]:
    """Two seconds in each container."""
    return {f"{container}/{codec}": encoded(codec, container, 2) for codec, container in CONTAINERS}


def mutated(rng: random.Random, corpus: list[bytes]) -> bytes:
    """One of the corpus with flipped bits, cut, spliced with another, or with numbers of its header replaced."""
    data = bytearray(rng.choice(corpus))
    for _ in range(rng.randint(1, 4)):
        kind = rng.randrange(5)
        # Headers decide more than samples do.
        place = rng.randrange(min(len(data), 512) if rng.random() < 0.7 else len(data)) if data else 0
        if not data:
            break
        if kind == 0:
            for _ in range(rng.randint(1, 16)):
                data[min(len(data) - 1, place + rng.randrange(64))] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del data[rng.randrange(len(data)) :]
        elif kind == 2:
            other = rng.choice(corpus)
            start = rng.randrange(len(other))
            data[place:place] = other[start : start + rng.randint(1, 4096)]
        elif kind == 3:
            number = rng.choice([0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, rng.getrandbits(32)])
            data[place : place + 4] = number.to_bytes(4, rng.choice(("little", "big")))
        else:
            end = min(len(data), place + rng.randint(1, 1024))
            data[place:place] = data[place:end] * rng.randint(1, 8)
    return bytes(data)


def lying_wav(*, channels: int = 1, rate: int = SAMPLE_RATE, bits: int = 16, data_size: int = 0xFFFFFFF0) -> bytes:
    """A WAV of half a second whose header says otherwise."""
    align = max(1, channels * bits // 8) & 0xFFFF
    fmt = struct.pack("<HHIIHH", 1, channels & 0xFFFF, rate, (rate * align) & 0xFFFFFFFF, align, bits)
    body = bytes(16_000)
    head = b"RIFF" + struct.pack("<I", 0xFFFFFFFF) + b"WAVEfmt " + struct.pack("<I", 16) + fmt
    return head + b"data" + struct.pack("<I", data_size) + body


def lying() -> Iterator[tuple[str, bytes]]:
    """Declared durations, rates, channel counts and sizes that nothing stands behind."""
    for channels in (0, 255, 65_535):
        yield f"wav of {channels} channels", lying_wav(channels=channels)
    for rate in (0, 1, 0x7FFFFFFF, 0xFFFFFFFF):
        yield f"wav of {rate} Hz", lying_wav(rate=rate)
    for bits in (0, 1, 64, 65_535):
        yield f"wav of {bits} bits", lying_wav(bits=bits)
    mp4 = encoded("aac", "mp4", 2)
    for box, offset in ((b"mvhd", 16), (b"mdhd", 16), (b"stsz", 8), (b"stco", 8), (b"stts", 8)):
        at = mp4.find(box) + 4 + offset
        for value in (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0"):
            yield f"mp4 with {box.decode()} {value.hex()}", mp4[:at] + value + mp4[at + 4 :]
    mkv = encoded("flac", "matroska", 2)
    at = mkv.find(b"\x44\x89\x88") + 3  # Duration, a float of 8 bytes
    for number in (1e300, float("nan"), -1.0):
        yield f"mkv lasting {number} ms", mkv[:at] + struct.pack(">d", number) + mkv[at + 8 :]
    yield "flac of 2^36 samples", _flac_of(2**36 - 1)


def _flac_of(samples: int) -> bytes:
    flac = bytearray(encoded("flac", "flac", 2))
    word = int.from_bytes(flac[18:26], "big") & ~(2**36 - 1) | samples
    flac[18:26] = word.to_bytes(8, "big")
    return bytes(flac)


def bombs(hours: float) -> Iterator[tuple[str, bytes]]:
    """Hours of silence in few bytes: a stretch of packets again and again, as each format allows it."""
    times = int(hours * 3600 / 10)
    flac = encoded("flac", "flac", 10, silent=True)
    yield "flac chained", flac * times
    yield "mp3 of silence", encoded("libmp3lame", "mp3", 10, silent=True) * times
    yield "ogg chained", encoded("libopus", "ogg", 10, silent=True) * times
    yield "adts of silence", encoded("aac", "adts", 10, silent=True) * times
    low = io.BytesIO()
    with wave.open(low, "wb") as writer:  # 1 kHz, 8 bits: 64 bytes of samples come out of each that goes in
        writer.setnchannels(1)
        writer.setsampwidth(1)
        writer.setframerate(1000)
        writer.writeframes(b"\x80" * int(hours * 3600 * 1000))
    yield "wav of 1 kHz", low.getvalue()


def referring(path: str, url: str) -> Iterator[tuple[str, bytes]]:
    """Everything that ffmpeg would follow: to `path`, a good file, to `url` (HOST:PORT), to devices."""
    targets = {
        "file": path,
        "file:": f"file:{path}",
        "file://": f"file://{path}",
        "http": f"http://{url}/a.wav",
        "tcp": f"tcp://{url}",
        "udp": f"udp://{url}",
        "rtmp": f"rtmp://{url}/a",
        "concat:": f"concat:{path}|{path}",
        "subfile:": f"subfile,,start,0,end,0,,:{path}",
        "crypto:": f"crypto:{path}",
        "cache:": f"cache:{path}",
        "async:": f"async:http://{url}/a.wav",
        "data:": "data:audio/wav;base64,UklGRg==",
        "device": "/dev/zero",
        "pipe:": "pipe:0",
        "fd:": "fd:0",
    }
    for name, target in targets.items():
        for before in ("", "\n \n", "\0"):
            note = repr(before)[1:-1]
            yield (
                f"m3u8 to {name} {note}",
                f"{before}#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:2.0,\n{target}\n".encode(),
            )
            yield f"ffconcat to {name} {note}", f"{before}ffconcat version 1.0\nfile '{target}'\n".encode()
            yield f"pls to {name} {note}", f"{before}[playlist]\nFile1={target}\n".encode()
        yield f"m3u8 map to {name}", f'#EXTM3U\n#EXT-X-MAP:URI="{target}"\n#EXTINF:2,\n{target}\n'.encode()
        yield (
            f"dash to {name}",
            (f'<?xml version="1.0"?>\n<MPD><Period><BaseURL>{target}</BaseURL></Period></MPD>').encode(),
        )
        yield f"mov reference to {name}", _mov_reference(target)
        yield f"vobsub to {name}", f"# VobSub index file, v7\n{target}\n".encode()
    yield "sdp", b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n"
    yield "lavfi", b"amovie=" + path.encode()


def _mov_reference(target: str) -> bytes:
    """A QuickTime file whose samples lie in another one (an external data reference)."""
    mov = encoded("pcm_s16le", "mov", 2)
    at = mov.find(b"url \0\0\0\1")
    if at < 0:
        return mov
    return mov[:at] + b"url \0\0\0\0" + target.encode()[:8].ljust(8, b"\0") + mov[at + 8 :]

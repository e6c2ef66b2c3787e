import numpy as np
import pytest

from triscribe.media.decoding import Decoded
from triscribe.speech import vad
from triscribe.speech.chunking import ChunkingOptions
from triscribe.speech.chunks import Sound, Speech, with_sounds
from triscribe.types import SAMPLE_RATE, Span

RNG = np.random.default_rng(3)


def audio(*stretches):
    """Samples: ("song", s) moves as voices do, ("hiss", s) is loud and steady, ("quiet", s) is nothing."""
    parts = []
    for kind, seconds in stretches:
        times = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
        noise = RNG.normal(0, 0.1, len(times))
        levels = {"song": 1 + np.sin(2 * np.pi * times), "hiss": np.ones_like(times), "quiet": np.zeros_like(times)}
        parts.append(noise * levels[kind])
    return np.concatenate(parts).astype(np.float32)


def spans(*seconds):
    return [Span(round(start * SAMPLE_RATE), round(end * SAMPLE_RATE)) for start, end in seconds]


def seen(samples, speech):
    """Parts in seconds, each sound with the speech in it."""
    found: list[tuple[object, ...]] = []
    for part in with_sounds(samples, speech):
        if isinstance(part, Sound):
            inside = [(span.start / SAMPLE_RATE, span.end / SAMPLE_RATE) for span in part.speech]
            found.append(("sound", part.span.start / SAMPLE_RATE, part.span.end / SAMPLE_RATE, inside))
        else:
            found.append((part.start / SAMPLE_RATE, part.end / SAMPLE_RATE))
    return found


@pytest.mark.parametrize(
    ("stretches", "speech", "expected"),
    [
        ([("song", 20)], [], [("sound", 0, 20, [])]),
        ([("hiss", 20)], [], []),
        ([("quiet", 20)], [(2, 4), (9, 12)], [(2, 4), (9, 12)]),
        ([("song", 1.5), ("quiet", 18)], [(5, 6)], [(5, 6)]),
        ([("song", 40)], [(5, 7), (12, 14)], [("sound", 0, 40, [(5, 7), (12, 14)])]),
        ([("song", 40)], [(5, 7), (8, 10), (14, 16)], [("sound", 0, 40, [(5, 7), (8, 10), (14, 16)])]),
        ([("song", 40)], [(5, 30)], [("sound", 0, 5, []), (5, 30), ("sound", 30, 40, [])]),
        (
            [("song", 5), ("quiet", 35)],
            [(5, 8), (8.5, 11), (11.2, 14)],
            [("sound", 0, 5, []), (5, 8), (8.5, 11), (11.2, 14)],
        ),
        ([("song", 5), ("quiet", 35)], [(5, 8), (20, 22)], [("sound", 0, 5, []), (5, 8), (20, 22)]),
        ([("quiet", 20), ("song", 20)], [(17, 20), (30, 31)], [("sound", 17, 40, [(17, 20), (30, 31)])]),
        ([("quiet", 20), ("song", 20)], [(3, 5), (17, 20)], [(3, 5), ("sound", 17, 40, [(17, 20)])]),
    ],
)
def test_sounds_and_the_speech_beside_them(stretches, speech, expected):
    assert seen(audio(*stretches), spans(*speech)) == expected


def test_chunks_of_a_sound_tell_what_is_surely_speech_in_them(monkeypatch):
    samples = audio(("quiet", 10), ("song", 60))
    monkeypatch.setattr(vad, "spans_as_found", lambda _samples, _options: iter(spans((2, 4), (40, 43))))
    chunks = list(Speech(Decoded(samples), "-", vad.VadOptions()).chunks(ChunkingOptions()))
    assert [chunk.index for chunk in chunks] == list(range(len(chunks)))
    assert (chunks[0].start, chunks[0].end, chunks[0].sure) == (2, 4, None)
    sounds = chunks[1:]
    assert all(chunk.sure is not None and chunk.duration <= 30 for chunk in sounds)
    assert sounds[0].start == 10
    assert sounds[-1].end == 70
    sure = [
        (chunk.start + span.start / SAMPLE_RATE, chunk.start + span.end / SAMPLE_RATE)
        for chunk in sounds
        for span in chunk.sure or ()
    ]
    assert sum(end - start for start, end in sure) == pytest.approx(3)


def test_without_voice_detection_all_is_speech():
    samples = audio(("song", 40))
    chunks = list(Speech(Decoded(samples), "-", None).chunks(ChunkingOptions()))
    assert all(chunk.sure is None for chunk in chunks)
    assert sum(chunk.duration for chunk in chunks) == pytest.approx(40)

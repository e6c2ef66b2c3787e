"""Sounds without a word in them, made anew from a seed: silence, noise, music, applause, the tones of a telephone.

Every generator gives float32 at 16 kHz in [-1, 1], shape (n,), equal for equal arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.signal import lfilter

from triscribe.types import SAMPLE_RATE, Samples

SEED = 20


def _empty(seconds: float) -> Samples:
    return np.zeros(round(seconds * SAMPLE_RATE), np.float32)


def _levelled(samples: Samples, peak: float) -> Samples:
    """With its 99.9th percentile at `peak`; what is louder is clipped, as by a converter."""
    loud = float(np.percentile(np.abs(samples), 99.9))
    levelled: Samples = np.clip(samples * (peak / loud), -1, 1).astype(np.float32)
    return levelled


def _add(track: Samples, start_s: float, sound: Samples) -> None:
    first = round(start_s * SAMPLE_RATE)
    part = sound[: len(track) - first]
    track[first : first + len(part)] += part


def digital_silence(seconds: float) -> Samples:
    """Zeros."""
    return _empty(seconds)


def room_silence(seconds: float) -> Samples:
    """The hiss of a quiet room and a trace of mains hum, at -60 dBFS."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    hiss = np.random.default_rng(SEED).normal(0, 1, len(time))
    return _levelled((hiss + 0.5 * np.sin(2 * np.pi * 50 * time)).astype(np.float32), 10 ** (-60 / 20))


def white_noise(seconds: float) -> Samples:
    """Equal power at all frequencies."""
    rng = np.random.default_rng(SEED)
    return _levelled(rng.normal(0, 1, round(seconds * SAMPLE_RATE)).astype(np.float32), 0.3)


def pink_noise(seconds: float) -> Samples:
    """Power falls as 1/f: the filter of Kellet (musicdsp.org, "pink noise filter", economy version)."""
    white = np.random.default_rng(SEED).normal(0, 1, round(seconds * SAMPLE_RATE))
    poles = ((0.99765, 0.0990460), (0.96300, 0.2965164), (0.57000, 1.0526913))
    pink = sum(lfilter([gain], [1, -pole], white) for pole, gain in poles) + 0.1848 * white
    return _levelled(pink.astype(np.float32), 0.3)


_MAJOR, _MINOR = (0, 4, 7), (0, 3, 7)
_SCALE = (0, 2, 4, 5, 7, 9, 11)
_PROGRESSION = ((0, _MAJOR), (9, _MINOR), (5, _MAJOR), (7, _MAJOR))
"""I vi IV V, semitones above the tonic."""


def _note(semitone: float, length_s: float, partials: int = 8) -> Samples:
    """A plucked string: harmonics that fade the sooner the higher they are; semitones count from the A of 220 Hz."""
    time = np.arange(round(length_s * SAMPLE_RATE)) / SAMPLE_RATE
    base = 220 * 2 ** (semitone / 12)
    tone = sum(
        np.sin(2 * np.pi * base * n * time) * np.exp(-time * (1.5 + 0.8 * n)) / n
        for n in range(1, partials + 1)
        if base * n < SAMPLE_RATE / 2
    )
    return (np.minimum(time / 0.005, 1) * tone).astype(np.float32)


def arpeggios(seconds: float) -> Samples:
    """Broken chords over a held bass, 100 beats a minute."""
    track, eighth = _empty(seconds), 0.3
    rng = np.random.default_rng(SEED)
    for beat in range(int(seconds / eighth)):
        root, chord = _PROGRESSION[beat // 8 % 4]
        if beat % 8 == 0:
            _add(track, beat * eighth, _note(root - 24, 8 * eighth))
        _add(track, beat * eighth, (0.6 + 0.4 * rng.random()) * _note(root + chord[beat % 3] + 12 * (beat % 2), 0.9))
    return _levelled(track, 0.5)


def band(seconds: float) -> Samples:
    """A melody that wanders up and down the scale with vibrato, chords under it, kick, snare and hi-hat."""
    track, beat_s = _empty(seconds), 0.5
    rng = np.random.default_rng(SEED)
    degree = 7
    for beat in range(int(seconds / beat_s)):
        start = beat * beat_s
        root, chord = _PROGRESSION[beat // 4 % 4]
        if beat % 4 == 0:
            for step in chord:
                _add(track, start, 0.4 * _note(root + step - 12, 4 * beat_s))
        for half in range(int(rng.integers(1, 3))):
            degree = int(np.clip(degree + rng.integers(-2, 3), 0, 13))
            _add(track, start + half * beat_s / 2, _lead(12 * (degree // 7) + _SCALE[degree % 7], beat_s * 0.9))
        _add(track, start, _drum(rng, "kick" if beat % 2 == 0 else "snare"))
        for half in (0, 1):
            _add(track, start + half * beat_s / 2, _drum(rng, "hat"))
    return _levelled(track, 0.5)


def _lead(semitone: int, length_s: float) -> Samples:
    """A reed: odd harmonics, vibrato of 5 Hz, much like a sung vowel."""
    time = np.arange(round(length_s * SAMPLE_RATE)) / SAMPLE_RATE
    phase = 2 * np.pi * 220 * 2 ** (semitone / 12) * time + 0.3 * np.sin(2 * np.pi * 5 * time)
    tone = sum(np.sin(n * phase) / n for n in (1, 2, 3, 5, 7))
    envelope = np.minimum(1, np.minimum(time / 0.03, (length_s - time) / 0.05))
    lead: Samples = (0.5 * envelope * tone).astype(np.float32)
    return lead


def _drum(rng: np.random.Generator, kind: str) -> Samples:
    time = np.arange(round(0.2 * SAMPLE_RATE)) / SAMPLE_RATE
    if kind == "kick":
        sweep = np.sin(2 * np.pi * 55 * time + 8 * np.exp(-40 * time))
        drum: Samples = (1.5 * sweep * np.exp(-18 * time)).astype(np.float32)
        return drum
    noise = rng.normal(0, 1, len(time))
    if kind == "snare":
        return (0.5 * noise * np.exp(-22 * time)).astype(np.float32)
    return (0.15 * np.diff(noise, prepend=0) * np.exp(-60 * time)).astype(np.float32)


def applause(seconds: float) -> Samples:
    """Sixty people who clap three times a second each: short bursts through a resonance of their own (Poisson)."""
    rng = np.random.default_rng(SEED)
    track = _empty(seconds)
    time = np.arange(round(0.03 * SAMPLE_RATE)) / SAMPLE_RATE
    people = []
    for _ in range(60):
        centre, radius = rng.uniform(800, 2800), 0.93
        angle = 2 * np.pi * centre / SAMPLE_RATE
        burst = rng.normal(0, 1, len(time)) * np.exp(-time * rng.uniform(120, 300))
        people.append(rng.uniform(0.2, 1) * lfilter([1], [1, -2 * radius * np.cos(angle), radius**2], burst))
    for start in np.sort(rng.uniform(0, seconds, rng.poisson(3 * len(people) * seconds))):
        _add(track, float(start), people[int(rng.integers(len(people)))].astype(np.float32))
    return _levelled(track, 0.5)


def _tones(seconds: float, pairs: Sequence[tuple[float, float, tuple[float, ...]]]) -> Samples:
    """(sound, pause, frequencies) in seconds and Hz, again and again."""
    track, at, turn = _empty(seconds), 0.0, 0
    while at < seconds:
        on_s, off_s, frequencies = pairs[turn % len(pairs)]
        time = np.arange(round(min(on_s, seconds - at) * SAMPLE_RATE)) / SAMPLE_RATE
        _add(track, at, sum(0.2 * np.sin(2 * np.pi * f * time) for f in frequencies).astype(np.float32))  # type: ignore[union-attr]
        at, turn = at + on_s + off_s, turn + 1
    return track


def dial_tone(seconds: float) -> Samples:
    """Of North America: 350 and 440 Hz without end (ITU-T E.180)."""
    return _tones(seconds, [(seconds, 0.0, (350, 440))])


def busy_tone(seconds: float) -> Samples:
    """480 and 620 Hz, half a second on and off."""
    return _tones(seconds, [(0.5, 0.5, (480, 620))])


def ringing(seconds: float) -> Samples:
    """440 and 480 Hz, two seconds on, four off."""
    return _tones(seconds, [(2.0, 4.0, (440, 480))])


def dtmf(seconds: float) -> Samples:
    """Numbers that somebody dials, digit after digit (ITU-T Q.23)."""
    rng = np.random.default_rng(SEED)
    rows, columns = (697, 770, 852, 941), (1209, 1336, 1477)
    digits = [
        (0.1, 2.0 if n % 11 == 10 else 0.1, (rows[int(rng.integers(4))], columns[int(rng.integers(3))]))
        for n in range(200)
    ]
    return _tones(seconds, digits)


def hold_melody(seconds: float) -> Samples:
    """The music box of a waiting loop: one thin voice, eight bars again and again."""
    track, beat_s = _empty(seconds), 0.4
    melody = (12, 16, 19, 16, 17, 14, 11, 14, 12, 9, 12, 16, 14, 11, 7, 11)
    for beat in range(int(seconds / beat_s)):
        _add(track, beat * beat_s, _note(melody[beat % len(melody)], 0.8, partials=3))
    return _levelled(track, 0.3)


Generator = Callable[[float], Samples]

SOUNDS: dict[str, dict[str, Generator]] = {
    "silence": {"digital": digital_silence, "room": room_silence},
    "noise": {"white": white_noise, "pink": pink_noise},
    "music": {"arpeggios": arpeggios, "band": band},
    "applause": {"applause": applause},
    "hold tones": {
        "dial": dial_tone,
        "busy": busy_tone,
        "ringing": ringing,
        "DTMF": dtmf,
        "melody": hold_melody,
    },
}
"""Kind → its sounds, which share its minutes equally."""


def of_kind(kind: str, seconds: float) -> Samples:
    """So many seconds of a kind, its sounds one after the other."""
    generators = SOUNDS[kind].values()
    return np.concatenate([generate(seconds / len(generators)) for generate in generators])

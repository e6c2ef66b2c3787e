"""Speech of espeak-ng with the time of every word's start: a ruler for languages without hand-labelled recordings.

Synthetic speech is clearer and more even than people; what is measured on it is an estimate.
"""

from __future__ import annotations

import ctypes
import io
import wave
from dataclasses import dataclass

import espeakng_loader
import numpy as np

from triscribe.media import decoding
from triscribe.types import Samples

_SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS
_WORD, _END = 1, 0  # espeakEVENT_WORD, espeakEVENT_LIST_TERMINATED
_UTF8 = 1  # espeakCHARS_UTF8


class _Event(ctypes.Structure):
    """espeak_EVENT of speak_lib.h."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@dataclass(frozen=True)
class Utterance:
    """Samples at 16 kHz, shape (n,), and (position of the word in the text in characters, start in seconds)."""

    text: str
    samples: Samples
    starts: tuple[tuple[int, float], ...]


class Espeak:
    """The library; one in a process."""

    def __init__(self) -> None:
        espeakng_loader.load_library()
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        self._rate = self._library.espeak_Initialize(_SYNCHRONOUS, 0, espeakng_loader.get_data_path().encode(), 0)
        self._pcm: list[bytes] = []
        self._events: list[tuple[int, float]] = []
        self._callback = _CALLBACK(self._take)  # kept: the library does not
        self._library.espeak_SetSynthCallback(self._callback)

    def _take(self, samples: ctypes._Pointer[ctypes.c_short], count: int, events: ctypes._Pointer[_Event]) -> int:
        if samples and count:
            self._pcm.append(ctypes.string_at(samples, count * 2))
        index = 0
        while events[index].type != _END:
            if events[index].type == _WORD:
                self._events.append((events[index].text_position - 1, events[index].audio_position / 1000))
            index += 1
        return 0

    def say(self, text: str, voice: str, *, pause_s: float = 0.3) -> Utterance:
        """Speak with a voice ("cmn", "de", ...), `pause_s` of silence on both sides."""
        self._pcm, self._events = [], []
        if self._library.espeak_SetVoiceByName(voice.encode()):
            raise ValueError(f"espeak-ng has no voice {voice!r}")
        data = text.encode()
        self._library.espeak_Synth(data, ctypes.c_size_t(len(data) + 1), 0, 0, 0, _UTF8, None, None)
        self._library.espeak_Synchronize()
        buffer = io.BytesIO()
        with wave.open(buffer, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(self._rate)
            file.writeframes(b"".join(self._pcm))
        samples = decoding.decode(buffer.getvalue()).samples
        silence = np.zeros(int(pause_s * 16_000), np.float32)
        starts = tuple((position, start + pause_s) for position, start in self._events)
        return Utterance(text, np.concatenate([silence, samples, silence]), starts)

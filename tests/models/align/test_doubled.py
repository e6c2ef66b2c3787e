"""A sentence written twice: the real aligner tells whether it was said once or twice, also in an echoing room."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.signal import fftconvolve

from tests.harness.marks import needs_data
from tests.harness.paths import DATA
from triscribe.media import decoding
from triscribe.types import SAMPLE_RATE
from triscribe_transcribe.repetition import written_twice
from triscribe_transcribe.result import Word

if TYPE_CHECKING:
    from triscribe.types import Samples
    from triscribe_align.service import Aligner

PAUSE_S = 0.4
RECORDINGS = (
    "ls_test-other_367-130732-0009.flac",
    "ls_test-other_3005-163389-0002.flac",
    "ls_test-other_1688-142285-0002.flac",
    "ls_test-other_3331-159605-0007.flac",
)


def in_a_room(samples: Samples) -> Samples:
    """With an echo that is gone after 0.6 s."""
    random = np.random.default_rng(0)
    length = np.arange(int(0.6 * SAMPLE_RATE)) / SAMPLE_RATE
    response = random.standard_normal(len(length)) * np.exp(-length / 0.12)
    response[0] = 4.0
    echoing = fftconvolve(samples, response)[: len(samples)]
    echoing *= 0.3 / np.abs(echoing).max()
    return np.asarray(echoing, np.float32)


def timed(aligner: Aligner, samples: Samples, text: str) -> list[Word]:
    words = text.split()
    found = aligner.align(samples, words, "en")
    return [Word(w, t.start, t.end, t.probability, t.timing) for w, t in zip(words, found, strict=True)]


@needs_data
@pytest.mark.parametrize("is_echoing", [False, True])
@pytest.mark.parametrize("said", [1, 2])
@pytest.mark.parametrize("name", RECORDINGS)
def test_the_audio_tells_how_often_it_was_said(aligner, name, said, is_echoing):
    entries = json.loads((DATA / "asr" / "manifest.json").read_text())
    text = next(entry["text"] for entry in entries if entry["audio"] == name)
    samples = decoding.decode(DATA / "asr" / name).samples
    pause = np.zeros(int(PAUSE_S * SAMPLE_RATE), np.float32)
    samples = np.concatenate([samples, pause] * said)
    samples = in_a_room(samples) if is_echoing else samples
    alone = timed(aligner, samples, text)
    (copy,) = written_twice(timed(aligner, samples, f"{text} {text}"))
    assert copy.is_better_once(alone) == (said == 1)

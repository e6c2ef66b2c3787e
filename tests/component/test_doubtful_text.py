"""Recordings after public reports about lost, invented and repeated text: what the pipeline makes of them."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from benchmarks.speed.inprocess import InProcess

from tests.harness.paths import DATA
from tests.harness.sounds import of_kind
from triscribe.media import decoding
from triscribe.speech.chunking import cut
from triscribe.speech.vad import speech_spans
from triscribe.types import SAMPLE_RATE, Chunk, Samples

REPORTS = DATA / "reports"

pytestmark = pytest.mark.skipif(not REPORTS.is_dir(), reason=f"no development data in {REPORTS}")


@pytest.fixture(scope="module")
def pipeline(base_folder):
    return InProcess("base", base_folder, aligner=True)


def read(name: str) -> Samples:
    return decoding.decode(REPORTS / name).samples


def chunks_of(samples: Samples, *, voice_detection: bool = True) -> list[Chunk]:
    return cut(samples, speech_spans(samples) if voice_detection else None)


def transcribe(pipeline: InProcess, chunks: list[Chunk], **options: Any) -> list[dict[str, Any]]:
    return asyncio.run(pipeline.transcribe(chunks, {"language": "en", **options}))


def words_of(results: list[dict[str, Any]]) -> list[str]:
    text = " ".join(segment["text"] for result in results for segment in result["segments"])
    return [word.strip(".,!?").casefold() for word in text.split()]


@pytest.mark.parametrize("voice_detection", [True, False])
def test_yes_forty_times(pipeline, voice_detection):
    results = transcribe(pipeline, chunks_of(read("r15_yes40.flac"), voice_detection=voice_detection))
    words = words_of(results)
    assert set(words) == {"yes"}
    assert 34 <= len(words) <= 42
    assert not any(warning["code"] == "text_left_out" for result in results for warning in result["warnings"])


@pytest.mark.parametrize("voice_detection", [True, False])
def test_a_blip_after_silence_says_nothing(pipeline, voice_detection):
    results = transcribe(pipeline, chunks_of(read("r10_tail_40ms.flac"), voice_detection=voice_detection))
    assert words_of(results)[-1] == "cards"


@pytest.mark.parametrize(
    ("language", "prompt"),
    [
        ("en", "The assistant is called Jarvix."),
        ("de", "Der Assistent heißt Jarvix."),
        ("ja", "アシスタントの名前はジャービスです。"),
    ],
)
def test_noise_is_not_answered_with_the_prompt(pipeline, language, prompt):
    chunks = chunks_of(read("r17_noise_prompt_novad.flac"), voice_detection=False)
    assert words_of(transcribe(pipeline, chunks, language=language, initial_prompt=prompt)) == []


def test_dense_speech_is_more_than_a_few_words(pipeline):
    results = transcribe(pipeline, chunks_of(read("r16_dense_30s.flac")))
    missing = any(warning["code"] == "speech_not_transcribed" for result in results for warning in result["warnings"])
    assert len(words_of(results)) > 60 or missing


def test_other_batch_mates_change_nothing(pipeline):
    """Here the ladder is climbed, and all of it has to give the same text again."""
    samples = read("r20_no_pause.flac")
    chunk, mates = [Chunk(0, 0.0, samples[: 4 * SAMPLE_RATE])], chunks_of(read("r10_tail_40ms.flac"))
    steps = {"temperature": [0.4, 0.8], "log_prob_threshold": 0.0, "no_speech_threshold": 1.0}
    alone = transcribe(pipeline, chunk, **steps)
    assert {segment["temperature"] for segment in alone[0]["segments"]} <= {0.4, 0.8}
    assert transcribe(pipeline, [*mates, *chunk], **steps)[-1:] == alone


@pytest.mark.parametrize("seconds", [3.0, 12.0])
def test_silence_with_a_click_is_empty(pipeline, seconds):
    samples = np.zeros(round(seconds * SAMPLE_RATE), np.float32)
    samples[SAMPLE_RATE : SAMPLE_RATE + 320] = of_kind("noise", 0.02)[:320]
    assert words_of(transcribe(pipeline, chunks_of(samples, voice_detection=False))) == []

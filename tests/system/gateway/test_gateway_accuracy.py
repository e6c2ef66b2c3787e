"""Live finals against the offline text, on read sentences of several speakers joined into one stream."""

import asyncio
import json

import jiwer
import numpy as np
from whisper_normalizer.english import EnglishTextNormalizer

from tests.harness.audio import pcm16
from tests.harness.marks import needs_data
from tests.harness.paths import DATA
from triscribe.client import LiveEnd, LiveOptions, PcmFormat, RecognitionOptions
from triscribe.media import decoding
from triscribe.types import SAMPLE_RATE

UTTERANCES = 12
PAUSE_S = 0.8
MOST_POINTS = 3.0
normalise = EnglishTextNormalizer()


def joined() -> tuple[np.ndarray, str]:
    manifest = json.loads((DATA / "asr" / "manifest.json").read_text())
    chosen = [item for item in manifest if item["lang"] == "en" and item["audio"].startswith("ls_")][::4][:UTTERANCES]
    pause = np.zeros(round(PAUSE_S * SAMPLE_RATE), np.float32)
    parts = [part for item in chosen for part in (decoding.decode(DATA / "asr" / item["audio"]).samples, pause)]
    return np.concatenate(parts), " ".join(item["text"] for item in chosen)


@needs_data
async def test_live_is_at_most_three_points_worse_than_the_file(client):
    samples, reference = joined()
    options = RecognitionOptions(language="en", pcm=PcmFormat())
    offline = await client.transcribe(pcm16(samples), options)

    async def speak():
        data = pcm16(samples)
        for start in range(0, len(data), 3200):
            yield data[start : start + 3200]
            await asyncio.sleep(0.03)

    async for event in client.stream(speak(), options, LiveOptions(interims=True)):
        last = event
    assert isinstance(last, LiveEnd)
    offline_wer, live_wer = (
        100 * jiwer.wer(normalise(reference), normalise(text)) for text in (offline.text, last.transcript.text)
    )
    assert live_wer <= offline_wer + MOST_POINTS, f"live {live_wer:.1f} %, offline {offline_wer:.1f} %"

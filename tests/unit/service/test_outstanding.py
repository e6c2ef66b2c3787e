"""How much audio a gateway says is still to be worked on."""

from __future__ import annotations

import io
import wave

import numpy as np
import pytest

from triscribe.gateway.grpc import upload
from triscribe.media import decoding
from triscribe.service.calls import Call, CallInterceptor
from triscribe.service.limits import CallLimits
from triscribe.service.metrics import Metrics


def wav(length_s: float) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(np.zeros(round(length_s * 16_000), np.int16).tobytes())
    return buffer.getvalue()


def test_the_sum_over_the_open_calls():
    metrics = Metrics()
    calls = CallInterceptor(None, CallLimits(9, 9), metrics)

    def outstanding(work: str) -> float | None:
        return metrics.registry.get_sample_value("triscribe_gateway_outstanding_audio_seconds", {"work": work})

    assert outstanding("text") == outstanding("speakers") == 0.0
    first, second = Call("UploadRecognize", "1"), Call("Recognize", "2")
    calls._open = {object(): first, object(): second}  # type: ignore[dict-item]
    first.outstanding_s = {"text": 60.0, "speakers": 30.0}
    second.outstanding_s = {"text": 5.0}
    assert (outstanding("text"), outstanding("speakers")) == (65.0, 30.0)
    calls._open.clear()
    assert outstanding("text") == 0.0


def test_an_upload_counts_down_with_its_progress():
    progress = upload._Progress({"text": 0.0, "speakers": 0.0}, length_s=100.0)
    progress.move("text", 0.25)
    assert progress.outstanding_s() == {"text": 75.0, "speakers": 100.0}


@pytest.mark.parametrize("length_s", [0.5, 61.0])
def test_the_header_tells_the_length(length_s):
    assert decoding.declared_length_s(wav(length_s)) == pytest.approx(length_s, abs=0.01)


def test_a_file_that_does_not_tell_is_guessed_from_its_size():
    assert decoding.declared_length_s(b"no media" * 100) == 0.0
    file = io.BytesIO(b"no media" * 1000)
    assert upload._length_s(file, 8000) == 8000 / upload._GUESSED_BYTES_PER_S
    assert file.tell() == 0

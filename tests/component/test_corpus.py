"""Odd and broken files from other projects' test suites."""

import contextlib
import json
import time

import numpy as np
import pytest

from tests.harness.marks import needs_data
from tests.harness.paths import DATA
from triscribe.errors import AudioError
from triscribe.media.decoding import decode

MEDIA = DATA / "media"
MANIFEST = MEDIA / "manifest.json"
CASES = json.loads(MANIFEST.read_text()) if MANIFEST.exists() else []


@needs_data
@pytest.mark.timeout(60)
@pytest.mark.parametrize("case", CASES or [None], ids=[case["file"] for case in CASES] or ["all"])
def test_as_the_manifest_expects(case):
    started = time.monotonic()
    if case["expect"] == "error" and not case.get("ambiguous"):
        with pytest.raises(AudioError, match=r"\A[^\n]+\Z"):
            decode(MEDIA / case["file"])
    else:
        # An ambiguous file may be refused; what it gives must be sound all the same.
        with contextlib.suppress(*[AudioError] if case.get("ambiguous") else []):
            samples = decode(MEDIA / case["file"]).samples
            assert len(samples) / 16_000 == pytest.approx(case["ffmpeg"]["decoded_s"], abs=0.05)
            assert len(samples) > 0
            assert np.abs(samples).max() <= 1.0  # false for NaN as well
    assert time.monotonic() - started < 30

"""Odd and broken files from other projects' test suites; collected only where the development data is."""

import contextlib
import json
import os
import time
from pathlib import Path

import numpy as np
import pytest

from triscribe.errors import AudioError
from triscribe.media.decoding import decode

REPOSITORY = Path(__file__).parents[2]
MEDIA = Path(os.environ.get("TRISCRIBE_TEST_DATA", REPOSITORY.parent / "shared" / "data")) / "media"
MANIFEST = MEDIA / "manifest.json"
CASES = json.loads(MANIFEST.read_text()) if MANIFEST.exists() else []

if CASES:

    @pytest.mark.timeout(60)
    @pytest.mark.parametrize("case", CASES, ids=[case["file"] for case in CASES])
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

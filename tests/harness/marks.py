"""Why a test is skipped: said in the run, never by leaving it out of the collection."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.harness.paths import DATA, REPOSITORY

needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason=f"needs the development data, which is not in {DATA}: set TRISCRIBE_TEST_DATA"
)

EXPORT_PYTHON = Path(os.environ.get("TRISCRIBE_EXPORT_PYTHON", REPOSITORY / ".venv-export" / "bin" / "python"))
"""An environment with torch and transformers."""

needs_export = pytest.mark.skipif(
    not EXPORT_PYTHON.is_file(), reason=f"needs {EXPORT_PYTHON}, which scripts/test makes: set TRISCRIBE_EXPORT_PYTHON"
)

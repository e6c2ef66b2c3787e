"""The English aligner with its real weights, where they are cached, and labelled speech."""

import json
import os
from pathlib import Path

import pytest

from tests.harness.paths import DATA, REPOSITORY
from triscribe.media import decoding
from triscribe.models import ModelStore
from triscribe_align import description
from triscribe_align.pipeline import LanguageAligner
from triscribe_align.service import Aligner

SOURCE = REPOSITORY / "model_repository" / "align" / "languages"


@pytest.fixture(scope="session")
def languages(tmp_path_factory):
    """The languages as the assembly makes them: description beside a link to the weights."""
    weights = os.environ.get("TRISCRIBE_ALIGN_WEIGHTS") or ModelStore().pull("hama-phoneme")
    folder = tmp_path_factory.mktemp("languages") / "en"
    folder.mkdir()
    for file in (SOURCE / "en").iterdir():
        if file.is_file():
            (folder / file.name).symlink_to(file)
    (folder / "weights").symlink_to(Path(weights))
    return folder.parent


@pytest.fixture(scope="session")
def aligner(languages):
    return Aligner(languages, threads=2)


@pytest.fixture(scope="session")
def english(languages):
    return LanguageAligner(description.read(languages / "en" / "aligner.toml"), threads=2, device="cpu")


@pytest.fixture(scope="session")
def clips():
    """Labelled clips: (samples, reference words with start and end)."""
    entries = json.loads((DATA / "words" / "manifest.json").read_text())
    return [(decoding.decode(DATA / "words" / entry["audio"]).samples, entry["words"]) for entry in entries]

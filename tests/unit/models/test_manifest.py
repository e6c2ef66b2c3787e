import tomllib
from importlib import resources
from pathlib import Path

import pytest

from triscribe.errors import ModelError
from triscribe.models import load_manifest
from triscribe.models.manifest import COMMIT as COMMIT_PATTERN
from triscribe.models.manifest import HubSource, WheelSource

STARTERS = {
    "base",
    "tiny.en",
    "hama-phoneme",
    "pyannote-segmentation-3.0",
    "campplus",
    "tritonserver-24.10",
    "sample-conversation",
}
# Names that users of other Whisper front ends type.
WHISPERS = {
    *("tiny", "tiny.en", "base", "base.en", "small", "small.en", "medium", "medium.en", "large", "large-v1"),
    *("large-v2", "large-v3", "large-v3-turbo", "turbo", "distil-large-v3"),
}
# https://spdx.org/licenses/: those in use here.
SPDX = {"MIT", "Apache-2.0", "BSD-3-Clause"}

SITE = """
format = 1
[[model]]
name = "{name}"
kind = "aligner"
description = "ours"
license = "CC-BY-NC-4.0"
commercial = false
files = [{{ name = "{file}" }}]
[model.source]
kind = "folder"
path = "/srv/models"
"""


@pytest.fixture(autouse=True)
def no_site_manifest(monkeypatch):
    monkeypatch.delenv("TRISCRIBE_MANIFEST", raising=False)


def test_every_well_known_whisper_name_is_there():
    manifest = load_manifest()
    assert {manifest.get(name).kind for name in WHISPERS} == {"whisper"}


def test_starter_models_need_no_hub_and_every_byte_of_them_is_pinned():
    manifest = load_manifest()
    for name in STARTERS:
        model = manifest.get(name)
        assert isinstance(model.source, WheelSource)
        assert model.pinned
        assert all(file.size for file in model.files)


def test_every_model_has_a_known_licence_and_allows_commercial_use():
    for model in load_manifest().model:
        assert model.license in SPDX
        assert model.commercial


def test_hub_models_are_at_a_commit_and_their_sizes_are_known():
    hub = [model for model in load_manifest().model if isinstance(model.source, HubSource)]
    assert len(hub) > 5
    for model in hub:
        assert isinstance(model.source, HubSource)
        assert COMMIT_PATTERN.fullmatch(model.source.revision)
        assert model.download_size is not None


def test_whisper_models_have_what_ctranslate2_and_the_tokenizer_need():
    for model in load_manifest().of_kind("whisper"):
        names = {file.name for file in model.files}
        assert {"model.bin", "config.json", "tokenizer.json"} <= names
        assert names & {"vocabulary.txt", "vocabulary.json"}
        assert model.name.startswith(("large-v3", "distil-large-v3")) == ("preprocessor_config.json" in names)


def test_files_that_are_shared_between_models_have_one_size_and_hash():
    seen: dict[str, int | None] = {}
    for model in load_manifest().model:
        for file in model.files:
            if file.sha256:
                assert seen.setdefault(file.sha256, file.size) == file.size


def test_key_changes_with_any_hash_and_only_with_content():
    model = load_manifest().get("base")
    other = model.model_copy(update={"files": [model.files[0].model_copy(update={"sha256": "0" * 64})]})
    assert model.key != other.key
    assert model.key == model.model_copy(update={"description": "reworded"}).key


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(ModelError, match=r"no model 'bass'; known are base, tiny\.en"):
        load_manifest().get("bass")


def test_site_manifest_adds_models_and_replaces_built_in_ones(tmp_path: Path, monkeypatch):
    builtin = len(load_manifest().model)
    site = tmp_path / "site.toml"
    site.write_text(SITE.format(name="base", file="model.bin"))
    monkeypatch.setenv("TRISCRIBE_MANIFEST", str(site))
    manifest = load_manifest()
    assert len(manifest.model) == builtin
    assert manifest.get("base").description == "ours"
    assert "ours-v1" in load_manifest(_written(tmp_path / "two.toml", SITE.format(name="ours-v1", file="m.onnx")))


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (SITE.format(name="x", file="../../etc/passwd"), "not a plain relative path"),
        (SITE.format(name="x", file="/etc/passwd"), "not a plain relative path"),
        (SITE.format(name="../x", file="m"), "model.0.name"),
        (SITE.format(name="x", file="m") + "token = 'abc'\n", "Extra inputs"),
        (SITE.format(name="turbo", file="m"), "names used twice: turbo"),
        (SITE.format(name="x", file="m").replace("commercial = false", ""), "commercial"),
        ("format = 1\n[[model", "not valid"),
    ],
)
def test_a_wrong_site_manifest_is_refused_with_the_place(tmp_path: Path, text: str, complaint: str):
    with pytest.raises(ModelError, match=complaint):
        load_manifest(_written(tmp_path / "site.toml", text))


def test_missing_site_manifest_is_an_error(tmp_path: Path):
    with pytest.raises(ModelError, match="cannot be read"):
        load_manifest(tmp_path / "absent.toml")


def test_manifest_names_no_host():
    text = resources.files("triscribe.models").joinpath("manifest.toml").read_text()
    assert tomllib.loads(text)["format"] == 1
    assert "://" not in text

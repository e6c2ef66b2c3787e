"""pyannote's own pipelines through the real process, from a local copy with the layout of the hub's repositories.

The hub's weights cannot be had without a token, so the copy is built here: the starter's segmentation model, an
untrained embedding of the right architecture, and identity transforms.
"""

import json
import subprocess
import textwrap
import wave

import numpy as np
import pytest

from triscribe.diarization.client import Diarizer, DiarizerSettings
from triscribe.diarization.options import DiarizationOptions
from triscribe.diarization.process import ProcessSettings, find_python
from triscribe.errors import DiarizationError
from triscribe.models import ModelStore

pytestmark = [pytest.mark.diarizer, pytest.mark.timeout(600)]

BUILD_EMBEDDING = """
import sys, torch
from pyannote.audio.core.task import Problem, Resolution, Specifications
from pyannote.audio.models.embedding import WeSpeakerResNet34
import pytorch_lightning
torch.manual_seed(0)
model = WeSpeakerResNet34()
model.specifications = Specifications(
    problem=Problem.REPRESENTATION, resolution=Resolution.CHUNK, duration=10.0, min_duration=1.0, warm_up=(0.0, 0.0)
)
checkpoint = {
    "state_dict": model.state_dict(), "hyper_parameters": dict(model.hparams),
    "pytorch-lightning_version": pytorch_lightning.__version__,
}
model.on_save_checkpoint(checkpoint)
torch.save(checkpoint, sys.argv[1])
"""

CONFIGS = {
    "community-1": """
        version: 4.0.0
        pipeline:
          name: pyannote.audio.pipelines.SpeakerDiarization
          params:
            clustering: VBxClustering
            segmentation: $model/segmentation
            segmentation_batch_size: 32
            embedding: $model/embedding
            embedding_batch_size: 32
            embedding_exclude_overlap: true
            plda: $model/plda
        params:
          clustering: {threshold: 0.6, Fa: 0.07, Fb: 0.8}
          segmentation: {min_duration_off: 0.0}
        """,
    "3.1": """
        version: 3.1.0
        pipeline:
          name: pyannote.audio.pipelines.SpeakerDiarization
          params:
            clustering: AgglomerativeClustering
            embedding: pyannote/wespeaker-voxceleb-resnet34-LM
            embedding_batch_size: 32
            embedding_exclude_overlap: true
            segmentation: pyannote/segmentation-3.0
            segmentation_batch_size: 32
        params:
          clustering: {method: centroid, min_cluster_size: 12, threshold: 0.7045654963945799}
          segmentation: {min_duration_off: 0.0}
        """,
}


@pytest.fixture(scope="module")
def speech():
    with wave.open(str(ModelStore().pull("sample-conversation") / "sample.wav")) as file:
        return np.frombuffer(file.readframes(10 * 16_000), "<i2").astype(np.float32) / 32768


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    """Folders as they lie after downloading the repositories of both pipelines."""
    root = tmp_path_factory.mktemp("hub")
    segmentation = (ModelStore().pull("pyannote-segmentation-3.0") / "pytorch_model.bin").read_bytes()
    embedding = root / "embedding.bin"
    subprocess.run([find_python(), "-c", BUILD_EMBEDDING, embedding], check=True, capture_output=True)
    community = root / "speaker-diarization-community-1"
    folders = {
        "segmentation": [community / "segmentation", root / "segmentation-3.0"],
        "embedding": [community / "embedding", root / "wespeaker-voxceleb-resnet34-LM"],
    }
    for part, content in (("segmentation", segmentation), ("embedding", embedding.read_bytes())):
        for folder in folders[part]:
            folder.mkdir(parents=True)
            (folder / "pytorch_model.bin").write_bytes(content)
    (community / "plda").mkdir()
    dimensions = 256, 128
    np.savez(
        community / "plda/xvec_transform.npz",
        mean1=np.zeros(dimensions[0]),
        mean2=np.zeros(dimensions[1]),
        lda=np.eye(*dimensions),
    )
    np.savez(
        community / "plda/plda.npz",
        mu=np.zeros(dimensions[1]),
        tr=np.eye(dimensions[1]),
        psi=np.linspace(2.0, 0.1, dimensions[1]),
    )
    (root / "speaker-diarization-3.1").mkdir()
    for name, config in CONFIGS.items():
        (root / f"speaker-diarization-{name}" / "config.yaml").write_text(textwrap.dedent(config))
    return {name: root / f"speaker-diarization-{name}" for name in CONFIGS}


def run(speech, name, folder, **settings):
    process = ProcessSettings(pipelines={name: folder}, **settings)
    with Diarizer(DiarizerSettings(process=process)) as diarizer:
        return diarizer.diarize_sync(speech, DiarizationOptions(pipeline=name, max_speakers=2))


@pytest.mark.parametrize("name", CONFIGS)
def test_an_unknown_checkpoint_stays_closed_and_the_error_says_why(copies, speech, name):
    with pytest.raises(DiarizationError, match="can run code of whoever made it"):
        run(speech, name, copies[name])


@pytest.mark.parametrize("name", CONFIGS)
def test_a_vouched_for_copy_runs(copies, speech, name):
    result = run(speech, name, copies[name], allow_unverified=True)
    assert result.turns
    assert len(result.speakers) <= 2


def test_a_checkpoint_of_the_sites_manifest_is_opened(copies, speech, tmp_path, monkeypatch):
    folder = copies["community-1"]
    known = {"sha256": sha256(folder / "embedding/pytorch_model.bin")}
    entry = f'{{ name = "pytorch_model.bin", parts = ["pytorch_model.bin"], sha256 = {json.dumps(known["sha256"])} }}'
    manifest = tmp_path / "site.toml"
    manifest.write_text(
        textwrap.dedent(f"""
        format = 1
        [[model]]
        name = "our-embedding"
        kind = "diarization"
        description = "an embedding that the site vouches for"
        license = "MIT"
        commercial = true
        files = [{entry}]
        [model.source]
        kind = "folder"
        path = {json.dumps(str(folder / "embedding"))}
        """)
    )
    monkeypatch.setenv("TRISCRIBE_MANIFEST", str(manifest))
    assert run(speech, "community-1", folder).turns


@pytest.mark.parametrize(
    "config",
    [
        "pipeline: {name: os.system, params: {}}",
        "pipeline: {name: pyannote.audio.pipelines.SpeakerDiarization}\npreprocessors: {audio: {name: os.system}}",
        "just text",
        "pipeline: {name: pyannote.audio.pipelines.SpeakerDiarization, params: {segmentation: somebody/else}}",
    ],
)
def test_a_config_cannot_choose_what_runs(copies, speech, tmp_path, config):
    (tmp_path / "config.yaml").write_text(config)
    with pytest.raises(DiarizationError, match=r"config"):
        run(speech, "community-1", tmp_path, allow_unverified=True)


def test_without_token_and_copy_the_error_names_the_way_out(speech, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with (
        Diarizer() as diarizer,
        pytest.raises(DiarizationError, match="HF_TOKEN, give a local copy, or use the default"),
    ):
        diarizer.diarize_sync(speech, DiarizationOptions(pipeline="community-1"))


def sha256(path):
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()

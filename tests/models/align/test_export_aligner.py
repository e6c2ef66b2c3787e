"""The export of small random checkpoints, made in an environment with torch, used in this one without."""

import subprocess
import tomllib

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from tests.harness.marks import EXPORT_PYTHON, needs_export
from tests.harness.paths import REPOSITORY
from triscribe_align import description
from triscribe_align.service import Aligner

pytestmark = needs_export

SCRIPT = REPOSITORY / "scripts" / "export_aligner"

MAKE = """
import json, sys, torch
from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2ForCTC
folder, norm, spread = sys.argv[1:]
torch.manual_seed(1)
letters = ["<pad>", "<s>", "</s>", "<unk>", "|", *"abcdefghijklmnopqrstuvwxyz'"]
config = Wav2Vec2Config(vocab_size=len(letters), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
    intermediate_size=64, conv_dim=(32,) * 7, feat_extract_norm=norm, do_stable_layer_norm=norm == "layer",
    num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4, pad_token_id=0, initializer_range=float(spread))
Wav2Vec2ForCTC(config).eval().save_pretrained(folder)
Wav2Vec2FeatureExtractor(return_attention_mask=norm == "layer").save_pretrained(folder)
json.dump({token: index for index, token in enumerate(letters)}, open(folder + "/vocab.json", "w"))
json.dump({"word_delimiter_token": "|", "pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>",
    "unk_token": "<unk>"}, open(folder + "/tokenizer_config.json", "w"))
"""

SPOIL = """
import importlib.machinery, importlib.util, sys
import numpy as np, onnx
loader = importlib.machinery.SourceFileLoader("export_aligner", sys.argv.pop(1))
module = importlib.util.module_from_spec(importlib.util.spec_from_loader("export_aligner", loader))
sys.modules["export_aligner"] = module
loader.exec_module(module)
def spoil(file, precision):
    model = onnx.load(file)
    for weights in model.graph.initializer:
        if weights.data_type == onnx.TensorProto.FLOAT and len(weights.raw_data) > 4000:
            weights.raw_data = (np.frombuffer(weights.raw_data, np.float32) + np.float32(0.1)).tobytes()
    onnx.save(model, file)
module.to_precision = spoil
module.main()
"""


def run(*arguments):
    return subprocess.run(
        [EXPORT_PYTHON, *map(str, arguments)], capture_output=True, text=True, timeout=240, check=False
    )


@pytest.fixture(scope="module", params=["layer", "group"])
def norm(request):
    return request.param


def made(norm, folder, spread=0.4):
    """A checkpoint of random weights: near ties between labels where they are small, noise amplified where large."""
    result = run("-c", MAKE, folder, norm, spread)
    assert result.returncode == 0, result.stderr
    return folder


@pytest.fixture(scope="module")
def checkpoint(norm, tmp_path_factory):
    return made(norm, tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="module")
def export(checkpoint, norm, conversation, tmp_path_factory):
    def make(precision="fp32"):
        output = tmp_path_factory.mktemp(precision)
        # Seven bits drown in the noise of a network that amplifies it.
        source = made(norm, tmp_path_factory.mktemp("calm"), 0.15) if precision == "int8" else checkpoint
        result = run(
            SCRIPT,
            source,
            "en",
            output,
            "--speech",
            conversation.path,
            "--precision",
            precision,
            "--licence",
            "MIT",
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return output

    return make


def test_an_exported_aligner_is_a_language(export, norm, conversation):
    languages = export()
    described = description.read(languages / "en" / "aligner.toml")
    assert described.emissions.padding_parity == (norm == "layer")
    assert described.labels.names[described.labels.blank] == "<pad>"
    aligner = Aligner(languages)
    audio = conversation.samples[: 5 * 16_000]
    times = aligner.align(audio, ["Hello,", "I'm", "42", "years", "old."], "en")
    assert all(0 <= time.start < time.end <= 5 for time in times)
    if norm == "layer":
        emitter = aligner._aligner("en")._emitter
        together = emitter([audio, audio[:16_123]])
        for clip, found in zip((audio, audio[:16_123]), together, strict=True):
            (alone,) = emitter([clip])
            assert found.shape == alone.shape
            np.testing.assert_allclose(np.exp(found), np.exp(alone), atol=2e-3)


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_smaller_precisions(export, precision):
    languages = export(precision)
    table = tomllib.loads((languages / "en" / "aligner.toml").read_text())
    assert precision in (languages / "en" / "aligner.toml").read_text().splitlines()[0]
    assert table["licence"] == "MIT"
    model = onnx.load(languages / "en" / "weights" / "model.onnx")
    stored = {numpy_helper.to_array(weights).dtype.name for weights in model.graph.initializer}
    assert {"fp16": "float16", "int8": "int8"}[precision] in stored
    for weights in model.graph.initializer:
        if weights.data_type == onnx.TensorProto.INT8:
            assert np.abs(numpy_helper.to_array(weights)).max() <= 64, "two products of more overflow without VNNI"


def test_an_export_that_differs_is_refused(checkpoint, conversation, tmp_path):
    arguments = (checkpoint, "en", tmp_path / "out", "--speech", conversation.path, "--licence", "MIT")
    spoilt = run("-c", SPOIL, SCRIPT, *arguments)
    assert spoilt.returncode != 0
    assert "refused" in spoilt.stderr
    assert not (tmp_path / "out").exists()

"""The repository that Triton reads, as it is written for a machine."""

import json
from dataclasses import replace

import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from triscribe.models import ModelStore
from triscribe.serving.assemble import ServedModel, assemble
from triscribe.serving.sizing import Sizing

ON_GPU = Sizing(gpus=(0, 1), threads=4, align_threads=2, group_size=16, bulk_group_s=480.0, depth=4)
ON_CPU = Sizing(gpus=(), threads=3, align_threads=2, group_size=8, bulk_group_s=80.0, depth=3, instances=3)


@pytest.fixture(scope="module", params=[ON_CPU, ON_GPU], ids=["cpu", "gpu"])
def assembled(request, tmp_path_factory, base_folder, english_folder):
    target = tmp_path_factory.mktemp("repository") / "models"
    models = [
        ServedModel("base", base_folder, ("transcribe", "translate")),
        ServedModel("tiny.en", english_folder, ("transcribe",), ("en",)),
    ]
    assemble(target, models, request.param, ModelStore(), compute_type="int8")
    return target, request.param


def config(folder):
    return text_format.Parse((folder / "config.pbtxt").read_text(), model_config_pb2.ModelConfig())


def test_one_whisper_model_for_each_checkpoint(assembled, base_folder):
    target, sizing = assembled
    names = {folder.name for folder in target.iterdir()}
    assert names == {"transcribe", "align", "whisper-base", "whisper-tiny.en"}
    whisper = config(target / "whisper-base")
    assert whisper.name == "whisper-base"
    assert whisper.max_batch_size == sizing.group_size
    assert whisper.parameters["model_path"].string_value == str(base_folder)
    assert whisper.parameters["compute_type"].string_value == "int8"
    assert whisper.parameters["threads"].string_value == str(sizing.threads)
    assert whisper.instance_group[0].count == sizing.instances
    assert list(whisper.instance_group[0].gpus) == list(sizing.gpus)


def test_every_model_stands_alone(assembled):
    """Each runs in a process of its own with only its folder on the path."""
    target, _ = assembled
    for folder in target.iterdir():
        assert (folder / "1" / "model.py").is_file()
        assert (folder / "triscribe_tensors.py").is_file()
        assert not list(folder.rglob("__pycache__"))
        assert not list(folder.rglob("model.bin"))


def test_transcribe_learns_what_is_served(assembled, english_folder):
    target, sizing = assembled
    parameters = config(target / "transcribe").parameters
    models = json.loads(parameters["models"].string_value)
    assert list(models) == ["base", "tiny.en"]
    assert models["tiny.en"] == {"path": str(english_folder), "tasks": ["transcribe"], "languages": ["en"]}
    limits = json.loads(parameters["settings"].string_value)["limits"]
    assert limits["group_size"] == sizing.group_size
    assert limits["depth"] == sizing.depth


def test_the_aligner_has_weights_for_each_language_it_is_said_to_serve(assembled):
    target, _ = assembled
    languages = config(target / "transcribe").parameters["aligner_languages"].string_value.split(",")
    assert "en" in languages
    for language in languages:
        folder = target / "align" / "languages" / language
        assert (folder / "aligner.toml").is_file()
        assert any(file.suffix == ".onnx" for file in (folder / "weights").rglob("*"))


@pytest.mark.parametrize(("cpu_fallback", "device"), [(True, "auto"), (False, "cuda")])
def test_the_models_know_whether_the_cpu_may_serve_instead(tmp_path, base_folder, cpu_fallback, device):
    sizing = replace(ON_GPU, cpu_fallback=cpu_fallback)
    assemble(tmp_path / "models", [ServedModel("base", base_folder)], sizing, ModelStore())
    for model in ("whisper-base", "align"):
        assert config(tmp_path / "models" / model).parameters["device"].string_value == device

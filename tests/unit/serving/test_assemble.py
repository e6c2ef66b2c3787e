"""The repository that Triton reads, as it is written for a machine."""

import json
from dataclasses import replace

import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from triscribe.errors import UsageError
from triscribe.models import ModelStore
from triscribe.serving.assemble import ServedCheckpoint, assemble, distinct
from triscribe.serving.sizing import Sizing
from triscribe.triton.names import name_of_folder, whisper_model

ON_GPU = Sizing(gpus=(0, 1), threads=4, align_threads=2, group_size=16, bulk_group_s=480.0, depth=4)
ON_CPU = Sizing(gpus=(), threads=3, align_threads=2, group_size=8, bulk_group_s=80.0, depth=3, instances=3)


@pytest.fixture(scope="module", params=[ON_CPU, ON_GPU], ids=["cpu", "gpu"])
def assembled(request, tmp_path_factory, base_folder, english_folder):
    target = tmp_path_factory.mktemp("repository") / "models"
    models = [
        ServedCheckpoint("base", base_folder, ("transcribe", "translate")),
        ServedCheckpoint("tiny.en", english_folder, ("transcribe",), ("en",)),
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
    assert whisper.parameters["warm_up"].string_value == "true"
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
    assemble(tmp_path / "models", [ServedCheckpoint("base", base_folder)], sizing, ModelStore())
    for model in ("whisper-base", "align"):
        assert config(tmp_path / "models" / model).parameters["device"].string_value == device


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("ct2", "ct2"),
        ("My Model (v2)", "My-Model-v2"),
        ("-leading", "leading"),
        ("..dots", "dots"),
        ("模型 large", "large"),
        ("a/b\\c", "a-b-c"),
    ],
)
def test_a_folder_gives_its_checkpoint_a_name_that_triton_takes(folder, name):
    assert name_of_folder(folder) == name
    assert whisper_model(name) == f"whisper-{name}"


@pytest.mark.parametrize("folder", ["模型", "---", "."])
def test_a_folder_whose_name_leaves_nothing_is_refused(folder):
    with pytest.raises(UsageError, match="rename"):
        name_of_folder(folder)


def test_two_folders_of_one_name_are_refused_and_named(tmp_path):
    """Once: "the run directory cannot be written (File exists): make room there"."""
    paths = [tmp_path / parent / "ct2" for parent in ("a", "b")]
    with pytest.raises(UsageError, match="rename") as caught:
        distinct([ServedCheckpoint("ct2", path) for path in paths])
    assert all(str(path) in str(caught.value) for path in paths)


def test_a_checkpoint_given_twice_is_served_once(tmp_path):
    twice = [ServedCheckpoint("ct2", tmp_path / "ct2"), ServedCheckpoint("ct2", tmp_path / "x" / ".." / "ct2")]
    assert [checkpoint.name for checkpoint in distinct(twice)] == ["ct2"]

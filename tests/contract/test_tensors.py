"""config.pbtxt of every model against the tables of docs/contracts.md."""

import re

import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from tests.harness.paths import REPOSITORY

SOURCE = REPOSITORY / "model_repository"
CONTRACTS = (REPOSITORY / "docs" / "contracts.md").read_text()
MODELS = ("transcribe", "whisper", "align")

_TYPES = {value: name.removeprefix("TYPE_") for name, value in model_config_pb2.DataType.items()}


def config(model):
    return text_format.Parse((SOURCE / model / "config.pbtxt").read_text(), model_config_pb2.ModelConfig())


def section(model):
    """The text under the heading of a model."""
    title = "`whisper-<name>`" if model == "whisper" else f"`{model}`"
    (text,) = re.findall(rf"^## {re.escape(title)}.*?\n(.*?)(?=^## |\Z)", CONTRACTS, re.M | re.S)
    return text


def documented(model):
    """Tensors of the model's table: (direction, name) -> (types, dims)."""
    rows = re.findall(r"^\| (\w+) (in|out) \| ([^|]+) \| \[([^]]*)\] \|", section(model), re.M)
    return {
        (direction, name): (
            {kind.strip() for kind in kinds.split(" or ")},
            [-1 if not dim.strip().lstrip("-").isdigit() else int(dim) for dim in dims.split(",")],
        )
        for name, direction, kinds, dims in rows
    }


@pytest.mark.parametrize("model", MODELS)
def test_tensors_are_as_documented(model):
    tensors = documented(model)
    assert tensors
    parsed = config(model)
    actual = {("in", tensor.name): tensor for tensor in parsed.input}
    actual |= {("out", tensor.name): tensor for tensor in parsed.output}
    # The table has AUDIO as FP32 or INT16; the second is an input of its own, since a Triton input has one type.
    second = actual.pop(("in", "AUDIO_INT16"), None)
    assert set(actual) == set(tensors)
    for key, tensor in actual.items():
        kinds, dims = tensors[key]
        found = {_TYPES[tensor.data_type]} | ({_TYPES[second.data_type]} if second and key[1] == "AUDIO" else set())
        assert found == kinds, key
        assert list(tensor.dims) == dims, key


@pytest.mark.parametrize("model", MODELS)
def test_backend_is_python_and_text_is_never_bytes(model):
    """A wrong length prefix in a BYTES tensor kills the worker of Triton's Python backend."""
    parsed = config(model)
    assert parsed.backend == "python"
    kinds = {_TYPES[tensor.data_type] for tensor in [*parsed.input, *parsed.output]}
    assert kinds <= {"FP32", "INT16", "UINT8"}


def test_transcribe_answers_on_streams_whatever_input_is_there():
    transcribe = config("transcribe")
    assert transcribe.model_transaction_policy.decoupled
    assert transcribe.max_batch_size == 0
    assert all(tensor.optional for tensor in transcribe.input)


def test_whisper_takes_a_group_as_one_request_and_nothing_groups_again():
    whisper = config("whisper")
    assert whisper.max_batch_size > 1
    assert not whisper.HasField("dynamic_batching")
    assert not any(tensor.allow_ragged_batch for tensor in whisper.input)


@pytest.mark.parametrize("model", MODELS)
def test_packages_are_unique_and_know_nothing_of_each_other_or_triton(model):
    """All packages can meet on one path, and none but model.py needs Triton."""
    package = SOURCE / model / f"triscribe_{model}"
    assert (package / "__init__.py").is_file()
    text = "\n".join(file.read_text() for file in package.rglob("*.py"))
    imported = set(re.findall(r"^\s*(?:import|from) ([\w.]+)", text, re.M))
    foreign = {name.split(".")[0] for name in imported} & {
        "triscribe",
        "triton_python_backend_utils",
        "triscribe_tensors",
        *(f"triscribe_{other}" for other in MODELS if other != model),
    }
    assert not foreign


def test_the_client_never_imports_the_model_repository():
    text = "\n".join(file.read_text() for file in (REPOSITORY / "client").rglob("*.py"))
    assert not re.findall(r"^\s*(?:import|from) triscribe_\w+", text, re.M)

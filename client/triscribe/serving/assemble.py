"""The repository that Triton reads: made of ours in a run directory, one whisper model for each served checkpoint."""

from __future__ import annotations

import json
import shutil
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from triscribe.errors import ServingError, UsageError
from triscribe.models import ModelStore
from triscribe.serving.sizing import Sizing
from triscribe.triton.names import whisper_model

_SKIPPED = shutil.ignore_patterns("__pycache__", "*.pyc")


@dataclass(frozen=True)
class ServedCheckpoint:
    """A checkpoint to be served under a name."""

    name: str
    path: Path
    tasks: tuple[str, ...] = ("transcribe", "translate")
    languages: tuple[str, ...] = ()
    """Languages it is good for; empty means all that its vocabulary has."""

    def facts(self) -> dict[str, object]:
        """What `transcribe` needs to know of it."""
        return {"path": str(self.path), "tasks": self.tasks, "languages": self.languages}


def distinct(checkpoints: Sequence[ServedCheckpoint]) -> list[ServedCheckpoint]:
    """The checkpoints, each once.

    Raises:
        UsageError: two different ones would be served under one name.
    """
    by_name: dict[str, ServedCheckpoint] = {}
    for checkpoint in checkpoints:
        other = by_name.setdefault(checkpoint.name, checkpoint)
        if other.path.resolve() != checkpoint.path.resolve():
            raise UsageError(
                f"{other.path} and {checkpoint.path} would both be served as {checkpoint.name!r}: "
                "rename one of the two folders."
            )
    return list(by_name.values())


def source_repository() -> Path:
    """Our model repository: packaged, or beside the client in a source tree.

    Raises:
        ServingError: neither is there.
    """
    packaged = Path(str(resources.files("triscribe"))) / "_model_repository"
    checkout = Path(__file__).resolve().parents[3] / "model_repository"
    for folder in (packaged, checkout):
        if (folder / "transcribe" / "config.pbtxt").exists():
            return folder
    raise ServingError("The model repository is not installed with this package: reinstall triscribe.")


def assemble(
    target: Path,
    models: Sequence[ServedCheckpoint],
    sizing: Sizing,
    store: ModelStore,
    *,
    compute_type: str = "auto",
    warm_up: bool = True,
) -> None:
    """Fill `target` with the models that Triton is to serve; weights are linked, not copied."""
    source = source_repository()
    for model in models:
        folder = _copy(source / "whisper", target / whisper_model(model.name))
        config = _read(folder)
        config.name = folder.name
        config.max_batch_size = sizing.group_size
        _place(config, sizing)
        _set(config, model_path=str(model.path), compute_type=compute_type, threads=str(sizing.threads))
        _set(config, device=_device(sizing), warm_up=str(warm_up).lower())
        _write(folder, config)
    languages = _assemble_align(source, target, sizing, store)
    folder = _copy(source / "transcribe", target / "transcribe")
    config = _read(folder)
    _set(
        config,
        models=json.dumps({model.name: model.facts() for model in models}),
        aligner_languages=",".join(languages),
        settings=json.dumps({"limits": sizing.limits()}),
    )
    _write(folder, config)


def _assemble_align(source: Path, target: Path, sizing: Sizing, store: ModelStore) -> list[str]:
    """The aligner with every language that has a folder; its weights are linked beside its description."""
    folder = _copy(source / "align", target / "align")
    config = _read(folder)
    _set(config, threads=str(sizing.align_threads), device=_device(sizing))
    config.instance_group[0].count = sizing.align_instances
    _write(folder, config)
    return link_languages(folder / "languages", folder / "languages", store)


def link_languages(source: Path, target: Path, store: ModelStore) -> list[str]:
    """Link the weights of every language beside its description, in `target`; returns the codes."""
    languages = aligner_weights(source.parent)
    for language, weights in languages.items():
        folder = target / language
        if target != source:
            shutil.copytree(source / language, folder)
        (folder / "weights").symlink_to(store.pull(weights))
    return list(languages)


def aligner_weights(folder: Path) -> dict[str, str]:
    """The model of the manifest that each language of the aligner in `folder` needs, by language."""
    descriptions = sorted((folder / "languages").glob("*/aligner.toml"))
    return {path.parent.name: tomllib.loads(path.read_text())["weights"] for path in descriptions}


def needed_models() -> list[str]:
    """Models of the manifest that every server needs beside its checkpoints."""
    return sorted(set(aligner_weights(source_repository() / "align").values()))


def _copy(source: Path, target: Path) -> Path:
    shutil.copytree(source, target, ignore=_SKIPPED)
    shutil.copytree(source.parent / "common", target, ignore=_SKIPPED, dirs_exist_ok=True)
    return target


def _read(folder: Path) -> model_config_pb2.ModelConfig:
    return text_format.Parse((folder / "config.pbtxt").read_text(), model_config_pb2.ModelConfig())


def _write(folder: Path, config: model_config_pb2.ModelConfig) -> None:
    (folder / "config.pbtxt").write_text(text_format.MessageToString(config))


def _set(config: model_config_pb2.ModelConfig, **parameters: str) -> None:
    for name, value in parameters.items():
        config.parameters[name].string_value = value


def _device(sizing: Sizing) -> str:
    if not sizing.gpus:
        return "cpu"
    return "auto" if sizing.cpu_fallback else "cuda"


def _place(config: model_config_pb2.ModelConfig, sizing: Sizing) -> None:
    group = config.instance_group[0]
    group.count = sizing.instances
    if sizing.gpus:
        group.kind = model_config_pb2.ModelInstanceGroup.KIND_GPU
        group.gpus[:] = sizing.gpus

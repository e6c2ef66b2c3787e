"""pyannote's own pipelines, from a local copy or from the hub with the user's token."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import get_token, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
from pyannote.audio import Pipeline

from triscribe.diarizer.checkpoints import pickled_files, require_known
from triscribe.diarizer.engine import NoPLDA
from triscribe.errors import DiarizationError
from triscribe.models import Manifest

REPOSITORIES: Mapping[str, tuple[str, ...]] = {
    "community-1": ("pyannote/speaker-diarization-community-1",),
    "3.1": (
        "pyannote/speaker-diarization-3.1",
        "pyannote/segmentation-3.0",
        "pyannote/wespeaker-voxceleb-resnet34-LM",
    ),
}
"""The hub repositories of a pipeline, the one with its config first."""

_PIPELINE_CLASSES = {
    "pyannote.audio.pipelines.SpeakerDiarization",
    "pyannote.audio.pipelines.speaker_diarization.SpeakerDiarization",
}
_PARTS = ("segmentation", "embedding", "plda")


def load_hosted(name: str, local: Path | None, manifest: Manifest, *, allow_unverified: bool) -> Pipeline:
    """Builds a pipeline from files that are all here and all checked; nothing else is fetched.

    Args:
        name: key of `REPOSITORIES`.
        local: a copy of the first repository; the others, if any, are searched beside it under their own names.
            None fetches them with the token of the environment or of a login.
        manifest: the known hashes.
        allow_unverified: see `require_known`.

    Raises:
        DiarizationError: not accessible, incomplete, or with a checkpoint that is not known.
    """
    folders = _local(name, local) if local else _fetched(name)
    config = _config(folders[REPOSITORIES[name][0]])
    for folder in folders.values():
        require_known(pickled_files(folder), manifest, allow_unverified=allow_unverified)
    return Pipeline.from_pretrained(_localised(config, folders, REPOSITORIES[name][0]))


def _local(name: str, local: Path) -> dict[str, Path]:
    first, *others = REPOSITORIES[name]
    folders = {first: local} | {repo: local.parent / repo.partition("/")[2] for repo in others}
    for folder in folders.values():
        if not folder.is_dir():
            raise DiarizationError(f"The pipeline {name} needs the folder {folder}.")
    return folders


def _fetched(name: str) -> dict[str, Path]:
    try:
        return {repo: Path(snapshot_download(repo, token=get_token())) for repo in REPOSITORIES[name]}
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise DiarizationError(
            f"The pipeline {name} cannot be fetched ({reason}). Accept the terms of {', '.join(REPOSITORIES[name])} "
            "on the hub and set HF_TOKEN, give a local copy, or use the default pipeline, which needs neither."
        ) from error


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.yaml"
    try:
        config: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
        pipeline = config["pipeline"]["name"]
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise DiarizationError(f"{path} is not the config of a pipeline.") from error
    # The name is imported, and preprocessors are too: a config from elsewhere must not choose what runs.
    if pipeline not in _PIPELINE_CLASSES or "preprocessors" in config:
        raise DiarizationError(f"{path} asks for {pipeline} or preprocessors, which are not run here.")
    return config


def _localised(config: dict[str, Any], folders: Mapping[str, Path], own: str) -> dict[str, Any]:
    params = dict(config["pipeline"].get("params", {}))
    for part in _PARTS:
        value = params.get(part)
        if not isinstance(value, str):
            continue
        repo, subfolder = (own, value.removeprefix("$model/")) if value.startswith("$model/") else (value, None)
        if repo not in folders:
            raise DiarizationError(f"The config names {value}, which is not part of the pipeline.")
        params[part] = {"checkpoint": str(folders[repo]), "subfolder": subfolder}
    if params.get("clustering", "VBxClustering") != "VBxClustering":
        params["plda"] = NoPLDA()  # the default would be fetched from another repository
    if missing := [part for part in _PARTS if part not in params]:
        raise DiarizationError(f"The config lacks {', '.join(missing)}.")
    return config | {"pipeline": config["pipeline"] | {"params": params}}

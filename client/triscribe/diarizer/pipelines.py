"""Loads pipelines on first use, keeps them, and runs them: the only module that runs pyannote.audio."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pyannote.audio import Pipeline

from triscribe.diarizer.engine import FastDiarization, Tuning
from triscribe.diarizer.jobs import Report, Request, Stage
from triscribe.diarizer.settings import EngineSettings
from triscribe.diarizer.turns import Found, RawTurn
from triscribe.diarizer.weights import default_weights
from triscribe.errors import DiarizationError
from triscribe.models import ModelStore
from triscribe.types import SAMPLE_RATE

NICENESS = 10
"""Beside a parent that transcribes we take the time that is left over. The threads of a Whisper execution wait for each
other at every layer, so that one which has lost its core stops the others; ours work on windows of their own."""

_STAGES = {"segmentation": Stage.SEGMENTATION, "embeddings": Stage.EMBEDDING}


class PipelineLibrary:
    """The engine of `jobs.JobQueue`."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self._threads = settings.threads or torch.get_num_threads()
        self._store = ModelStore()
        self._pipelines: dict[str, Pipeline] = {}
        wanted = settings.device
        if wanted == "auto":
            wanted = "cuda" if torch.cuda.is_available() else "cpu"
        self._device = torch.device(wanted)
        torch.set_num_threads(self._threads)
        if settings.background and hasattr(os, "nice"):
            os.nice(NICENESS)  # on Linux of this thread and those that it starts: answers and heartbeats stay prompt

    def find(self, samples: NDArray[np.float32], request: Request, report: Report) -> Found:
        """Runs a pipeline.

        Args:
            samples: shape `(n_samples,)`, 16 kHz, in [-1, 1].
            request: which pipeline, and what is known.
            report: called with how far it is.

        Raises:
            DiarizationError: the pipeline cannot be loaded.
            ModelError: its weights cannot be fetched.
            MemoryError: out of memory, the GPU's included.
        """
        pipeline = self._pipelines.get(request.pipeline)
        if pipeline is None:
            pipeline = self._pipelines[request.pipeline] = self._load(request.pipeline)

        def hook(step: str, _artifact: Any, total: int = 0, completed: int = 0, **_: Any) -> None:
            if step in _STAGES:
                report(_STAGES[step], completed / total if total else 1.0)

        audio = {"waveform": torch.from_numpy(samples)[None], "sample_rate": SAMPLE_RATE}
        try:
            output = pipeline(
                audio,
                num_speakers=request.num_speakers,
                min_speakers=request.min_speakers,
                max_speakers=request.max_speakers,
                hook=hook,
            )
        except RuntimeError as error:
            if isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error):
                raise MemoryError from error
            raise
        return _to_found(output)

    def _load(self, name: str) -> Pipeline:
        if name == "default":
            return self._load_default().to(self._device)
        from triscribe.diarizer.hosted import REPOSITORIES, load_hosted  # noqa: PLC0415 - imports the hub's client

        if name in REPOSITORIES:
            pipeline = load_hosted(
                name,
                self._settings.local.get(name),
                self._store.manifest,
                allow_unverified=self._settings.allow_unverified,
            )
        else:
            known = ", ".join(("default", *REPOSITORIES))
            raise DiarizationError(f"There is no pipeline {name!r}; known are {known}.")
        return pipeline.to(self._device)

    def _load_default(self) -> FastDiarization:
        weights = default_weights(self._store)
        return FastDiarization(weights.segmentation, weights.embedding, Tuning(), self._threads)


def _to_found(output: Any) -> Found:
    turns = output.speaker_diarization
    embeddings = output.speaker_embeddings
    return Found(
        turns=_raw(turns),
        exclusive=_raw(output.exclusive_speaker_diarization),
        embeddings={} if embeddings is None else dict(zip(turns.labels(), embeddings, strict=False)),
    )


def _raw(annotation: Any) -> tuple[RawTurn, ...]:
    return tuple((s.start, s.end, str(label)) for s, _, label in annotation.itertracks(yield_label=True))

"""What each change to the pipeline buys: DER and time, side by side in one process.

Runs in the diarizer's environment and is started by `diarization.py`, which hands it decoded audio:
`diarization_variants.py JOBS.json RESULT.json [VARIANT...]`. A job has `name`, `meeting`, `samples` (.npy), `rttm` and
`uem`. The excerpts of one meeting are also joined into one recording each, for the first and the last variant of
`JOINED`; their time counts nowhere.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ["PYANNOTE_METRICS_ENABLED"] = "0"
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import torch
from pyannote.audio.pipelines import SpeakerDiarization
from pyannote.core import Annotation, Segment, Timeline
from pyannote.database.util import load_rttm
from pyannote.metrics.diarization import DiarizationErrorRate

from triscribe.diarizer.engine import FastDiarization, NoPLDA, Tuning
from triscribe.diarizer.weights import DefaultWeights, default_weights
from triscribe.models import ModelStore
from triscribe.types import SAMPLE_RATE

PYANNOTE = Tuning(
    step=0.1,
    embedding_stride=1,
    max_frames=0,
    threshold=0.7,
    min_cluster_size=12,
    method="centroid",
    exclude_overlap=False,
    only_found_speakers=False,
)
"""The settings of docs/diarization.md's "called directly"."""


JOINED = ("embeddings side by side", "no nameless speakers: the default")
"""Without and with the shortcuts."""


@dataclass(frozen=True)
class Recording:
    """One recording with its reference; excerpts of one meeting have `meeting` in common."""

    name: str
    meeting: str
    samples: torch.Tensor
    reference: Annotation
    scored: Timeline


def main() -> None:
    """Runs the variants named on the command line, all by default."""
    jobs, result, *names = sys.argv[1:]
    recordings = [_load(job) for job in json.loads(Path(jobs).read_text())]
    threads = len(os.sched_getaffinity(0))
    weights = default_weights(ModelStore())
    variants = _variants(weights, threads)
    rows = []
    for name in names or variants:
        torch.set_num_threads(threads)
        pipeline = variants[name]()
        rows.append({"variant": name} | _measure(pipeline, recordings))
        if name in JOINED and (joined := _joined(recordings)):
            rows[-1]["joined"] = _measure(pipeline, joined)["der"]
        print(json.dumps(rows[-1]), flush=True)
    Path(result).write_text(json.dumps(rows))


def _variants(weights: DefaultWeights, threads: int) -> dict[str, Callable[[], Any]]:
    def ours(threads: int = threads, **changes: Any) -> Callable[[], FastDiarization]:
        return lambda: FastDiarization(weights.segmentation, weights.embedding, replace(PYANNOTE, **changes), threads)

    def segmentation_alone() -> FastDiarization:
        pipeline = FastDiarization(weights.segmentation, weights.embedding, PYANNOTE, threads)
        pipeline._embedding.threads = 1
        return pipeline

    return {
        "pyannote called directly": lambda: _direct(weights),
        "features computed once": ours(threads=1),
        "segmentation side by side": segmentation_alone,
        JOINED[0]: ours(),
        "5 s of speech for an embedding": ours(max_frames=500),
        "every second window embedded": ours(max_frames=500, embedding_stride=2),
        JOINED[1]: lambda: FastDiarization(weights.segmentation, weights.embedding, Tuning(), threads),
        "instead of the last three: step 0.25": ours(step=0.25),
    }


def _direct(weights: DefaultWeights) -> SpeakerDiarization:
    # pyannote takes an ONNX embedding for what it is when "wespeaker" is in its path, and nothing else is.
    with TemporaryDirectory() as folder:
        embedding = Path(folder) / "wespeaker.onnx"
        shutil.copy(weights.embedding, embedding)
        pipeline = SpeakerDiarization(
            segmentation=str(weights.segmentation),
            embedding=str(embedding),
            plda=NoPLDA(),
            clustering="AgglomerativeClustering",
        )
    clustering = {"method": PYANNOTE.method, "min_cluster_size": PYANNOTE.min_cluster_size}
    clustering["threshold"] = PYANNOTE.threshold
    return pipeline.instantiate({"segmentation": {"min_duration_off": 0.0}, "clustering": clustering})


def _load(job: dict[str, Any]) -> Recording:
    (reference,) = load_rttm(job["rttm"]).values()
    samples = torch.from_numpy(np.load(job["samples"]))
    return Recording(job["name"], job["meeting"], samples, reference, Timeline([Segment(*job["uem"])]))


def _joined(recordings: list[Recording]) -> list[Recording]:
    """A recording for each meeting of which there are several excerpts."""
    by_meeting: dict[str, list[Recording]] = {}
    for recording in recordings:
        by_meeting.setdefault(recording.meeting, []).append(recording)
    return [_one_after_the_other(parts) for parts in by_meeting.values() if len(parts) > 1]


def _one_after_the_other(parts: list[Recording]) -> Recording:
    reference, scored, begin = Annotation(), Timeline(), 0.0
    for part in parts:
        for segment, track, speaker in part.reference.itertracks(yield_label=True):
            reference[Segment(begin + segment.start, begin + segment.end), (part.name, track)] = speaker
        scored.update(Timeline(Segment(begin + span.start, begin + span.end) for span in part.scored))
        begin += len(part.samples) / SAMPLE_RATE
    samples = torch.cat([part.samples for part in parts])
    return Recording(parts[0].meeting, parts[0].meeting, samples, reference, scored)


def _measure(pipeline: Any, recordings: list[Recording]) -> dict[str, Any]:
    error = DiarizationErrorRate()
    seconds = sum(len(recording.samples) for recording in recordings) / SAMPLE_RATE
    wall, cpu, each = 0.0, 0.0, {}
    pipeline({"waveform": recordings[0].samples[None, : 10 * SAMPLE_RATE], "sample_rate": SAMPLE_RATE})  # warm-up
    for recording in recordings:
        wall_start, cpu_start = time.perf_counter(), time.process_time()
        output = pipeline({"waveform": recording.samples[None], "sample_rate": SAMPLE_RATE})
        wall += time.perf_counter() - wall_start
        cpu += time.process_time() - cpu_start
        each[recording.name] = 100 * error(recording.reference, output.speaker_diarization, uem=recording.scored)
    return {"der": 100 * abs(error), "real_time": wall / seconds, "cpu": cpu / seconds, "each": each}


if __name__ == "__main__":
    main()

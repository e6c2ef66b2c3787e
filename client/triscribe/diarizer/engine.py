"""The token-free pipeline: pyannote's speaker diarization with shared features, every core used in both models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyannote.audio import Inference
from pyannote.audio.core.plda import PLDA
from pyannote.audio.pipelines import SpeakerDiarization
from pyannote.audio.pipelines.clustering import AgglomerativeClustering
from pyannote.core import SlidingWindowFeature
from sklearn.cluster import KMeans

from triscribe.diarizer.embedding import Floats, WindowEmbedding
from triscribe.diarizer.inheritance import embedding_sources
from triscribe.diarizer.segmentation import ParallelInference


@dataclass(frozen=True, slots=True)
class Tuning:
    """Parameters of the default pipeline.

    Attributes:
        step: Distance between windows, as a share of the window's 10 s.
        embedding_stride: Every n-th window is embedded (see `inheritance`).
        max_frames: Frames of 10 ms that an embedding is made from, at most; 0 takes all.
        threshold: Distance between unit-length centroids up to which two clusters are merged.
        min_cluster_size: Windows that a speaker needs; smaller clusters join the nearest larger one.
        method: Linkage of scipy.cluster.hierarchy.
        exclude_overlap: Embed a speaker from frames in which nobody else speaks, where there are enough.
        only_found_speakers: Where more voices were counted than speakers found, do not add nameless ones.
    """

    step: float = 0.1
    embedding_stride: int = 2
    max_frames: int = 500
    threshold: float = 0.7
    min_cluster_size: int = 12
    method: str = "centroid"
    exclude_overlap: bool = False
    only_found_speakers: bool = True


class NoPLDA(PLDA):  # type: ignore[misc]
    """For clustering that uses none: pyannote refuses to build a pipeline without one."""

    def __init__(self) -> None:
        pass


class BoundedClustering(AgglomerativeClustering):  # type: ignore[misc]
    """Agglomerative clustering that keeps to the number of speakers asked for.

    The original searches the dendrogram for a cut with the wanted number of clusters and takes what comes close
    when there is none. Then k-means decides, as it does in pyannote's own VBxClustering.
    """

    def cluster(
        self,
        embeddings: Floats,
        min_clusters: int | None = None,
        max_clusters: int | None = None,
        num_clusters: int | None = None,
    ) -> NDArray[np.integer[Any]]:
        """Cluster of each embedding, shape `(n_embeddings,)`; embeddings have shape `(n_embeddings, dimension)`."""
        clusters: NDArray[np.integer[Any]] = super().cluster(
            embeddings, min_clusters=min_clusters, max_clusters=max_clusters, num_clusters=num_clusters
        )
        found = len(np.unique(clusters))
        wanted = min(max(found, num_clusters or min_clusters or 1), num_clusters or max_clusters or found)
        if wanted == found:
            return clusters
        unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
        refined: NDArray[np.integer[Any]] = KMeans(wanted, n_init=10, random_state=0).fit_predict(unit)
        return refined


class FastDiarization(SpeakerDiarization):  # type: ignore[misc]
    """`SpeakerDiarization` with the two models run by `ParallelInference` and `WindowEmbedding`.

    Args:
        segmentation: checkpoint of a pyannote segmentation model, already checked.
        embedding: ONNX file (see `export`).
        tuning: parameters.
        threads: cores that the models are run on, side by side.
    """

    def __init__(self, segmentation: Path, embedding: Path, tuning: Tuning, threads: int) -> None:
        # Built for oracle clustering, which needs no embedding: pyannote would choose the class of the embedding
        # by looking for names such as "nvidia" in the whole path of the file.
        super().__init__(
            segmentation=str(segmentation),
            segmentation_step=tuning.step,
            embedding_exclude_overlap=tuning.exclude_overlap,
            plda=NoPLDA(),
            clustering="OracleClustering",
        )
        self.klustering = "AgglomerativeClustering"
        self._only_found_speakers = tuning.only_found_speakers
        self._stride = tuning.embedding_stride
        original: Inference = self._segmentation
        self._segmentation: Inference = ParallelInference(original, threads)
        self._embedding = WindowEmbedding(embedding, threads, tuning.max_frames)
        self.clustering = BoundedClustering(metric=self._embedding.metric)
        self._expects_num_speakers = False
        self.instantiate(
            {
                "segmentation": {"min_duration_off": 0.0},
                "clustering": {
                    "method": tuning.method,
                    "min_cluster_size": tuning.min_cluster_size,
                    "threshold": tuning.threshold,
                },
            }
        )

    def get_embeddings(
        self,
        file: dict[str, Any],
        binary_segmentations: SlidingWindowFeature,
        exclude_overlap: bool = False,
        hook: Callable[..., None] | None = None,
    ) -> Floats:
        """Embeddings of each (window, speaker), shape `(n_windows, n_speakers, dimension)`."""
        window = binary_segmentations.sliding_window
        masks = np.nan_to_num(binary_segmentations.data, nan=0.0).astype(np.float32)
        n_windows, n_frames, _ = masks.shape
        sources = embedding_sources(masks, n_frames * window.step / window.duration, self._stride)
        if exclude_overlap:
            clean = masks * (masks.sum(axis=2, keepdims=True) < 2)
            seconds = clean.sum(axis=1, keepdims=True) * (window.duration / n_frames)
            enough = seconds * self._embedding.sample_rate > self._embedding.min_num_samples
            masks = np.where(enough, clean, masks)
        own = sources == np.arange(sources.size).reshape(sources.shape)
        embeddings: Floats = self._embedding.windows(
            file["waveform"][0],
            masks * own[:, None, :],
            step_samples=round(window.step * self._embedding.sample_rate),
            window_samples=round(window.duration * self._embedding.sample_rate),
            progress=lambda done: hook("embeddings", None, total=n_windows, completed=done) if hook else None,
        )
        by_source: Floats = embeddings.reshape(sources.size, -1)[sources]
        return by_source

    def reconstruct(
        self, segmentations: SlidingWindowFeature, hard_clusters: NDArray[np.integer[Any]], count: SlidingWindowFeature
    ) -> SlidingWindowFeature:
        """Activity of each speaker, without the nameless ones that the original adds (see `Tuning`)."""
        voices = np.minimum(count.data, hard_clusters.max() + 1) if self._only_found_speakers else count.data
        return super().reconstruct(segmentations, hard_clusters, SlidingWindowFeature(voices, count.sliding_window))

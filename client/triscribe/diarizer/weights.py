"""The files of the default pipeline: fetched, checked, and the embedding exported, all on first use.

`python -m triscribe.diarizer.weights` does that ahead of time, for images and machines without a network.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from triscribe.diarizer.checkpoints import require_known
from triscribe.diarizer.export import exported
from triscribe.models import ModelStore


@dataclass(frozen=True, slots=True)
class DefaultWeights:
    """Checkpoint of the segmentation model, and the speaker embedding as ONNX."""

    segmentation: Path
    embedding: Path


def default_weights(store: ModelStore) -> DefaultWeights:
    """Makes the files ready to be opened.

    Raises:
        ModelError: they cannot be fetched.
        DiarizationError: their content is not what the manifest says.
    """
    segmentation = store.pull("pyannote-segmentation-3.0") / "pytorch_model.bin"
    campplus = store.pull("campplus")
    network, weights = campplus / "camplusplus.py", campplus / "campplus_cn_en_common.pt"
    require_known((segmentation, network, weights), store.manifest)
    return DefaultWeights(segmentation, exported(network, weights, store.place(Path("diarizer"))))


if __name__ == "__main__":
    print(default_weights(ModelStore()).embedding)  # noqa: T201

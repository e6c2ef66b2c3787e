"""The peers of `compare.py`: an environment and converted weights for each, in one folder.

`python -m benchmarks.speed.peers FOLDER` makes them (__main__.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Peer:
    """A side of `sides.py` that lives in an environment of its own."""

    side: str
    requirements: tuple[str, ...]
    weights: str
    """Its weights in the folder; empty where it takes the checkpoint as it is."""
    words: bool = True
    """Times of words can be had."""

    def python(self, folder: Path) -> Path:
        """The interpreter of its environment."""
        return folder / "environments" / self.side.replace(" ", "-") / "bin" / "python"

    def path(self, folder: Path, checkpoint: Path) -> Path:
        """The weights it loads."""
        return folder / self.weights if self.weights else checkpoint

    def ready(self, folder: Path) -> bool:
        """Both are there."""
        return self.python(folder).exists() and self.path(folder, folder).exists()


WHISPER_CPP = Peer("whisper.cpp", ("pywhispercpp==1.5.1",), "ggml-q8_0.bin")
WHISPERX = Peer("whisperx", ("whisperx==3.8.6",), "", words=False)  # its aligner is fetched from a hub
OPENVINO = Peer("OpenVINO GenAI", ("openvino-genai==2026.4.1.0", "numpy==2.4.6"), "openvino")
SHERPA = Peer("sherpa-onnx", ("sherpa-onnx==2.0.1", "numpy==2.4.6"), "sherpa-onnx", words=False)
PEERS = (WHISPER_CPP, WHISPERX, OPENVINO, SHERPA)

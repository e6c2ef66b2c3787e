"""Make the environments of the peers and convert the weights for them; what is there already stays.

    .venv/bin/python -m benchmarks.speed.peers FOLDER [--only whisper.cpp,sherpa-onnx] [--model base]

The same weights for all, in the best form that each has for a CPU: Q8_0 for whisper.cpp, int8 by ONNX Runtime for
sherpa-onnx, int8 by NNCF for OpenVINO; whisperX takes the checkpoint as it is. Then:

    .venv/bin/python -m benchmarks.speed.compare --only long --peers FOLDER
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path
from zipfile import ZipFile

from benchmarks.speed.peers import OPENVINO, PEERS, SHERPA, WHISPER_CPP, hugging_face
from benchmarks.speed.peers.checkpoint import Checkpoint
from triscribe.models import ModelStore

EXPORT = (
    "nncf==3.4.0",
    "openvino-tokenizers==2026.4.1.0",
    "openvino==2026.4.1",
    "optimum-intel==2.2.0",
    "torch==2.15.0",
    "transformers==5.5.4",
)
"""Brings PyTorch and is needed once: the graph of OpenVINO."""

SILERO = "silero-vad==6.2.3"
"""Only its ONNX file is wanted; the package would bring PyTorch."""


def environment(python: Path, requirements: Sequence[str]) -> None:
    """An environment with these packages."""
    if not python.exists():
        venv.create(python.parent.parent, with_pip=True)
    pip(python, "install", *requirements)


def pip(python: Path, *arguments: str) -> None:
    """One call of pip."""
    subprocess.run([str(python), "-m", "pip", "-q", *arguments], check=True)


def convert_ggml(checkpoint: Checkpoint, target: Path) -> None:
    """For whisper.cpp."""
    from benchmarks.speed.peers import ggml

    ggml.write(checkpoint, target)


def convert_sherpa(checkpoint: Checkpoint, target: Path) -> None:
    """For sherpa-onnx, with its voice detection."""
    from benchmarks.speed.peers import sherpa

    target.mkdir(exist_ok=True)
    pip(Path(sys.executable), "download", "--no-deps", SILERO, "--dest", str(target))
    for wheel in target.glob("*.whl"):
        (target / "silero_vad.onnx").write_bytes(ZipFile(wheel).read("silero_vad/data/silero_vad.onnx"))
        wheel.unlink()
    sherpa.write(checkpoint, target)


def convert_openvino(checkpoint: Checkpoint, target: Path) -> None:
    """For OpenVINO GenAI, by the tool that its guide names."""
    folder = target.parent / "hugging-face"
    hugging_face.write(checkpoint, folder)
    python = target.parent / "environments" / "export" / "bin" / "python"
    environment(python, EXPORT)
    command = [python.with_name("optimum-cli"), "export", "openvino", "--model", folder]
    command += ["--task", "automatic-speech-recognition-with-past", "--weight-format", "int8", target]
    subprocess.run(list(map(str, command)), check=True, env={**os.environ, "HF_HUB_OFFLINE": "1"})


CONVERSIONS = {
    WHISPER_CPP.side: convert_ggml,
    SHERPA.side: convert_sherpa,
    OPENVINO.side: convert_openvino,
}


def main() -> None:
    """Make what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="base")
    parser.add_argument("--only", default="", help="only these peers, comma-separated")
    arguments = parser.parse_args()
    folder: Path = arguments.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    only = set(filter(None, arguments.only.split(",")))
    checkpoint = Checkpoint.load(ModelStore().resolve(arguments.model))
    for peer in PEERS:
        if only and peer.side not in only:
            continue
        environment(peer.python(folder), peer.requirements)
        if peer.weights and not (folder / peer.weights).exists():
            print(f"{peer.side}: converting")
            # Under another name until it is whole: what was interrupted is made again.
            unfinished = folder / f"unfinished-{peer.weights}"
            CONVERSIONS[peer.side](checkpoint, unfinished)
            unfinished.rename(folder / peer.weights)
        print(f"{peer.side}: ready")


if __name__ == "__main__":
    main()

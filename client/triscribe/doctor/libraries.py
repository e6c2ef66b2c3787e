"""Whether the libraries load: Python's, and those that Triton itself is linked to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from triscribe.doctor.children import run, run_python
from triscribe.doctor.findings import Finding, failed, warning, well
from triscribe.doctor.remedies import remedy_for
from triscribe.errors import ModelError, ServingError
from triscribe.models import ModelStore
from triscribe.serving.runtime import STUB, Runtime, find_runtime

SERVER = (
    "numpy",
    "scipy",
    "av",
    "onnx",
    "onnxruntime",
    "tokenizers",
    "ctranslate2",
    "faster_whisper",
    "num2words",
    "psutil",
    "tritonclient.grpc",
)
"""What the server's processes import, in an order in which the cause comes before what it breaks."""

_LOADER = Path(__file__).with_name("_load.py")


def check_libraries(modules: tuple[str, ...] = SERVER) -> Iterator[Finding]:
    """Load each; one that takes its process down does not hide the others."""
    waiting = list(modules)
    while waiting:
        outcome = run_python([str(_LOADER), *waiting])
        states = {line["module"]: line for line in map(json.loads, outcome.lines)}
        for module, line in states.items():
            yield _loaded(module, line, outcome.fault)
        if not states:
            yield failed("libraries", "python", outcome.fault or "no answer", remedy_for(outcome.fault or ""))
            return
        waiting = [module for module in waiting if module not in states]
    yield from _clashes()


def _loaded(module: str, line: dict[str, str], fault: str | None) -> Finding:
    if line["state"] == "loaded":
        return well("libraries", module, line["version"])
    why = line.get("why") or fault or "it did not load"
    return failed("libraries", module, why, remedy_for(why))


def _clashes() -> Iterator[Finding]:
    if find_spec("torch"):
        yield warning(
            "libraries",
            "torch",
            "PyTorch is installed here; CTranslate2 loads it when it finds it, with another set of CUDA libraries",
            "keep PyTorch in the diarizer's environment and make this one from requirements/server.txt",
        )
    if _installed("onnxruntime") and _installed("onnxruntime-gpu"):
        yield failed(
            "libraries",
            "onnxruntime",
            "onnxruntime and onnxruntime-gpu are both installed and overwrite each other's files",
            "uninstall both, then install one of requirements/server.txt and requirements/server-gpu.txt",
        )


def _installed(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True


def check_triton(store: ModelStore) -> Iterator[Finding]:
    """Find the server and let the loader resolve what it and its Python backend are linked to."""
    try:
        runtime = find_runtime(store)
    except ModelError as error:
        yield warning("triton", "tritonserver", str(error), "it is fetched at the start, where a registry is reachable")
        return
    except ServingError as error:
        detail, _, remedy = str(error).partition(": ")
        yield failed("triton", "tritonserver", detail, remedy)
        return
    yield _linked("tritonserver", [str(runtime.binary), "--help"], runtime)
    for stub in (file for file in runtime.backend_files if file.name == STUB):
        yield _linked(STUB, [str(stub)], runtime)


def _linked(name: str, command: list[str], runtime: Runtime) -> Finding:
    fault = run(command, environment=runtime.environment, timeout_s=60).fault or ""
    # Without arguments the stub ends with its usage, which is fine: it was loaded.
    if "shared librar" in fault or "shared object" in fault or "ended by" in fault or "Errno" in fault:
        return failed("triton", name, fault, remedy_for(fault))
    return well("triton", name, command[0])

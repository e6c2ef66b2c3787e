"""Whether the models are there, unharmed, and work on the devices: a real encode, a real ONNX session."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from triscribe.doctor.children import run_python
from triscribe.doctor.findings import Finding, Status, failed, warning, well
from triscribe.doctor.remedies import remedy_for
from triscribe.errors import ModelError
from triscribe.models import ModelStore
from triscribe.models.manifest import Model
from triscribe.serving.assemble import needed_models, source_repository
from triscribe.serving.runtime import INSTALLED, WHEEL
from triscribe.serving.sizing import Sizing

# What is tried on a device, beside the type that was asked for: the fastest and the smallest format.
_TRIED = {"cuda": ("float16", "int8"), "cpu": ("int8", "float32")}


def missing_models(store: ModelStore, checkpoints: Sequence[str]) -> dict[str, int | None]:
    """Bytes to fetch of each model that is not in the cache."""
    return {model.name: model.download_size for model in _known(store, checkpoints) if not _cached(store, model.name)}


def check_models(store: ModelStore, checkpoints: Sequence[str]) -> Iterator[Finding]:
    """Hash what is cached."""
    for name in checkpoints:
        if name not in store.manifest:
            yield _folder(store, name)
    for model in _known(store, checkpoints):
        try:
            found = store.verify(model.name)
        except ModelError as error:
            yield warning("models", model.name, str(error), "it is fetched at the start, where its source is reachable")
            continue
        if found.ok:
            yield well("models", model.name, str(found.path))
        else:
            damage = [
                *(f"{name} is corrupt" for name in found.corrupt),
                *(f"{name} is missing" for name in found.missing),
            ]
            remedy = f"get it again with `triscribe models pull {model.name}`"
            yield failed("models", model.name, f"{', '.join(damage)} in {found.path}", remedy)


def check_encode(
    store: ModelStore, checkpoints: Sequence[str], sizing: Sizing, compute_type: str = "auto"
) -> Iterator[Finding]:
    """Encode ten seconds with each checkpoint on each device in each format; at least one format must work."""
    devices = [f"cuda:{index}" for index in sizing.gpus] or ["cpu"]
    for name in checkpoints:
        try:
            path = store.resolve(name)
        except ModelError:
            continue  # check_models reports it
        for device in devices:
            formats: tuple[str, ...] = _TRIED[device.partition(":")[0]]
            if compute_type not in ("auto", *formats):
                formats = (compute_type, *formats)
            found = [_encode(name, path, device, one, sizing.environment) for one in formats]
            if all(finding.status is Status.FAILED for finding in found):
                yield from found
            else:
                yield from (_softened(finding) for finding in found)


def check_onnx(sizing: Sizing) -> Iterator[Finding]:
    """Run a convolution with ONNX Runtime where the aligner will run."""
    for device in ("cpu", "cuda") if sizing.gpus else ("cpu",):
        outcome = run_python(
            ["-m", "triscribe_align.probe", device],
            environment={"PYTHONPATH": str(source_repository() / "align"), **sizing.environment},
        )
        why = outcome.answer.get("error") or outcome.fault
        yield failed("onnx", device, why, remedy_for(why)) if why else well("onnx", device, "a convolution ran")


def _encode(name: str, path: Path, device: str, compute_type: str, environment: Mapping[str, str]) -> Finding:
    outcome = run_python(
        ["-m", "triscribe_whisper.probe", str(path), device, compute_type],
        environment={"PYTHONPATH": str(source_repository() / "whisper"), **environment},
    )
    subject = f"{name} on {device} as {compute_type}"
    if why := outcome.answer.get("error") or outcome.fault:
        return failed("encode", subject, why, remedy_for(why, "see the message; other formats may work"))
    return well("encode", subject, f"{outcome.answer['compute_type']}, {outcome.answer['seconds']} s with loading")


def _softened(finding: Finding) -> Finding:
    if finding.status is not Status.FAILED:
        return finding
    return warning(
        finding.check, finding.subject, finding.detail, f"{finding.remedy}; the server takes the next format"
    )


def _known(store: ModelStore, checkpoints: Sequence[str]) -> list[Model]:
    triton = () if INSTALLED.exists() else (WHEEL,)
    names = [name for name in (*checkpoints, *needed_models(), *triton) if name in store.manifest]
    return [store.manifest.get(name) for name in dict.fromkeys(names)]


def _cached(store: ModelStore, name: str) -> bool:
    try:
        store.path(name)
    except ModelError:
        return False
    return True


def _folder(store: ModelStore, name: str) -> Finding:
    try:
        return well("models", name, str(store.resolve(name)))
    except ModelError as error:
        return failed("models", name, str(error), "give a name of `triscribe models list` or a complete folder")

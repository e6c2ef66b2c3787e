"""All checks in the order in which a cause comes before what it breaks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from triscribe.doctor.findings import Finding, Report
from triscribe.doctor.libraries import check_libraries, check_triton
from triscribe.doctor.machine import check_cache, check_device, check_machine
from triscribe.doctor.weights import check_encode, check_models, check_onnx, missing_models
from triscribe.models import ModelStore


@dataclass(frozen=True)
class Subject:
    """What is going to be served, and where.

    Attributes:
        models: checkpoints, by name or folder.
        device: as of `triscribe serve`.
        compute_type: as of `triscribe serve`.
        host: address that will be listened on.
        ports: their names and numbers; 0 is not checked.
    """

    models: Sequence[str] = ("base",)
    device: str = "auto"
    compute_type: str = "auto"
    host: str = "127.0.0.1"
    ports: Mapping[str, int] = field(default_factory=dict)


def examine(subject: Subject, store: ModelStore | None = None, *, encode: bool = True) -> Report:
    """Look at everything; nothing is fetched and nothing is changed.

    Args:
        subject: what is going to be served.
        store: where the models lie.
        encode: also load each checkpoint and run it, which takes a while and its memory.
    """
    return Report(tuple(_findings(subject, store or ModelStore(offline=True), encode)))


def _findings(subject: Subject, store: ModelStore, encode: bool) -> Iterator[Finding]:
    yield from check_machine(subject.host, subject.ports)
    yield from check_libraries()
    yield from check_triton(store)
    yield from check_models(store, subject.models)
    yield from check_cache(store, missing_models(store, subject.models))
    device, sizing = check_device(subject.device)
    yield device
    if sizing is None:
        return
    yield from check_onnx(sizing)
    if encode:
        yield from check_encode(store, subject.models, sizing, subject.compute_type)

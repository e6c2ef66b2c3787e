"""What the machine itself must have: a platform, shared memory, disk, free ports."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from triscribe.doctor.findings import Finding, failed, well
from triscribe.errors import ServingError
from triscribe.models import ModelStore
from triscribe.models.files import format_bytes
from triscribe.serving.ports import ReservedPorts
from triscribe.serving.runtime import check_platform, check_shared_memory
from triscribe.serving.sizing import Sizing, size_machine

SHARED_MEMORY = "/dev/shm"  # noqa: S108 - where Triton's Python backend keeps its tensors

MIN_TEMPORARY_BYTES = 64 * 2**20
"""The run directory holds links, configs and Triton's log."""


def check_machine(host: str, ports: Mapping[str, int]) -> Iterator[Finding]:
    """Platform, shared memory, the folder for temporary files, and each port."""
    yield _from_preflight("platform", "system", check_platform)
    yield _from_preflight("shared_memory", SHARED_MEMORY, check_shared_memory)
    yield _temporary()
    for name, port in ports.items():
        if port:
            yield _from_preflight("ports", f"{name} {host}:{port}", lambda port=port: _bind(host, port))  # type: ignore[misc]


def check_device(device: str) -> tuple[Finding, Sizing | None]:
    """Whether the device that was asked for is there, and what it can carry."""
    try:
        sizing = size_machine(device=device)
    except ServingError as error:
        return _split("devices", device, error), None
    return well("devices", device, f"{len(sizing.gpus)} GPUs" if sizing.gpus else "CPU"), sizing


def check_cache(store: ModelStore, missing: Mapping[str, int | None]) -> Iterator[Finding]:
    """Whether what still has to be fetched, in bytes by model, finds room and may be written."""
    if not missing:
        return
    folder = store.cache_dir
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(existing, os.W_OK):
        yield failed(
            "disk",
            str(folder),
            f"{', '.join(missing)} must be fetched, and the cache cannot be written",
            "mount a writable volume there, or one that holds the models, or build an image with them (MODELS)",
        )
        return
    needed = sum(size or 0 for size in missing.values())
    free = shutil.disk_usage(existing).free
    if free < needed:
        yield failed(
            "disk",
            str(folder),
            f"{', '.join(missing)} take {format_bytes(needed)}, and {format_bytes(free)} are free",
            "free some space, or set TRISCRIBE_CACHE to a larger disk",
        )
    else:
        yield well("disk", str(folder), f"{format_bytes(free)} free")


def _temporary() -> Finding:
    remedy = "set TMPDIR to a writable folder with room; with a read-only root file system mount a tmpfs on /tmp"
    try:
        folder = tempfile.gettempdir()
        with tempfile.TemporaryFile():
            free = shutil.disk_usage(folder).free
    except OSError as error:
        return failed("disk", "temporary files", str(error), remedy)
    if free < MIN_TEMPORARY_BYTES:
        return failed("disk", folder, f"{format_bytes(free)} free", remedy)
    return well("disk", str(Path(folder)), f"{format_bytes(free)} free")


def _bind(host: str, port: int) -> None:
    with ReservedPorts(host, grpc=port):
        pass


def _from_preflight(check: str, subject: str, preflight: Callable[[], None]) -> Finding:
    try:
        preflight()
    except ServingError as error:
        return _split(check, subject, error)
    return well(check, subject)


def _split(check: str, subject: str, error: ServingError) -> Finding:
    """Our own errors are one sentence: what is wrong, a colon, what to do."""
    head, _, remedy = str(error).partition(": ")
    return failed(check, subject, head, remedy)

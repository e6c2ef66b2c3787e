"""The Triton that runs on this machine: the wheel's or an installed one, and what it needs around it."""

from __future__ import annotations

import os
import platform
import shutil
import site
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from triscribe.errors import ServingError
from triscribe.models import ModelStore

WHEEL = "tritonserver-24.10"
INSTALLED = Path("/opt/tritonserver")
"""Where NVIDIA's container images keep Triton."""

MIN_GLIBC = (2, 35)
MIN_SHM_BYTES = 64 * 2**20
STUB = "triton_python_backend_stub"


@dataclass(frozen=True)
class Runtime:
    """A Triton ready to be started.

    `backend_files` belong into one folder `python/`; `environment` is what the process needs beside our own.
    """

    binary: Path
    backend_files: tuple[Path, ...]
    environment: dict[str, str]

    def with_environment(self, more: Mapping[str, str]) -> Runtime:
        """The same with more variables."""
        return replace(self, environment={**self.environment, **more})


def find_runtime(store: ModelStore) -> Runtime:
    """The installed Triton if there is one, else the wheel's from the cache (fetched when it is not there).

    Raises:
        ServingError: this machine cannot run it; the message says what is missing and how to get it.
    """
    check_platform()
    check_shared_memory()
    if (INSTALLED / "bin" / "tritonserver").exists():
        backend = INSTALLED / "backends" / "python"
        return Runtime(INSTALLED / "bin" / "tritonserver", tuple(backend.iterdir()), _environment([INSTALLED / "lib"]))
    root = store.pull(WHEEL)
    tritonserver = root / "pytriton" / "tritonserver"
    stub = tritonserver / "python_backend_stubs" / f"{sys.version_info.major}.{sys.version_info.minor}" / STUB
    if not stub.exists():
        raise ServingError(
            f"The embedded Triton has no Python {platform.python_version()}: use Python 3.11, 3.12 or 3.13."
        )
    backend_files = (*(tritonserver / "backends" / "python").iterdir(), stub)
    libraries = [root / "nvidia_pytriton.libs", find_libpython()]
    return Runtime(tritonserver / "bin" / "tritonserver", backend_files, _environment(libraries))


def check_platform() -> None:
    """Refuse what Triton was not built for."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise ServingError(
            f"Triton runs on Linux x86-64, not on {platform.system()} {platform.machine()}: "
            "start `triscribe serve` on such a machine and pass --server HOST:PORT here."
        )
    name, version = platform.libc_ver()
    if name == "glibc" and tuple(map(int, version.split(".")[:2])) < MIN_GLIBC:
        raise ServingError(
            f"Triton needs glibc 2.35 or newer, this system has {version}: use Debian 12, Ubuntu 22.04 or newer."
        )


def check_shared_memory(path: str = "/dev/shm") -> None:  # noqa: S108 - where Triton's Python backend keeps its tensors
    """Refuse to start without room for the tensors that Triton's processes exchange."""
    free = shutil.disk_usage(path).free if Path(path).is_dir() else 0
    if free < MIN_SHM_BYTES:
        raise ServingError(
            f"{path} has {free // 2**20} MiB free and Triton needs {MIN_SHM_BYTES // 2**20}: free some, "
            "or enlarge it (docker run --shm-size=1g; in Kubernetes an emptyDir with medium: Memory)."
        )


def find_libpython() -> Path:
    """The folder of the shared libpython of this interpreter, which the Python backend's stub is linked to."""
    name = f"libpython{sys.version_info.major}.{sys.version_info.minor}.so.1.0"
    places = [sysconfig.get_config_var("LIBDIR"), sysconfig.get_config_var("LIBPL"), f"{sys.base_prefix}/lib"]
    places += [f"/usr/lib/{sysconfig.get_config_var('MULTIARCH') or 'x86_64-linux-gnu'}", "/usr/lib64", "/usr/lib"]
    for place in places:
        if place and (Path(place) / name).exists():
            return Path(place)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    raise ServingError(
        f"{name} is missing, and Triton's Python backend needs it: install libpython{version} "
        f"(Debian, Ubuntu: apt-get install libpython{version}), or use a Python from uv or pyenv."
    )


def _environment(libraries: list[Path]) -> dict[str, str]:
    packages = [*site.getsitepackages(), *(path for path in sys.path if path.endswith("site-packages"))]
    return {
        "LD_LIBRARY_PATH": os.pathsep.join([*map(str, libraries), *filter(None, [os.environ.get("LD_LIBRARY_PATH")])]),
        # The wheel's stubs start an isolated interpreter that ignores PYTHONPATH, but finds a virtual environment by
        # the python3 that comes first on PATH; the stub of NVIDIA's images reads PYTHONPATH.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(packages)),
        "PYTHONDONTWRITEBYTECODE": "1",
    }

"""NVIDIA's perf_analyzer, ready to run: the pinned wheel, and a newer C library beside it where the system's is older.

perf_analyzer 2.60 needs glibc 2.38. Debian 12 and Ubuntu 22.04 have an older one; there the next release's libraries
are fetched with apt into a folder of their own and used through their own loader. The system is not changed: apt gets
a private list of sources, made from the system's own with the release's name replaced, and a private state folder.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

from triscribe.errors import TriscribeError
from triscribe.models import ModelStore
from triscribe.models.store import default_cache_dir

TOOL = "perf-analyzer-2.60.0"
NEEDED_GLIBC = (2, 38)

NEWER_RELEASE = {"debian": "trixie", "ubuntu": "noble"}
"""By distribution, a release whose C library is new enough."""

PACKAGES = ("libc6", "libstdc++6", "libgcc-s1", "libssl3t64", "zlib1g")
"""What the binary is linked to."""

_LIBRARIES = Path("usr/lib/x86_64-linux-gnu")
_LOADERS = (_LIBRARIES / "ld-linux-x86-64.so.2", Path("usr/lib64/ld-linux-x86-64.so.2"))


class ToolError(TriscribeError):
    """perf_analyzer cannot be had or run on this machine."""


def perf_analyzer() -> list[str]:
    """The command that starts perf_analyzer; its arguments go after it. Fetches what is missing, once.

    Raises:
        ToolError: this system has no way to run it.
        ModelError: the wheel cannot be fetched.
    """
    if platform.machine() != "x86_64" or platform.system() != "Linux":
        raise ToolError("perf_analyzer runs on Linux x86-64: start the load test there, with --server HOST:PORT.")
    binary = ModelStore().pull(TOOL) / "perf_analyzer" / "bin" / "perf_analyzer"
    if _glibc() >= NEEDED_GLIBC:
        return [str(binary)]
    root = _newer_libraries()
    loader = next(root / path for path in _LOADERS if (root / path).exists())
    return [str(loader), "--library-path", str(root / _LIBRARIES), str(binary)]


def _glibc() -> tuple[int, ...]:
    name, version = platform.libc_ver()
    return tuple(map(int, version.split(".")[:2])) if name == "glibc" else (0, 0)


def _newer_libraries() -> Path:
    """The folder that the newer release's packages are unpacked in."""
    facts = platform.freedesktop_os_release()
    newer = NEWER_RELEASE.get(facts.get("ID", ""))
    if newer is None or shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise ToolError(
            "perf_analyzer needs glibc 2.38, and this system is older and without apt: run the load test on Debian 13, "
            "Ubuntu 24.04 or newer, with --server HOST:PORT."
        )
    root = default_cache_dir() / "tools" / f"glibc-of-{newer}"
    if not root.exists():
        root.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".libraries-", dir=root.parent) as folder:
            work = Path(folder)
            unpacked = work / "root"
            for package in _download(work, _sources(facts["VERSION_CODENAME"], newer)):
                _run(["dpkg", "-x", str(package), str(unpacked)])
            if not any((unpacked / path).exists() for path in _LOADERS):
                raise ToolError(f"The packages of {newer} hold no loader where one is expected.")
            try:
                unpacked.rename(root)
            except OSError:
                if not root.exists():  # else another process was quicker
                    raise
    return root


def _sources(present: str, newer: str) -> str:
    """A sources list for `newer` at every place from which the system takes its `present` release."""
    keyring = Path(f"/usr/share/keyrings/{platform.freedesktop_os_release()['ID']}-archive-keyring.gpg")
    signed = f"[signed-by={keyring}] " if keyring.exists() else ""
    shown = _run(["apt-get", "indextargets", "--format", "$(SITE) $(RELEASE)", "Created-By: Packages"])
    places = [line.split() for line in dict.fromkeys(shown.splitlines())]
    lines = [f"deb {signed}{site} {newer} main" for site, release in places if release == present]
    if not lines:
        raise ToolError(
            f"apt knows no source of {present}: run `apt-get update` once (as root), or run the load "
            "test on Debian 13, Ubuntu 24.04 or newer."
        )
    return "\n".join(lines) + "\n"


def _download(work: Path, sources: str) -> list[Path]:
    """The packages as files; apt checks the signatures and hashes. Needs no root."""
    for folder in ("state/lists/partial", "cache/archives/partial", "debs"):
        (work / folder).mkdir(parents=True)
    (work / "sources.list").write_text(sources)
    (work / "status").touch()
    settings = {
        "Dir::Etc::SourceList": work / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State": work / "state",
        "Dir::State::status": work / "status",
        "Dir::Cache": work / "cache",
        "APT::Sandbox::User": "root",  # the usual one, _apt, cannot write here
        "Acquire::Languages": "none",
    }
    options = [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]
    _run(["apt-get", *options, "-qq", "update"])
    _run(["apt-get", *options, "-qq", "download", *PACKAGES], cwd=work / "debs")
    packages = sorted((work / "debs").glob("*.deb"))
    if len(packages) != len(PACKAGES):
        raise ToolError(f"apt delivered {len(packages)} of {len(PACKAGES)} packages: {', '.join(PACKAGES)}.")
    return packages


def _run(command: list[str], cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ToolError(
            f"`{' '.join(command[:1])}` failed while fetching libraries for perf_analyzer: {done.stderr.strip()}"
        )
    return done.stdout

"""Images built by buildah and started by bubblewrap: what an engine would do, without one.

buildah builds with `--isolation chroot`, over a base that mmdebstrap makes of Debian's packages. bubblewrap starts what
the image's config says, as its user, without capabilities, on a read-only root, with a tmpfs on /tmp and /dev/shm.
"""

from __future__ import annotations

import configparser
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.harness.paths import REPOSITORY

BASE = "localhost/triscribe-base"
SHM_BYTES = 2**30

_PACKAGES = "python3,python3-venv,libpython3.11,ca-certificates"
_CERTIFICATES = "/etc/ssl/certs"


def buildah(*arguments: str) -> str:
    """Standard output of a buildah command."""
    ended = subprocess.run(
        ["buildah", "--storage-driver", "overlay", *arguments], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, f"buildah {' '.join(arguments)}\n{ended.stdout[-3000:]}\n{ended.stderr[-3000:]}"
    return ended.stdout.strip()


def make_base() -> None:
    """A minimal Debian with Python, unless it is there."""
    if BASE in buildah("images", "--format", "{{.Name}}").split():
        return
    with tempfile.TemporaryDirectory(prefix="triscribe-") as folder:
        root = Path(folder) / "root.tar"
        subprocess.run(
            ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={_PACKAGES}", "bookworm", str(root)], check=True
        )
        container = buildah("from", "scratch")
        buildah("add", "--quiet", container, str(root), "/")
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        buildah("config", "--env", f"PATH={path}", container)
        buildah("commit", "--quiet", "--rm", container, BASE)


def build(target: str, *arguments: str, context: Path = REPOSITORY) -> float:
    """Build a target of the Dockerfile; returns the seconds it took."""
    with tempfile.TemporaryDirectory(prefix="triscribe-") as folder:
        secret = Path(folder) / "pip.conf"
        secret.write_text(_pip_settings())
        started = time.monotonic()
        buildah(
            *("bud", "--isolation", "chroot", "--format", "docker", "--layers", "--pull-never"),
            *("--target", target, "--build-arg", f"BASE={BASE}", "--secret", f"id=pip.conf,src={secret}"),
            *("--volume", f"{_CERTIFICATES}:{_CERTIFICATES}:ro", "--tag", name(target), *arguments, str(context)),
        )
        return time.monotonic() - started


def name(target: str) -> str:
    """The image of a target."""
    return f"localhost/triscribe-{target}"


def size(target: str) -> str:
    """Size of an image for a person."""
    return buildah("images", "--format", "{{.Size}}", name(target))


def layers(target: str) -> list[str]:
    """Digests of an image's layers, the base's first."""
    found: list[str] = json.loads(buildah("inspect", "--type", "image", name(target)))["OCIv1"]["rootfs"]["diff_ids"]
    return found


def _pip_settings() -> str:
    """How this machine's pip reaches its registry, as far as that holds inside a build."""
    said = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    settings = configparser.ConfigParser()
    settings["global"] = {}
    for line in said.stdout.splitlines():
        key, _, value = line.partition("=")
        option = key.rpartition(".")[2]
        if option in ("index-url", "cert", "proxy", "trusted-host", "timeout"):
            settings["global"][option] = value.strip("'")
    with tempfile.TemporaryFile("w+") as file:
        settings.write(file)
        file.seek(0)
        return file.read()


@dataclass(frozen=True)
class Image:
    """A mounted image and its config."""

    root: Path
    user: str
    environment: Mapping[str, str]
    entrypoint: Sequence[str]
    command: Sequence[str]
    health: Sequence[str]
    labels: Mapping[str, str]

    def bubble(
        self, command: Sequence[str], environment: Mapping[str, str] | None = None, *, share_pids: bool = False
    ) -> list[str]:
        """The command line that starts a command in the image as an engine would with `--read-only`."""
        uid, _, gid = self.user.partition(":")
        bubble = ["bwrap", "--ro-bind", str(self.root), "/", "--proc", "/proc", "--dev", "/dev", "--die-with-parent"]
        bubble += [
            "--perms",
            "1777",
            "--tmpfs",
            "/tmp",
            "--perms",
            "1777",
            "--size",
            str(SHM_BYTES),
            "--tmpfs",
            "/dev/shm",
        ]
        bubble += ["--clearenv", "--unshare-uts", "--unshare-ipc"]
        if not share_pids:
            bubble += ["--unshare-pid", "--as-pid-1"]
        for key, value in {**self.environment, **(environment or {})}.items():
            bubble += ["--setenv", key, value]
        for capability in ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"):  # for setpriv, which gives them up
            bubble += ["--cap-add", capability]
        drop = ["setpriv", "--reuid", uid, "--regid", gid, "--clear-groups", "--no-new-privs", "--bounding-set=-all"]
        return [*bubble, *drop, *command]

    def run(self, *command: str, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command in the image to its end."""
        return subprocess.run(
            self.bubble(command, environment), capture_output=True, text=True, timeout=600, check=False
        )


@contextmanager
def mounted(target: str) -> Iterator[Image]:
    """Mount an image."""
    container = buildah("from", "--pull-never", name(target))
    try:
        root = Path(buildah("mount", container))
        config = json.loads(buildah("inspect", "--type", "image", name(target)))["Docker"]["config"]
        health = config["Healthcheck"]["Test"]
        assert health[0] == "CMD"
        yield Image(
            root,
            config["User"],
            dict(item.split("=", 1) for item in config["Env"]),
            config["Entrypoint"],
            config.get("Cmd") or [],
            health[1:],
            config["Labels"],
        )
    finally:
        buildah("rm", container)


@contextmanager
def started(
    image: Image, *arguments: str, environment: Mapping[str, str] | None = None, log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Start the image's entrypoint with arguments, or with its own; SIGTERM at the end, as an engine does."""
    command = image.bubble([*image.entrypoint, *(arguments or image.command)], environment)
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        for child in _children(process.pid):  # bubblewrap passes no signals on; an engine signals process 1
            os.kill(child, signal.SIGTERM)
        try:
            process.wait(90)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

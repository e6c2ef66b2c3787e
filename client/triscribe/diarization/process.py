"""The local diarizer process: found, started with a private socket and token, watched, and ended."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import triscribe
from triscribe.errors import DiarizationError

PYTHON_ENV = "TRISCRIBE_DIARIZER_PYTHON"
TOKEN_ENV = "TRISCRIBE_DIARIZER_TOKEN"  # noqa: S105 - the name of a variable

_STOP_S = 3.0
_POLL_S = 0.05
# Would let the client's packages, or somebody's start-up code, into the diarizer's interpreter.
_NOT_INHERITED = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "VIRTUAL_ENV", "LD_PRELOAD")


@dataclass(frozen=True, slots=True)
class ProcessSettings:
    """How the local process is started.

    Attributes:
        python: interpreter of the diarizer's environment; see `find_python` for the default.
        start_timeout_s: how long it may take until it accepts calls.
        threads: cores it may use; 0 takes all.
        device: "auto", "cpu", "cuda" or "cuda:N".
        pipelines: pipeline name → folder with a local copy.
        allow_unverified: open checkpoints that the manifest does not know. Opening one can run code of whoever
            made it.
    """

    python: Path | None = None
    start_timeout_s: float = 60.0
    threads: int = 0
    device: str = "auto"
    pipelines: Mapping[str, Path] = field(default_factory=dict)
    allow_unverified: bool = False


def find_python(configured: Path | None = None) -> Path:
    """The interpreter of the diarizer's environment.

    Args:
        configured: wins over the environment variable TRISCRIBE_DIARIZER_PYTHON, which wins over a folder
            `.venv-diarizer` in the repository or beside (or in) the running environment.

    Raises:
        DiarizationError: there is none.
    """
    named = configured or (Path(value) if (value := os.environ.get(PYTHON_ENV)) else None)
    if named:
        if not named.is_file():
            raise DiarizationError(f"There is no diarizer interpreter {named}; see {PYTHON_ENV}.")
        return named
    inside = Path("Scripts/python.exe") if os.name == "nt" else Path("bin/python")
    prefix = Path(sys.prefix)
    roots = (Path(triscribe.__file__).resolve().parents[2], prefix.parent, prefix)
    for root in roots:
        if (candidate := root / ".venv-diarizer" / inside).is_file():
            return candidate
    raise DiarizationError(
        f"The diarizer has no environment yet. Create {roots[0] / '.venv-diarizer'} and install "
        f"requirements/diarizer.txt into it, or name an interpreter in {PYTHON_ENV}."
    )


class DiarizerProcess:
    """One child process. Nothing restarts it: a new object is a new process.

    It ends with the thread that made this object (Linux: the kernel sees to it) and with this process. On POSIX it
    listens on a Unix socket in a folder that only this user can enter, elsewhere on loopback; both with a token.
    """

    def __init__(self, settings: ProcessSettings) -> None:
        python = find_python(settings.python)
        self.token = secrets.token_urlsafe(32)
        self._deadline = time.monotonic() + settings.start_timeout_s
        # Short: the path of a socket may have 107 characters.
        self._folder = tempfile.TemporaryDirectory(prefix="triscribe-", ignore_cleanup_errors=True)
        self._root = Path(self._folder.name)
        self._ready = self._root / "ready"
        self._log = self._root / "log"
        with self._log.open("wb") as log:
            try:
                self._child = subprocess.Popen(
                    [str(python), "-m", "triscribe.diarizer", *self._arguments(settings)],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=self._environment(),
                    cwd=self._root,
                    start_new_session=True,  # Ctrl-C is for us: we end it
                )
            except OSError as error:
                raise DiarizationError(f"The diarizer cannot be started with {python}: {error.strerror}.") from error

    @property
    def pid(self) -> int:
        """Process id."""
        return self._child.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._child.poll() is None

    @property
    def accepts_calls(self) -> bool:
        """Whether it has come so far."""
        return self._ready.exists()

    @property
    def killed(self) -> bool:
        """Whether a signal ended it."""
        return (self._child.poll() or 0) < 0

    def ends_within(self, seconds: float) -> bool:
        """Whether it has ended, or does so now: a connection is lost a moment before the process that held it."""
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(seconds)
        return not self.alive

    async def address(self) -> str:
        """The gRPC address, once it accepts calls.

        Raises:
            DiarizationError: it ended, or the deadline passed.
        """
        while not self._ready.exists():
            if not self.alive:
                raise DiarizationError(f"The diarizer did not start: {self.last_words()}")
            if time.monotonic() > self._deadline:
                raise DiarizationError("The diarizer did not start in time.")
            await asyncio.sleep(_POLL_S)
        return self._ready.read_text()

    def last_words(self) -> str:
        """Why it ended, as far as its exit status and its log tell."""
        status = self._child.poll()
        if status is not None and status < 0:
            name = signal.Signals(-status).name
            return f"killed by {name}" + (", perhaps out of memory." if name == "SIGKILL" else ".")
        lines = self._log.read_text("utf-8", "replace").split("\n") if self._log.exists() else []
        said = next((line for line in reversed(lines) if line.strip()), "it said nothing")
        return f"{said.removeprefix('error: ')} (exit status {status})."

    def stop(self) -> None:
        """Ends it and removes its folder. May be called twice."""
        if self.alive:
            self._child.terminate()
            try:
                self._child.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self._child.kill()
        self._child.wait()
        if self._child.stdin:
            self._child.stdin.close()
        self._folder.cleanup()

    def kill(self) -> None:
        """Ends it at once."""
        self._child.kill()
        self.stop()

    def _arguments(self, settings: ProcessSettings) -> list[str]:
        where = ["--listen", "127.0.0.1:0"] if os.name == "nt" else ["--socket", str(self._root / "socket")]
        arguments = [*where, "--ready-file", str(self._ready), "--parent", str(os.getpid())]
        arguments += ["--threads", str(settings.threads), "--device", settings.device]
        for name, folder in settings.pipelines.items():
            arguments += ["--pipeline", f"{name}={folder.resolve()}"]
        if settings.allow_unverified:
            arguments.append("--allow-unverified-checkpoints")
        return arguments

    def _environment(self) -> dict[str, str]:
        # A folder with nothing but our package, so that the client's other packages stay out of reach.
        path = self._root / "path"
        path.mkdir()
        package = Path(triscribe.__file__).resolve().parent
        try:
            (path / package.name).symlink_to(package, target_is_directory=True)
        except OSError:  # Windows, without the right to make links
            shutil.copytree(package, path / package.name)
        inherited = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
        return inherited | {
            TOKEN_ENV: self.token,
            "PYTHONPATH": str(path),
            "PYTHONSAFEPATH": "1",
            "PYTHONNOUSERSITE": "1",
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

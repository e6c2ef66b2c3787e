"""The embedded Triton: everything `triscribe serve`, the CLI and the tests share, as one context manager."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from triscribe.models import ModelStore
from triscribe.serving.assemble import ServedModel, assemble
from triscribe.serving.canary import Canary
from triscribe.serving.machine import size_machine
from triscribe.serving.ports import ReservedPorts
from triscribe.serving.process import ServerCommand
from triscribe.serving.runtime import find_runtime
from triscribe.serving.supervisor import Supervisor, Watch

DEFAULT_MODEL = "base"


@dataclass(frozen=True)
class ServeOptions:
    """What to serve and where. Ports of 0 are chosen; `models` are manifest names or checkpoint folders."""

    models: Sequence[str] = (DEFAULT_MODEL,)
    host: str = "127.0.0.1"
    grpc_port: int = 0
    http_port: int = 0
    metrics_port: int = 0
    device: str = "auto"
    compute_type: str = "auto"
    threads: int = 0
    instances: int = 0
    log_file: Path | None = None
    watch: Watch = field(default_factory=Watch)


class EmbeddedTriton:
    """A supervised Triton in a run directory that is removed with it.

    Entering starts it and waits for a first real answer; leaving stops it and every process below it.
    """

    def __init__(self, options: ServeOptions | None = None, store: ModelStore | None = None) -> None:
        self._options = options or ServeOptions()
        self._store = store or ModelStore()
        self._stack = ExitStack()
        self.ports = ReservedPorts(
            self._options.host, self._options.grpc_port, self._options.http_port, self._options.metrics_port
        )
        self.supervisor: Supervisor

    @property
    def url(self) -> str:
        """HOST:PORT of the gRPC endpoint."""
        host = f"[{self.ports.host}]" if ":" in self.ports.host else self.ports.host
        return f"{host}:{self.ports.grpc}"

    def __enter__(self) -> EmbeddedTriton:
        """Start.

        Raises:
            ServingError: this machine cannot run Triton, or it did not come up.
            ModelError: weights are missing and cannot be fetched.
        """
        with ExitStack() as undo:
            run_dir = Path(tempfile.mkdtemp(prefix="triscribe-"))
            undo.callback(shutil.rmtree, run_dir, ignore_errors=True)
            runtime = find_runtime(self._store)
            models = [self._served(name) for name in self._options.models]
            undo.enter_context(self.ports)
            sizing = size_machine(
                device=self._options.device,
                threads=self._options.threads,
                instances=self._options.instances,
                weights_bytes=sum(file.stat().st_size for model in models for file in model.path.glob("*.bin")),
            )
            repository = run_dir / "models"
            assemble(repository, models, sizing, self._store, compute_type=self._options.compute_type)
            backends = run_dir / "backends"
            (backends / "python").mkdir(parents=True)
            for file in runtime.backend_files:
                (backends / "python" / file.name).symlink_to(file)
            log = self._options.log_file or run_dir / "triton.log"
            command = ServerCommand(runtime, repository, backends, self.ports, log)
            canary = Canary(self._connect_url, [model.name for model in models])
            self.supervisor = Supervisor(command, canary, self._options.watch)
            undo.callback(self.supervisor.stop)
            self.supervisor.start()
            self._stack = undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def _connect_url(self) -> str:
        return self.url.replace("0.0.0.0", "127.0.0.1")  # noqa: S104 - an address to connect to, not to bind

    def _served(self, name: str) -> ServedModel:
        path = self._store.resolve(name)
        if name not in self._store.manifest:
            return ServedModel(path.name, path)
        entry = self._store.manifest.get(name)
        return ServedModel(name, path, tuple(entry.tasks), tuple(entry.languages))

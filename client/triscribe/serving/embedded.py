"""The embedded Triton: everything `triscribe serve`, the CLI and the tests share, as one context manager."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType

from triscribe.address import host_port
from triscribe.errors import ServingError
from triscribe.extras import require
from triscribe.models import ModelStore
from triscribe.serving.assemble import ServedCheckpoint, assemble, distinct
from triscribe.serving.endpoint import HealthEndpoint
from triscribe.serving.ports import ReservedPorts
from triscribe.serving.process import DRAIN_S, ServerCommand
from triscribe.serving.runtime import find_runtime
from triscribe.serving.shared_memory import SharedMemory
from triscribe.serving.sizing import size_machine
from triscribe.serving.supervisor import State, Supervisor, Watch
from triscribe.triton.canary import Canary
from triscribe.triton.names import name_of_folder
from triscribe.triton.tls import MutualTls

DEFAULT_MODEL = "base"


@dataclass(frozen=True)
class ServeOptions:
    """What to serve and where. Ports of 0 are chosen; `models` are manifest names or checkpoint folders.

    `health_port` None leaves the health endpoint out; `sizing` replaces fields of what `size_machine` derives.
    `warm_up` runs every stage once before anybody asks: whoever starts a server for a single job has no use for it.
    """

    models: Sequence[str] = (DEFAULT_MODEL,)
    host: str = "127.0.0.1"
    grpc_port: int = 0
    http_port: int = 0
    metrics_port: int = 0
    health_port: int | None = None
    device: str = "auto"
    compute_type: str = "auto"
    threads: int = 0
    sizing: Mapping[str, float] = field(default_factory=dict)
    instances: int = 0
    log_file: Path | None = None
    tls: MutualTls | None = None
    max_connection_age_s: int = 0
    drain_s: float = DRAIN_S
    watch: Watch = field(default_factory=Watch)
    warm_up: bool = True

    def for_one_call(self) -> ServeOptions:
        """The same for a server with one user, who waits for it: nothing before his first request or after his last."""
        return replace(self, warm_up=False, drain_s=0.0, watch=replace(self.watch, first_answer=False))


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
        self.health: HealthEndpoint | None = None
        self._supervisor: Supervisor | None = None

    @property
    def supervisor(self) -> Supervisor:
        """Who watches the server; there is none before it was entered."""
        if self._supervisor is None:
            raise RuntimeError("the server was not entered")
        return self._supervisor

    @property
    def url(self) -> str:
        """HOST:PORT of the gRPC endpoint."""
        return host_port(self.ports.host, self.ports.grpc)

    def __enter__(self) -> EmbeddedTriton:
        """Start.

        Raises:
            ServingError: this machine cannot run Triton, or it did not come up.
            ModelError: weights are missing and cannot be fetched.
        """
        with ExitStack() as undo:
            undo.enter_context(self.begun())
            self.supervisor.wait_for_start()
            self._stack = undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @contextmanager
    def begun(self) -> Iterator[EmbeddedTriton]:
        """Start without waiting for it, and stop at the end; `supervisor.serving` waits.

        Raises:
            ServingError: this machine cannot run Triton.
            ModelError: weights are missing and cannot be fetched.
        """
        # Other packages of the server may be there without it: faster-whisper brings CTranslate2.
        require("num2words", "server", "A server of its own")
        with ExitStack() as undo:
            if self._options.health_port is not None:
                # First to come and last to go: fetching weights and draining are states to be reported too.
                self.health = HealthEndpoint(self._options.host, self._options.health_port, self._state)
                undo.enter_context(self.health)
            run_dir = Path(tempfile.mkdtemp(prefix="triscribe-"))
            undo.callback(shutil.rmtree, run_dir, ignore_errors=True)
            models = distinct([self._served(name) for name in self._options.models])
            sizing = size_machine(
                device=self._options.device,
                threads=self._options.threads,
                instances=self._options.instances,
                weights_bytes=sum(file.stat().st_size for model in models for file in model.path.glob("*.bin")),
            )
            sizing = replace(sizing, **self._options.sizing)  # type: ignore[arg-type]
            shared_memory = undo.enter_context(SharedMemory())  # before anybody asks how much is free
            runtime = find_runtime(self._store).with_environment(sizing.environment)
            undo.enter_context(self.ports)
            repository = run_dir / "models"
            backends = run_dir / "backends"
            with _written(run_dir):
                assemble(
                    repository,
                    models,
                    sizing,
                    self._store,
                    compute_type=self._options.compute_type,
                    warm_up=self._options.warm_up,
                )
                (backends / "python").mkdir(parents=True)
                for file in runtime.backend_files:
                    (backends / "python" / file.name).symlink_to(file)
            log = self._options.log_file or run_dir / "triton.log"
            options = self._options
            command = ServerCommand(
                runtime,
                repository,
                backends,
                self.ports,
                shared_memory,
                log,
                options.tls,
                options.max_connection_age_s,
                options.drain_s,
            )
            canary = Canary(self._connect_url, [model.name for model in models], options.tls)
            self._supervisor = Supervisor(command, canary, self._options.watch)
            undo.callback(self.supervisor.stop)
            self.supervisor.begin()
            yield self

    def _state(self) -> State:
        return self._supervisor.state if self._supervisor else State.STARTING

    @property
    def _connect_url(self) -> str:
        return self.url.replace("0.0.0.0", "127.0.0.1")  # noqa: S104 - an address to connect to, not to bind

    def _served(self, name: str) -> ServedCheckpoint:
        path = self._store.resolve(name)
        if name not in self._store.manifest:
            return ServedCheckpoint(name_of_folder(path.name), path)
        entry = self._store.manifest.get(name)
        return ServedCheckpoint(name, path, tuple(entry.tasks), tuple(entry.languages))


@contextmanager
def _written(run_dir: Path) -> Iterator[None]:
    """A run directory that cannot be written is an error with a remedy."""
    try:
        yield
    except OSError as error:
        # copytree collects what went wrong as (source, target, reason).
        reason = error.args[0][0][2].partition(": '")[0] if isinstance(error, shutil.Error) else error.strerror
        raise ServingError(
            f"The run directory {run_dir} cannot be written ({reason}): make room there, or set TMPDIR."
        ) from error

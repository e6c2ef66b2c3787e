"""Several `triscribe serve` behind the Envoy of deploy/envoy/envoy.yaml, on one machine; for benchmarks and tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil
import tritonclient.grpc as grpcclient
import yaml

from tests.harness.paths import REPOSITORY
from triscribe.serving.ports import ReservedPorts

CONFIG = REPOSITORY / "deploy" / "envoy" / "envoy.yaml"
BIN = Path(sys.executable).parent
START_S = 180.0
STOP_S = 60.0


class Replica:
    """One `triscribe serve` on ports that it keeps through every restart.

    `prefix` is put before the command, `environment` beside its variables.
    """

    def __init__(
        self,
        name: str,
        work: Path,
        *,
        model: str,
        threads: int,
        prefix: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self._held = ExitStack()
        self._ports = _held_ports(self._held, 4)
        self.grpc, self.health = self._ports[0], self._ports[3]
        names = ("grpc", "http", "metrics", "health")
        self._command = [*prefix, str(BIN / "triscribe"), "serve", "--model", model, "--threads", str(threads)]
        self._command += [f"--{n}-port={port}" for n, port in zip(names, self._ports, strict=True)]
        self._environment = {**os.environ, **(environment or {})}
        self.log = work / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The command, once it was started."""
        assert self._process is not None
        return self._process

    @property
    def running(self) -> bool:
        """Whether the command was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def url(self) -> str:
        """HOST:PORT of its gRPC."""
        return f"127.0.0.1:{self.grpc}"

    def start(self) -> None:
        """Start the process; `wait_ready` waits for it."""
        self._held.close()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, env=self._environment)

    def is_ready(self) -> bool:
        """The supervisor's word."""
        return _ok(f"http://127.0.0.1:{self.health}/readyz")

    def wait_ready(self) -> None:
        """Wait until it serves."""
        _wait(self.is_ready, START_S, f"{self.name} did not get ready: {self.log}")

    def kill(self) -> None:
        """SIGKILL for the supervisor, Triton and the workers, as when a machine goes away."""
        assert self._process is not None
        family = [psutil.Process(self._process.pid)]
        family += family[0].children(recursive=True)
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        psutil.wait_procs(family, timeout=10)
        self._process.wait()

    def stop(self) -> None:
        """SIGTERM, and wait for the orderly end."""
        if not self.running:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def answered(self) -> int:
        """Requests that its pipeline has answered since it was started."""
        with grpcclient.InferenceServerClient(self.url) as client:
            return int(client.get_inference_statistics("transcribe").model_stats[0].inference_stats.success.count)


class Envoy:
    """The real Envoy with the project's configuration; only addresses are replaced."""

    def __init__(self, replicas: Sequence[Replica], work: Path) -> None:
        self._held = ExitStack()
        self._port, self._health, self._admin = _held_ports(self._held, 3)
        self._config = work / "envoy.yaml"
        self._config.write_text(yaml.safe_dump(self._local(replicas)))
        self._log = work / "envoy.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """HOST:PORT that clients use."""
        return f"127.0.0.1:{self._port}"

    def __enter__(self) -> Envoy:
        """Start and wait until it is live."""
        # A base id of its own, so that several may run on one machine.
        command = [str(BIN / "envoy"), "-c", str(self._config), "--use-dynamic-base-id", "--log-level", "warning"]
        self._held.close()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        _wait(lambda: _ok(f"http://127.0.0.1:{self._health}/ready"), 30, f"Envoy did not start: {self._log}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(STOP_S)

    def healthy(self) -> int:
        """Replicas that get requests at the moment."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._health}/stats/prometheus", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        value = next(
            line for line in lines if line.startswith('envoy_cluster_membership_healthy{envoy_cluster_name="triton"')
        )
        return int(float(value.split()[-1]))

    def wait_healthy(self, count: int) -> None:
        """Wait until so many replicas get requests."""
        _wait(lambda: self.healthy() == count, START_S, f"Envoy does not see {count} replicas: {self._log}")

    def _local(self, replicas: Sequence[Replica]) -> dict[str, Any]:
        config: dict[str, Any] = yaml.safe_load(CONFIG.read_text())
        resources = config["static_resources"]
        config["admin"]["address"] = _address(self._admin)
        for listener, port in zip(resources["listeners"], (self._port, self._health), strict=True):
            listener["address"] = _address(port)
        triton, admin = resources["clusters"]
        (group,) = triton["load_assignment"]["endpoints"]
        group["lb_endpoints"] = [
            {"endpoint": {"address": _address(r.grpc), "health_check_config": {"port_value": r.health}}}
            for r in replicas
        ]
        (group,) = admin["load_assignment"]["endpoints"]
        group["lb_endpoints"] = [{"endpoint": {"address": _address(self._admin)}}]
        return config


@contextmanager
def replica_set(
    work: Path, *, count: int = 2, model: str = "base", threads: int = 1
) -> Iterator[tuple[list[Replica], Envoy]]:
    """`count` ready replicas and the Envoy in front of them; logs go to `work`."""
    replicas = [Replica(f"replica-{index}", work, model=model, threads=threads) for index in range(count)]
    with ExitStack() as stack:
        for replica in replicas:
            stack.callback(replica.stop)
            replica.start()
        for replica in replicas:
            replica.wait_ready()
        envoy = stack.enter_context(Envoy(replicas, work))
        envoy.wait_healthy(count)
        yield replicas, envoy


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _held_ports(held: ExitStack, count: int) -> list[int]:
    """Free ports, which nobody else gets until `held` is closed, right before they are used."""
    return [held.enter_context(ReservedPorts()).grpc for _ in range(count)]


def _ok(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _wait(condition: Callable[[], bool], timeout_s: float, why: str) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(why)
        time.sleep(0.1)

"""The gateway as a process of its own, as it runs in production."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import httpx
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client.parser import text_string_to_metric_families

from tests.harness.paths import COMMAND

START_S = 60
SERVICE = "triscribe.v1.SpeechService"


class GatewayProcess:
    """One running gateway; its log is parsed line by line.

    Args:
        server: HOST:PORT of Triton.
        settings: its settings (`triscribe gateway --help`); ports are free ones unless given, and there is no HTTP
            door.
    """

    def __init__(self, server: str, **settings: object) -> None:
        environment = {f"TRISCRIBE_GATEWAY_{name.upper()}": str(value) for name, value in settings.items()}
        free = {
            "TRISCRIBE_GATEWAY_PORT": "0",
            "TRISCRIBE_GATEWAY_METRICS_PORT": "0",
            "TRISCRIBE_GATEWAY_HTTP_PORT": "0",
        }
        environment = free | environment
        self.process = subprocess.Popen(
            [COMMAND, "gateway", "--server", server], env=os.environ | environment, stderr=subprocess.PIPE, text=True
        )
        self.lines: list[str] = []
        self._listening = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not self._listening.wait(START_S):
            self.stop()
            raise AssertionError("the gateway did not listen:\n" + "".join(self.lines))

    def _read(self) -> None:
        for line in self.process.stderr or ():
            self.lines.append(line)
            if '"listening"' in line:
                entry = json.loads(line)
                self.address, self.metrics_port = entry["address"], entry["metrics_port"]
                self.http_address = entry["http_address"]
                self._listening.set()

    def events(self, name: str) -> list[dict[str, Any]]:
        """Entries of the log with that name."""
        entries = [json.loads(line) for line in list(self.lines) if line.startswith("{")]
        return [entry for entry in entries if entry["event"] == name]

    def ended(self, method: str, code: str) -> int:
        """How many calls ended so."""
        return sum((entry["method"], entry["code"]) == (method, code) for entry in self.events("call"))

    def open_calls(self, method: str) -> float:
        """Calls that are being worked on, as Prometheus sees them."""
        text = httpx.get(f"http://127.0.0.1:{self.metrics_port}/metrics", trust_env=False).text
        samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
        return sum(s.value for s in samples if s.name == "triscribe_gateway_in_flight" and s.labels["method"] == method)

    def terminate(self) -> None:
        """Ask it to end."""
        self.process.send_signal(signal.SIGTERM)

    def stop(self, timeout_s: float = 10) -> None:
        """End it, whatever it does."""
        self.process.terminate()
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._reader.join(5)

    def wait_until_serving(self, credentials: grpc.ChannelCredentials | None = None) -> None:
        """Wait, as a load balancer would, until health says that calls can be answered."""
        opened = grpc.secure_channel(self.address, credentials) if credentials else grpc.insecure_channel(self.address)
        with opened as channel:
            request = health_pb2.HealthCheckRequest(service=SERVICE)
            for response in health_pb2_grpc.HealthStub(channel).Watch(request, timeout=START_S):
                if response.status == health_pb2.HealthCheckResponse.SERVING:
                    return


@contextmanager
def gateway_process(server: str, **settings: object) -> Iterator[GatewayProcess]:
    """A gateway that serves."""
    gateway = GatewayProcess(server, **settings)
    try:
        if "tls_cert" not in settings:
            gateway.wait_until_serving()
        yield gateway
    finally:
        gateway.stop()

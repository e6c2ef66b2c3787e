from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any
from unittest import mock

import pytest

from tests.harness.gateway import GatewayProcess, gateway_process
from tests.harness.ports import free_port
from triscribe.client import AsyncClient
from triscribe.serving import EmbeddedTriton, ServeOptions, embedded
from triscribe.serving.sizing import Sizing, size_machine
from triscribe.serving.supervisor import Watch

SMALL_QUEUE_S = 150.0
HTTP_MODEL = "tiny.en"
PAGE = "https://page.example"


@pytest.fixture(scope="session")
def gateway(server: EmbeddedTriton) -> Iterator[GatewayProcess]:
    """A gateway before the shared Triton, with small limits that tests can reach."""
    with gateway_process(
        server.url, max_recognize_s=40, max_upload_s=3600, max_message_bytes=4 * 2**20, max_upload_bytes=200 * 2**20
    ) as process:
        yield process


@pytest.fixture(scope="session")
def http_gateway(server: EmbeddedTriton) -> Iterator[GatewayProcess]:
    """One with an HTTP door, where `whisper-1` is the quick model."""
    with gateway_process(server.url, http_port=free_port(), http_models=f"whisper-1={HTTP_MODEL}") as process:
        yield process


@pytest.fixture(scope="session")
def realtime_gateway(server: EmbeddedTriton) -> Iterator[GatewayProcess]:
    """One with an HTTP door, where OpenAI's names are the default model, and one page may call."""
    with gateway_process(server.url, http_port=free_port(), http_origins=PAGE) as process:
        yield process


@pytest.fixture
async def client(gateway: GatewayProcess) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(gateway.address) as client:
        yield client


@pytest.fixture(scope="session")
def small_triton() -> Iterator[EmbeddedTriton]:
    """A Triton of its own: tiny.en, a queue that is soon full, and no canary that would count as an execution."""

    def sized(**arguments: Any) -> Sizing:
        return replace(size_machine(**arguments), max_waiting_s=SMALL_QUEUE_S)

    with mock.patch.object(embedded, "size_machine", sized):
        options = ServeOptions(models=("tiny.en",), watch=Watch(canary_interval_s=3600))
        with EmbeddedTriton(options) as triton:
            yield triton


@pytest.fixture(scope="session")
def small_gateway(small_triton: EmbeddedTriton) -> Iterator[GatewayProcess]:
    with gateway_process(small_triton.url, health_interval_s=600) as process:
        yield process


@pytest.fixture(scope="session")
def recording(conversation):
    return conversation.path

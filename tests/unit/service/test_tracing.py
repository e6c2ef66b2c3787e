import grpc
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from triscribe.errors import CancelledError, InvalidArgumentError, ServerError
from triscribe.service.tracing import server_span, trace_headers
from triscribe.triton.connection import RetryPolicy, TritonConnection
from triscribe.types import Chunk

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(scope="module")
def exporter():
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return exporter


@pytest.fixture
async def recorder():
    """Stands in for Triton: keeps the metadata of every call, and refuses it."""
    seen = []

    class Refuse(grpc.GenericRpcHandler):
        def service(self, details):
            seen.append(dict(details.invocation_metadata))

    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Refuse(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}", seen
    await server.stop(None)


async def test_a_trace_goes_from_the_caller_to_triton(exporter, recorder, conversation):
    address, seen = recorder
    async with TritonConnection(address, retry=RetryPolicy(0), headers=trace_headers) as connection:
        span = server_span("/triscribe.v1.SpeechService/Recognize", {"traceparent": PARENT, "raw-bin": b"\0"})
        with span, pytest.raises(ServerError, match="Method not found"):
            await connection.transcribe(Chunk(0, 0.0, conversation.part(0, 1)), {}, timeout_s=10)
    span = exporter.get_finished_spans()[-1]
    assert span.name == "triscribe.v1.SpeechService/Recognize"
    trace_id = PARENT.split("-")[1]
    assert f"{span.context.trace_id:032x}" == trace_id
    assert seen[-1]["traceparent"].split("-")[1] == trace_id
    assert seen[-1]["traceparent"] != PARENT


@pytest.mark.parametrize("error", [InvalidArgumentError, CancelledError])
def test_an_error_is_noted_without_its_text(exporter, error):
    with pytest.raises(error), server_span("/s/m", {}):
        raise error("what somebody said")
    span = exporter.get_finished_spans()[-1]
    assert not span.status.is_ok
    assert "what somebody said" not in span.to_json()


def test_a_call_over_http_is_named_by_its_route(exporter):
    with server_span("POST /v1/audio/transcriptions", {"traceparent": PARENT}):
        pass
    span = exporter.get_finished_spans()[-1]
    assert span.name == "POST /v1/audio/transcriptions"
    assert dict(span.attributes) == {"http.request.method": "POST", "http.route": "/v1/audio/transcriptions"}
    assert f"{span.context.trace_id:032x}" == PARENT.split("-")[1]

"""Requests to a name with several addresses go round them."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import grpc
import numpy as np
from tritonclient.grpc import service_pb2, service_pb2_grpc

from triscribe.triton.connection import RetryPolicy, TritonConnection
from triscribe.types import SAMPLE_RATE, Chunk

REQUESTS = 12


class Replica(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]
    """Counts the streams that it gets."""

    def __init__(self) -> None:
        self.streams = 0

    def ModelStreamInfer(self, requests, context):  # noqa: N802 - its name on the wire
        self.streams += 1
        for request in requests:
            ok = {"model": "base", "language": "en", "language_probability": 1.0, "segments": [], "warnings": []}
            answer = service_pb2.ModelInferResponse()
            text = json.dumps({"ok": ok, "request_id": request.id}).encode()
            answer.outputs.add(name="RESULT", datatype="UINT8", shape=[len(text)])
            answer.raw_output_contents.append(text)
            yield service_pb2.ModelStreamInferResponse(infer_response=answer)


async def ask(connection: TritonConnection) -> None:
    await connection.transcribe(Chunk(0, 0.0, np.zeros(SAMPLE_RATE, np.float32)), {}, timeout_s=30)


async def test_streams_go_round_all_addresses():
    with ExitStack() as stack:
        replicas, ports, servers = [Replica(), Replica()], [], []
        for replica in replicas:
            server = grpc.server(ThreadPoolExecutor(4))
            service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(replica, server)
            ports.append(server.add_insecure_port("127.0.0.1:0"))
            server.start()
            stack.callback(server.stop, 0)
            servers.append(server)
        target = "ipv4:" + ",".join(f"127.0.0.1:{port}" for port in ports)
        async with TritonConnection(target, retry=RetryPolicy(give_up_after_s=30)) as connection:
            while not all(replica.streams for replica in replicas):  # until both are connected
                await ask(connection)
            before = [replica.streams for replica in replicas]
            for _ in range(REQUESTS):
                await ask(connection)
            shares = [replica.streams - old for replica, old in zip(replicas, before, strict=True)]
            assert shares == [REQUESTS // 2, REQUESTS // 2]
            servers[0].stop(0).wait()
            for _ in range(REQUESTS):
                await ask(connection)

"""`python -m triscribe.probe URL`: exit status 0 while a server of ours is well. The images' HEALTHCHECK.

`http://HOST:PORT/PATH` wants status 200; `grpc://HOST:PORT` asks grpc.health.v1 for the whole process. Where the port
speaks TLS, for which a container has no client certificate, a finished handshake has to do.
"""

from __future__ import annotations

import socket
import ssl
import sys
import urllib.error
import urllib.request
from urllib.parse import urlsplit

TIMEOUT_S = 5.0


def http_fault(url: str) -> str | None:
    """Why the URL does not answer 200, None when it does."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:  # noqa: S310 - main() lets only http through
            return None if answer.status == 200 else f"status {answer.status}"
    except OSError as error:  # URLError, HTTPError and timeouts are OSErrors
        return str(error)


def grpc_fault(host: str, port: int) -> str | None:
    """Why the health service does not say SERVING, None when it does (or when TLS keeps us from asking)."""
    import grpc  # noqa: PLC0415 - not needed for HTTP, and slow to load
    from grpc_health.v1 import health_pb2, health_pb2_grpc  # noqa: PLC0415

    if _speaks_tls(host, port):
        return None
    with grpc.insecure_channel(f"{host}:{port}") as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT_S)
        except grpc.RpcError as error:
            return f"{error.code().name}: {error.details()}"
    serving = answer.status == health_pb2.HealthCheckResponse.SERVING
    return None if serving else str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


def _speaks_tls(host: str, port: int) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # we ask whether it lives, not who it is
    context.set_alpn_protocols(["h2"])
    try:
        with socket.create_connection((host, port), TIMEOUT_S) as plain, context.wrap_socket(plain):
            return True
    except OSError:
        return False


def main(url: str) -> int:
    """Check, say what is wrong on standard error, and return the exit status."""
    parts = urlsplit(url)
    if parts.scheme == "http":
        fault = http_fault(url)
    elif parts.scheme == "grpc" and parts.hostname and parts.port:
        fault = grpc_fault(parts.hostname, parts.port)
    else:
        fault = "give http://HOST:PORT/PATH or grpc://HOST:PORT"
    if fault:
        sys.stderr.write(f"{url}: {fault}\n")
    return 1 if fault else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2] or [""]))

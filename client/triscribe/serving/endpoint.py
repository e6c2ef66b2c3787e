"""What the supervisor knows, over HTTP: for balancers and orchestrators, because Triton's own readiness lies.

A standard-library server is enough: a probe a second asks for one word, and nothing else does.
"""

from __future__ import annotations

import json
import logging
import socket
import socketserver
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from types import TracebackType

from triscribe.errors import ServingError
from triscribe.serving.supervisor import State

LIVE_PATH = "/livez"
READY_PATH = "/readyz"
REQUEST_TIMEOUT_S = 5.0

logger = logging.getLogger(__name__)


class HealthEndpoint:
    """Answers GET /livez and /readyz from a thread of its own; as a context manager it listens while inside.

    /livez is 200 until the supervisor has given up: starting, restarting and draining are no reasons to kill it.
    /readyz is 200 only while every model answers. Both carry `{"state": …}`.
    """

    def __init__(self, host: str, port: int, state: Callable[[], State]) -> None:
        """Prepare for `host`:`port` (0 chooses a free port); `state` is asked at each request."""
        self._address = (host, port)
        self._state = state
        self._server: socketserver.TCPServer | None = None

    @property
    def port(self) -> int:
        """The port that it listens on; 0 while it does not."""
        return int(self._server.server_address[1]) if self._server else 0

    def __enter__(self) -> HealthEndpoint:
        """Listen.

        Raises:
            ServingError: the port is not to be had.
        """
        host, port = self._address
        try:
            self._server = _Server(self._address, _handler(self._state))
        except OSError as error:
            raise ServingError(
                f"Cannot use {host}:{port} for health checks ({error.strerror}): "
                "stop what runs there, or choose another port."
            ) from error
        threading.Thread(target=self._server.serve_forever, args=(0.1,), name="health", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


class _Server(socketserver.ThreadingTCPServer):
    """Not http.server's: that one asks the resolver for its own name before it listens."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, handler)


def _handler(state: Callable[[], State]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = REQUEST_TIMEOUT_S

        def do_GET(self) -> None:
            now = state()
            verdicts = {LIVE_PATH: now is not State.FAILED, READY_PATH: now is State.SERVING}
            path = self.path.partition("?")[0]
            if path not in verdicts:
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            body = json.dumps({"state": now.value}).encode()
            self.send_response(HTTPStatus.OK if verdicts[path] else HTTPStatus.SERVICE_UNAVAILABLE)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            logger.debug(format, *arguments)

    return Handler

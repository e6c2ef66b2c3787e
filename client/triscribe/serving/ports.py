"""Ports that stay ours from the choice to the end, through every restart of the server behind them."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType

from triscribe.errors import ServingError


@dataclass
class ReservedPorts:
    """Three TCP ports of one host, held by bound sockets that never listen.

    Triton binds them too (SO_REUSEPORT: `--reuse-grpc-port`, `--reuse-http-port`); the kernel hands connections only to
    sockets that listen. The metrics port has no such switch: it is only chosen, and free at that moment.
    """

    host: str = "127.0.0.1"
    grpc: int = 0
    http: int = 0
    metrics: int = 0
    _held: ExitStack = field(default_factory=ExitStack, repr=False)

    def __enter__(self) -> ReservedPorts:
        with ExitStack() as undo:
            undo.callback(self._held.close)
            self.grpc = self._hold(self.grpc)
            self.http = self._hold(self.http)
            with self._bound(self.metrics) as probe:
                self.metrics = probe.getsockname()[1]
            undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()

    def _hold(self, port: int) -> int:
        # Bound without SO_REUSEPORT first: another server on the port, even one of ours, is a conflict.
        with self._bound(port) as probe:
            chosen: int = probe.getsockname()[1]
        held = self._held.enter_context(socket.socket(self._family()))
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind((self.host, chosen))
        return chosen

    def _bound(self, port: int) -> socket.socket:
        probe = socket.socket(self._family())
        try:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((self.host, port))
        except OSError as error:
            probe.close()
            raise ServingError(
                f"Cannot use {self.host}:{port} ({error.strerror}): stop what runs there, or choose another port."
            ) from error
        return probe

    def _family(self) -> socket.AddressFamily:
        return socket.AF_INET6 if ":" in self.host else socket.AF_INET

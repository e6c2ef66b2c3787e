"""HOST:PORT as gRPC and URLs read it."""

from __future__ import annotations


def host_port(host: str, port: int) -> str:
    """Both in one; an IPv6 address goes into brackets, since its colons are no port."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

"""The typed gRPC API of `proto/triscribe/v1/speech.proto`, over the same `Transcriber` as the command line."""

from triscribe.gateway.server import Gateway
from triscribe.gateway.settings import GatewaySettings

__all__ = ["Gateway", "GatewaySettings"]

"""The typed gRPC API of `proto/triscribe/v1/speech.proto`, over the same `Transcriber` as the command line."""

from triscribe.gateway.app import Gateway
from triscribe.service.settings import GatewaySettings

__all__ = ["Gateway", "GatewaySettings"]

"""What gRPC says, in one line."""

from __future__ import annotations

import grpc

from triscribe.spacing import clean


def said(error: grpc.aio.AioRpcError) -> str:
    """The details of an error, or its code where it has none: printed as it is, it fills a page."""
    return clean(error.details() or error.code().name)

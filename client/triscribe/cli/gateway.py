"""`triscribe gateway` and `triscribe gateway-token`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from triscribe.errors import UsageError
from triscribe.extras import needs


def gateway(
    server: Annotated[str | None, typer.Option(help="HOST:PORT of Triton. Default: 127.0.0.1:8001.")] = None,
    server_ca: Annotated[Path | None, typer.Option(help="PEM authority of Triton's certificate.")] = None,
    server_cert: Annotated[Path | None, typer.Option(help="PEM certificate to show Triton (mTLS).")] = None,
    server_key: Annotated[Path | None, typer.Option(help="PEM private key for it.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on. Default: 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="gRPC port; 0 chooses a free one. Default: 8443.")] = None,
    http_host: Annotated[str | None, typer.Option(help="Address of the HTTP door. Default: 127.0.0.1.")] = None,
    http_port: Annotated[
        int | None, typer.Option(help="Port of the HTTP door (OpenAI's API); 0 opens none. Default: 8080.")
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="PEM certificate chain.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM private key.")] = None,
    tls_client_ca: Annotated[Path | None, typer.Option(help="PEM authority for callers' certificates (mTLS).")] = None,
    tokens: Annotated[Path | None, typer.Option(help="File of hashed tokens, see gateway-token.")] = None,
    diarizer: Annotated[str | None, typer.Option(help="HOST:PORT of a diarizer, or local. Default: none.")] = None,
    metrics_port: Annotated[int | None, typer.Option(help="Prometheus port. Default: 9464.")] = None,
    health_port: Annotated[
        int | None, typer.Option(help="Plaintext port for probes (grpc.health.v1 only). Default: none.")
    ] = None,
    allow_plaintext: Annotated[
        bool | None, typer.Option("--allow-plaintext", help="Listen beyond this machine without TLS.")
    ] = None,
) -> None:
    """Serve the gRPC API and OpenAI's HTTP API until SIGTERM; more settings: TRISCRIBE_GATEWAY_* (docs/api.md)."""
    given = {
        "server": server,
        "server_ca": server_ca,
        "server_cert": server_cert,
        "server_key": server_key,
        "host": host,
        "port": port,
        "http_host": http_host,
        "http_port": http_port,
        "tls_cert": tls_cert,
        "tls_key": tls_key,
        "tls_client_ca": tls_client_ca,
        "tokens": tokens,
        "diarizer": diarizer,
        "metrics_port": metrics_port,
        "health_port": health_port,
        "allow_plaintext": allow_plaintext,
    }
    Gateway, settings = _load({name: value for name, value in given.items() if value is not None})  # noqa: N806
    asyncio.run(Gateway(settings).run())


def _load(given: dict[str, Any]) -> tuple[Any, Any]:
    with needs("gateway", "The gateway"):
        from triscribe.gateway import Gateway, GatewaySettings  # noqa: PLC0415 - an extra
        from triscribe.service.logs import configure  # noqa: PLC0415
    try:
        settings = GatewaySettings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    configure(settings.log_level)
    return Gateway, settings


def gateway_token(
    name: Annotated[str, typer.Argument(help="Who the token is for; a name may have several tokens.")],
    tokens: Annotated[Path, typer.Option(help="File to add its hash to.")],
) -> None:
    """Make a bearer token: it is printed once, and only its hash is kept. Deleting the line revokes it."""
    from triscribe.service.auth import make_token  # noqa: PLC0415 - an extra

    try:
        token, line = make_token(name)
    except ValueError as error:
        raise UsageError(str(error)) from error
    tokens.touch(mode=0o600)
    with tokens.open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")
    typer.echo(token)

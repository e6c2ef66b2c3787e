"""`triscribe serve`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from triscribe.cli.doctor import preflight
from triscribe.cli.shown import shown
from triscribe.doctor import Subject
from triscribe.errors import UsageError
from triscribe.serving import EmbeddedTriton, ServeOptions
from triscribe.serving.process import DRAIN_S
from triscribe.triton.tls import MutualTls


def serve(
    model: Annotated[
        list[str],
        typer.Option(help="A checkpoint to serve: a name of `triscribe models list`, or a folder. Repeatable."),
    ] = ["base"],  # noqa: B006 - typer copies it
    host: Annotated[str, typer.Option(help="Address to listen on. Triton has no authentication: keep it private.")] = (
        "127.0.0.1"
    ),
    grpc_port: Annotated[int, typer.Option(help="gRPC port; 0 chooses a free one.", min=0, max=65535)] = 8001,
    http_port: Annotated[int, typer.Option(help="HTTP port (health); 0 chooses.", min=0, max=65535)] = 8000,
    metrics_port: Annotated[int, typer.Option(help="Prometheus port; 0 chooses.", min=0, max=65535)] = 8002,
    health_port: Annotated[
        int, typer.Option(help="HTTP port of /livez and /readyz, the supervisor's word; 0: none.", min=0, max=65535)
    ] = 8003,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    compute_type: Annotated[str, typer.Option(help="auto, int8, float16, int8_float16, float32, …")] = "auto",
    threads: Annotated[int, typer.Option(help="CPU threads of an execution; 0 shares the cores out.", min=0)] = 0,
    instances: Annotated[int, typer.Option(help="Whisper processes of a model; 0 derives them.", min=0)] = 0,
    tls_cert: Annotated[Path | None, typer.Option(help="PEM certificate chain of the gRPC port.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM private key.")] = None,
    tls_client_ca: Annotated[Path | None, typer.Option(help="PEM authority for callers' certificates (mTLS).")] = None,
    max_connection_age: Annotated[
        int, typer.Option(help="Seconds after which clients connect anew, and find new replicas; 0: never.", min=0)
    ] = 0,
    drain: Annotated[float, typer.Option(help="Seconds that requests under way get after SIGTERM.", min=0)] = DRAIN_S,
    log_file: Annotated[Path | None, typer.Option(help="Triton's log; default: in the run directory.")] = None,
    check: Annotated[
        bool, typer.Option("--preflight/--no-preflight", envvar="TRISCRIBE_PREFLIGHT", help="`triscribe doctor` first.")
    ] = False,
) -> None:
    """Run Triton with the pipeline and keep it alive until SIGTERM or Ctrl-C."""
    if check:
        ports = {"grpc": grpc_port, "http": http_port, "metrics": metrics_port, "health": health_port}
        preflight(Subject(tuple(model), device, compute_type, host, ports))
    options = ServeOptions(
        models=tuple(model),
        host=host,
        grpc_port=grpc_port,
        http_port=http_port,
        metrics_port=metrics_port,
        health_port=health_port or None,
        device=device,
        compute_type=compute_type,
        threads=threads,
        instances=instances,
        log_file=log_file,
        tls=_mutual_tls(tls_cert, tls_key, tls_client_ca),
        max_connection_age_s=max_connection_age,
        drain_s=drain,
    )
    started = time.monotonic()
    with EmbeddedTriton(options) as triton:
        health = f", health {triton.health.port}" if triton.health else ""
        typer.echo(
            f"Serving {shown(', '.join(model))} on {triton.url} after {time.monotonic() - started:.1f} s "
            f"(HTTP {triton.ports.http}, metrics {triton.ports.metrics}{health}).",
            err=True,
        )
        while not triton.supervisor.wait(timeout_s=1.0):
            pass
        triton.supervisor.raise_if_failed()


def _mutual_tls(cert: Path | None, key: Path | None, client_ca: Path | None) -> MutualTls | None:
    if cert is None and key is None and client_ca is None:
        return None
    if cert is None or key is None or client_ca is None:
        raise UsageError(
            "TLS needs --tls-cert, --tls-key and --tls-client-ca: Triton knows no tokens, so callers must show who they"
            " are."
        )
    return MutualTls(cert, key, client_ca)

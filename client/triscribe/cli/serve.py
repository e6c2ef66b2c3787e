"""`triscribe serve`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from triscribe.serving import EmbeddedTriton, ServeOptions


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
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    compute_type: Annotated[str, typer.Option(help="auto, int8, float16, int8_float16, float32, …")] = "auto",
    threads: Annotated[int, typer.Option(help="CPU threads of an execution; 0 shares the cores out.", min=0)] = 0,
    instances: Annotated[int, typer.Option(help="Whisper processes of a model; 0 derives them.", min=0)] = 0,
    log_file: Annotated[Path | None, typer.Option(help="Triton's log; default: in the run directory.")] = None,
) -> None:
    """Run Triton with the pipeline and keep it alive until SIGTERM or Ctrl-C."""
    options = ServeOptions(
        models=tuple(model),
        host=host,
        grpc_port=grpc_port,
        http_port=http_port,
        metrics_port=metrics_port,
        device=device,
        compute_type=compute_type,
        threads=threads,
        instances=instances,
        log_file=log_file,
    )
    started = time.monotonic()
    with EmbeddedTriton(options) as triton:
        typer.echo(
            f"Serving {', '.join(model)} on {triton.url} after {time.monotonic() - started:.1f} s "
            f"(HTTP {triton.ports.http}, metrics {triton.ports.metrics}).",
            err=True,
        )
        while not triton.supervisor.wait(timeout_s=1.0):
            pass
        triton.supervisor.raise_if_failed()

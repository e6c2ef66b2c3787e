"""`triscribe doctor`, and the same as a preflight of `triscribe serve`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from triscribe.cli.shown import shown
from triscribe.doctor import Report, Status, Subject, examine
from triscribe.errors import ServingError

_EXIT_FAILED = 1
_MARKS = {Status.OK: "ok     ", Status.WARNING: "warning", Status.FAILED: "FAILED "}


def doctor(
    model: Annotated[
        list[str], typer.Option(help="A checkpoint that will be served: a name, or a folder. Repeatable.")
    ] = ["base"],  # noqa: B006 - typer copies it
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    compute_type: Annotated[str, typer.Option(help="Also try this one.")] = "auto",
    host: Annotated[str, typer.Option(help="Address that will be listened on.")] = "127.0.0.1",
    grpc_port: Annotated[int, typer.Option(help="0: not checked.", min=0, max=65535)] = 8001,
    http_port: Annotated[int, typer.Option(help="0: not checked.", min=0, max=65535)] = 8000,
    metrics_port: Annotated[int, typer.Option(help="0: not checked.", min=0, max=65535)] = 8002,
    health_port: Annotated[int, typer.Option(help="0: not checked.", min=0, max=65535)] = 8003,
    encode: Annotated[bool, typer.Option(help="Load the checkpoints and run them on each device.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check that this machine can serve, and name what is missing. Exit status 1 if something is."""
    ports = {"grpc": grpc_port, "http": http_port, "metrics": metrics_port, "health": health_port}
    report = examine(Subject(tuple(model), device, compute_type, host, ports), encode=encode)
    typer.echo(json.dumps(report.as_dict(), indent=2) if as_json else shown(as_text(report), lines=True))
    if not report.ok:
        raise typer.Exit(_EXIT_FAILED)


def preflight(subject: Subject) -> None:
    """Everything but the encodes, which the server makes itself when it loads.

    Raises:
        ServingError: something failed; all of it, with remedies.
    """
    report = examine(subject, encode=False)
    if not report.ok:
        faults = "\n".join(f"{one.check}, {one.subject}: {one.detail}. {one.remedy}" for one in report.failures)
        raise ServingError(f"This machine cannot serve:\n{faults}")


def as_text(report: Report) -> str:
    """The report for a person: one line a finding, its remedy below."""
    lines = []
    for one in report.findings:
        lines.append(f"{_MARKS[one.status]} {one.check}: {one.subject}" + (f": {one.detail}" if one.detail else ""))
        if one.remedy:
            lines.append(f"        -> {one.remedy}")
    return "\n".join(lines)

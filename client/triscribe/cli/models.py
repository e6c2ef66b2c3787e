"""`triscribe models`: list, pull, verify. Data goes to standard output, progress and errors to standard error."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from triscribe.cli.shown import shown
from triscribe.errors import ModelError
from triscribe.models.files import format_bytes
from triscribe.models.store import ModelStatus, ModelStore, Verification

# Exit codes: 0 all well, 1 something failed or is damaged, 2 wrong usage (click's own).
_FAILED = 1

# Columns of text: what a pipe gets, and from where on there is room for descriptions.
_PIPE_WIDTH = 200
_DESCRIPTION_WIDTH = 110

models_app = typer.Typer(
    help="Fetch and check the weights that the server needs.", no_args_is_help=True, pretty_exceptions_enable=False
)

CacheDir = Annotated[
    Path | None, typer.Option("--cache-dir", help="Cache folder. Default: $TRISCRIBE_CACHE, else the user's cache.")
]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@dataclass(frozen=True)
class _Failure:
    name: str
    message: str


@models_app.command("list")
def list_models(cache_dir: CacheDir = None, as_json: JsonFlag = False) -> None:
    """Show every known model: its kind, size, licence, how it is pinned, and whether it is cached."""
    statuses = _store(cache_dir).list()
    if as_json:
        _print_json([_as_dict(status) for status in statuses])
        return
    console = Console()
    if not console.is_terminal:
        console.width = _PIPE_WIDTH
    console.print(_table(statuses, with_description=console.width >= _DESCRIPTION_WIDTH))


@models_app.command("pull")
def pull(
    names: Annotated[list[str], typer.Argument(help="Names as `triscribe models list` shows them.", metavar="NAME...")],
    accept_noncommercial: Annotated[
        bool, typer.Option("--accept-noncommercial", help="Allow licences that forbid commercial use.")
    ] = False,
    cache_dir: CacheDir = None,
) -> None:
    """Fetch models into the cache, and fetch again what is damaged. Prints one folder a line."""
    store = _store(cache_dir, accept_noncommercial=accept_noncommercial)
    failures = []
    for name in names:
        try:
            typer.echo(store.pull(name, check=True))
        except ModelError as error:
            failures.append(_Failure(name, str(error)))
    _exit_on(failures)


@models_app.command("verify")
def verify(
    names: Annotated[list[str] | None, typer.Argument(help="Models to check.", metavar="[NAME...]")] = None,
    every: Annotated[bool, typer.Option("--all", help="Check every cached model.")] = False,
    cache_dir: CacheDir = None,
    as_json: JsonFlag = False,
) -> None:
    """Hash every file of cached models again."""
    if every == bool(names):
        raise typer.BadParameter("give the names of models, or --all")
    store = _store(cache_dir)
    wanted = names or [status.model.name for status in store.list() if status.path]
    reports: list[Verification] = []
    failures = []
    for name in wanted:
        try:
            report = store.verify(name)
        except ModelError as error:
            failures.append(_Failure(name, str(error)))
            continue
        reports.append(report)
        if not report.ok:
            failures.append(_Failure(name, f"{_damage(report)}; repair it with `triscribe models pull {name}`"))
    if as_json:
        _print_json([{"name": r.name, "ok": r.ok, "corrupt": r.corrupt, "missing": r.missing} for r in reports])
    else:
        for report in reports:
            typer.echo(f"{report.name}: {'ok' if report.ok else _damage(report)}")
    _exit_on(failures)


def _store(cache_dir: Path | None, *, accept_noncommercial: bool = False) -> ModelStore:
    try:
        return ModelStore(cache_dir, accept_noncommercial=accept_noncommercial, notify=_progress)
    except ModelError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(_FAILED) from error


def _progress(line: str) -> None:
    typer.echo(shown(line), err=True)


def _exit_on(failures: list[_Failure]) -> None:
    for failure in failures:
        typer.echo(f"Error: {shown(failure.name)}: {shown(failure.message, lines=True)}", err=True)
    if failures:
        raise typer.Exit(_FAILED)


def _damage(report: Verification) -> str:
    found = [("corrupt", report.corrupt), ("missing", report.missing)]
    return "; ".join(f"{what}: {', '.join(files)}" for what, files in found if files)


def _table(statuses: list[ModelStatus], *, with_description: bool) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("Name", "Kind", "Download", "Licence", "Hashes", "Cached"):
        table.add_column(heading, no_wrap=True, justify="right" if heading == "Download" else "left")
    if with_description:
        table.add_column("Description")
    for status in statuses:
        model = status.model
        licence = model.license if model.commercial else f"{model.license} (non-commercial)"
        cells = [model.name, model.kind, format_bytes(model.download_size), licence, _pin(status), _cached(status)]
        table.add_row(*cells, *([model.description] if with_description else []))
    return table


def _cached(status: ModelStatus) -> str:
    if status.path is None:
        return ""
    return "damaged" if status.damaged else "yes"


def _pin(status: ModelStatus) -> str:
    return "pinned" if status.model.pinned else "first use"


def _as_dict(status: ModelStatus) -> dict[str, object]:
    model = status.model
    return {
        "name": model.name,
        "aliases": list(model.aliases),
        "kind": model.kind,
        "description": model.description,
        "license": model.license,
        "commercial": model.commercial,
        "languages": list(model.languages),
        "source": model.source.kind,
        "download_bytes": model.download_size,
        "hashes": _pin(status),
        "path": str(status.path) if status.path else None,
        "damaged": list(status.damaged),
    }


def _print_json(value: object) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))

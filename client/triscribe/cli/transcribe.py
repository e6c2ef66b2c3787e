"""`triscribe transcribe`."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, cast

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from triscribe import languages
from triscribe.errors import TriscribeError, UsageError
from triscribe.formats import WRITERS, atomic_write
from triscribe.serving import EmbeddedTriton, ServeOptions
from triscribe.serving.embedded import DEFAULT_MODEL
from triscribe.transcriber import Session, TranscribeOptions, Transcriber
from triscribe.types import Task, Transcript
from triscribe.vad import VadOptions

STDIN = "-"
FILES_AT_ONCE = 4
"""Files that are decoded and in flight together; enough to keep the server busy between two of them."""


@dataclass(frozen=True)
class _Output:
    formats: tuple[str, ...]
    folder: Path | None


def transcribe(
    files: Annotated[list[str], typer.Argument(help="Media files; - reads standard input.", metavar="FILE...")],
    server: Annotated[
        str | None, typer.Option(help="HOST:PORT of a running server. Default: start one for this call.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="A name of `triscribe models list`, or a folder. Default: base, or the server's.")
    ] = None,
    language: Annotated[str, typer.Option(help="Code or English name; auto detects it for each file.")] = "auto",
    task: Annotated[str, typer.Option(help="transcribe, or translate into English.")] = "transcribe",
    initial_prompt: Annotated[str | None, typer.Option(help="Text that sets style and spelling.")] = None,
    hotwords: Annotated[str | None, typer.Option(help="Terms to expect, separated by commas.")] = None,
    beam_size: Annotated[int | None, typer.Option(help="Hypotheses followed at once.", min=1, max=16)] = None,
    vad: Annotated[bool, typer.Option(help="Find speech first, and transcribe only that.")] = True,
    word_timestamps: Annotated[bool, typer.Option(help="A time for every word.")] = True,
    formats: Annotated[str, typer.Option("--format", help=f"Comma-separated: {', '.join(WRITERS)}.")] = "txt",
    output_dir: Annotated[Path | None, typer.Option(help="Write files here instead of printing.")] = None,
) -> None:
    """Transcribe media files. Exit 0: all well, 1: a file failed, 2: usage."""
    output = _check_output(files, formats, output_dir)
    if task not in ("transcribe", "translate"):
        raise UsageError(f"--task is transcribe or translate, not {task!r}")
    languages.resolve(language)  # before anything is started
    options = TranscribeOptions(
        model=model if server else None,
        language=language,
        task=cast("Task", task),
        initial_prompt=initial_prompt,
        hotwords=hotwords,
        word_timestamps=word_timestamps,
        beam_size=beam_size,
        voice_detection=VadOptions() if vad else None,
    )
    with _server(server, model or DEFAULT_MODEL) as address:
        failed = asyncio.run(_transcribe_all(files, Transcriber(address, options), address, output))
    if failed:
        raise typer.Exit(1)


@contextmanager
def _server(address: str | None, model: str) -> Iterator[str]:
    if address is not None:
        yield address
        return
    with ExitStack() as stack:
        with Console(stderr=True).status("Starting Triton"):
            embedded = stack.enter_context(EmbeddedTriton(ServeOptions(models=(model,))))
        yield embedded.url


def _check_output(files: Sequence[str], formats: str, folder: Path | None) -> _Output:
    names = tuple(dict.fromkeys(name.strip() for name in formats.split(",") if name.strip()))
    unknown = [name for name in names if name not in WRITERS]
    if unknown or not names:
        raise UsageError(f"--format knows {', '.join(WRITERS)}, not {', '.join(unknown) or 'nothing'}")
    if folder is None and len(names) > 1:
        raise UsageError("several formats need --output-dir")
    if folder is None and len(files) > 1 and names != ("txt",):
        raise UsageError(f"several files as {names[0]} need --output-dir")
    if files.count(STDIN) > 1:
        raise UsageError("standard input can be read only once")
    return _Output(names, folder)


async def _transcribe_all(files: Sequence[str], transcriber: Transcriber, address: str, output: _Output) -> int:
    """Transcribe every file, several at once, and deliver in the order given; returns how many failed."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    at_once = asyncio.Semaphore(FILES_AT_ONCE)
    targets = _targets(files)
    failed = 0
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as bars:
        async with Session(address) as session:

            async def one(file: str) -> Transcript:
                async with at_once:
                    bar = bars.add_task(Path(file).name, total=None)
                    source = sys.stdin.buffer if file == STDIN else Path(file)
                    return await transcriber.transcribe_in(session, source, progress=_mover(bars, bar))

            tasks = [asyncio.create_task(one(file)) for file in files]
            for file, task in zip(files, tasks, strict=True):
                try:
                    transcript = await task
                    _deliver(transcript, targets[file], output, headed=len(files) > 1)
                except (TriscribeError, OSError) as error:
                    failed += 1
                    console.print(f"{file}: {error}", markup=False, highlight=False, soft_wrap=True)
                else:
                    for notice in transcript.warnings:
                        where = "" if notice.start is None else f" at {notice.start:.1f} s"
                        console.print(
                            f"{file}: {notice.message}{where}",
                            markup=False,
                            highlight=False,
                            soft_wrap=True,
                            style="dim",
                        )
    return failed


def _mover(bars: Progress, bar: TaskID) -> Callable[[float, float], None]:
    def move(done_s: float, total_s: float) -> None:
        bars.update(bar, completed=done_s, total=total_s)

    return move


def _targets(files: Sequence[str]) -> dict[str, str]:
    """Base names of the outputs: the stem, or the full name where two inputs share a stem."""
    stems = Counter("stdin" if file == STDIN else Path(file).stem for file in dict.fromkeys(files))
    return {
        file: "stdin" if file == STDIN else Path(file).stem if stems[Path(file).stem] == 1 else Path(file).name
        for file in files
    }


def _deliver(transcript: Transcript, name: str, output: _Output, *, headed: bool) -> None:
    if output.folder is None:
        rendered = WRITERS[output.formats[0]].render(transcript)
        header = f"==> {transcript.audio.path} <==\n".encode() if headed else b""
        data = rendered if isinstance(rendered, bytes) else rendered.encode()
        sys.stdout.buffer.write(header + data)
        sys.stdout.buffer.flush()
        return
    output.folder.mkdir(parents=True, exist_ok=True)
    for format_name in output.formats:
        writer = WRITERS[format_name]
        atomic_write(output.folder / f"{name}.{writer.extension}", writer.render(transcript))

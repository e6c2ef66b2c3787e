"""Many files through one transcriber: several at once, delivered in the order given."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from triscribe.cli.outputs import STDIN, distinct, output_names
from triscribe.diarization.search import DIARIZATION_FAILED, SpeakerSearch
from triscribe.errors import DiarizationError, TriscribeError
from triscribe.files import atomic_write
from triscribe.formats import WRITERS, WriteOptions, encoded
from triscribe.transcription.journal import MIN_DURATION_S, Journal
from triscribe.transcription.transcriber import RunOptions, Transcriber
from triscribe.types import Transcript

FILES_AT_ONCE = 4
"""Files that are decoded and in flight together; enough to keep the server busy between two of them."""


@dataclass(frozen=True)
class Output:
    """Where transcripts go: files of these formats in `folder`, or the one format to standard output.

    `resume`: whether a job that was killed can go on; None leaves it to recordings long enough to need it.
    """

    formats: tuple[str, ...]
    folder: Path | None
    options: WriteOptions
    resume: bool | None = None

    def journal(self, name: str) -> Journal | None:
        """The journal of the recording whose outputs are called `name`."""
        if self.folder is None or self.resume is False:
            return None
        return Journal(self.folder / f".{name}.journal", from_s=0.0 if self.resume else MIN_DURATION_S)


@dataclass(frozen=True)
class Job:
    """What is done with every file."""

    transcriber: Transcriber
    output: Output
    speakers: SpeakerSearch | None = None
    must_have_speakers: bool = True

    async def run(self, files: Sequence[str]) -> int:
        """Transcribe and deliver every file; returns how many failed."""
        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
        at_once = asyncio.Semaphore(FILES_AT_ONCE)
        files = distinct(files)
        targets = output_names(files)
        journals = {file: self.output.journal(targets[file]) for file in files}
        failed = delivered = 0
        with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as bars:
            async with self.transcriber.session() as session:

                async def one(file: str) -> Transcript:
                    async with at_once:
                        bar = bars.add_task(Path(file).name, total=None)
                        source = sys.stdin.buffer if file == STDIN else Path(file)
                        options = RunOptions(speakers=self.speakers, journal=journals[file])
                        return await self.transcriber.transcribe_in(
                            session, source, options, progress=_mover(bars, bar)
                        )

                tasks = [asyncio.create_task(one(file)) for file in files]
                for file, task in zip(files, tasks, strict=True):
                    try:
                        transcript = await task
                        self._deliver(transcript, targets[file], headed=len(files) > 1, first=not delivered)
                        delivered += 1
                        self._tell(console, file, transcript)
                        if journal := journals[file]:
                            if journal.reused:
                                _say(
                                    console, f"{file}: resumed, {journal.reused} chunks were done already", style="dim"
                                )
                            journal.discard()
                    except (TriscribeError, OSError) as error:
                        failed += 1
                        _say(console, f"{file}: {error}")
                    finally:
                        if journal := journals[file]:
                            journal.close()
        return failed

    def _deliver(self, transcript: Transcript, name: str, *, headed: bool, first: bool) -> None:
        options = self.output.options
        if self.output.folder is None:
            writer = WRITERS[self.output.formats[0]]
            content = writer.render(transcript, options)
            if headed and isinstance(content, str):
                content = f"==> {transcript.audio.path} <==\n{content}"
            # All of it is one text to whoever reads it, and a text begins once.
            sys.stdout.buffer.write(encoded(content, writer, replace(options, bom=options.bom and first)))
            sys.stdout.buffer.flush()
            return
        self.output.folder.mkdir(parents=True, exist_ok=True)
        for format_name in self.output.formats:
            writer = WRITERS[format_name]
            atomic_write(
                self.output.folder / f"{name}.{writer.extension}",
                encoded(writer.render(transcript, options), writer, options),
            )

    def _tell(self, console: Console, file: str, transcript: Transcript) -> None:
        """Pass the warnings on; lost speakers fail the file unless the user can do without."""
        for notice in transcript.warnings:
            if notice.code == DIARIZATION_FAILED and self.must_have_speakers:
                raise DiarizationError(f"{notice.message} (the text was delivered)")
            where = "" if notice.start is None else f" at {notice.start:.1f} s"
            _say(console, f"{file}: {notice.message}{where}", style="dim")


def _say(console: Console, text: str, style: str | None = None) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True, style=style)


def _mover(bars: Progress, bar: TaskID) -> Callable[[float, float], None]:
    def move(done_s: float, total_s: float) -> None:
        bars.update(bar, completed=done_s, total=total_s)

    return move

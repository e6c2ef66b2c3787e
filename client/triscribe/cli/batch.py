"""Many files through one transcriber: several at once, delivered in the order given."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from triscribe.cli.delivery import Delivery
from triscribe.cli.outputs import STDIN, Output, Target
from triscribe.cli.shown import shown
from triscribe.diarization.search import DIARIZATION_FAILED, SpeakerSearch
from triscribe.errors import DiarizationError, ServingError, TriscribeError
from triscribe.transcription.transcriber import RunOptions, Transcriber
from triscribe.types import Transcript

FILES_AT_ONCE = 4
"""Files that are decoded and in flight together; enough to keep the server busy between two of them."""


@dataclass(frozen=True)
class Job:
    """What is done with every file.

    Attributes:
        starting: waits until the server that was started for this job has come up, which is shown meanwhile.
    """

    transcriber: Transcriber
    output: Output
    targets: Mapping[str, Target]
    speakers: SpeakerSearch | None = None
    must_have_speakers: bool = True
    starting: Callable[[], Awaitable[None]] | None = None

    async def run(self) -> int:
        """Transcribe and deliver the inputs of all targets; returns how many failed.

        Raises:
            ServingError: the server that was started for this job failed; what could be delivered was.
        """
        console = Console(stderr=True)
        columns = (TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
        at_once = asyncio.Semaphore(FILES_AT_ONCE)
        files = list(self.targets)
        journals = {file: self.targets[file].open_journal(resume=self.output.resume) for file in files}
        delivery = Delivery(self.output, self.targets)
        failed = 0
        lost: ServingError | None = None
        with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as bars:
            async with self.transcriber.session() as session, _shown_start(bars, self.starting):

                async def one(file: str) -> Transcript:
                    async with at_once:
                        bar = bars.add_task(shown(Path(file).name), total=None)
                        source = sys.stdin.buffer if file == STDIN else Path(file)
                        options = RunOptions(speakers=self.speakers, journal=journals[file])
                        return await self.transcriber.transcribe_in(
                            session, source, options, progress=_mover(bars, bar)
                        )

                tasks = [asyncio.create_task(one(file)) for file in files]
                for file, task in zip(files, tasks, strict=True):
                    try:
                        transcript = await task
                        delivery.deliver(file, transcript)
                        self._tell(console, file, transcript)
                        if journal := journals[file]:
                            if journal.reused:
                                _say(
                                    console, f"{file}: resumed, {journal.reused} chunks were done already", style="dim"
                                )
                            journal.discard()
                    except ServingError as error:  # of all files alike: said once
                        lost = error
                    except (TriscribeError, OSError) as error:
                        failed += 1
                        _say(console, f"{file}: {error}")
                    finally:
                        if journal := journals[file]:
                            journal.close()
        if lost is not None:
            raise lost
        return failed

    def _tell(self, console: Console, file: str, transcript: Transcript) -> None:
        """Pass the warnings on; lost speakers fail the file unless the user can do without."""
        for notice in transcript.warnings:
            if notice.code == DIARIZATION_FAILED and self.must_have_speakers:
                raise DiarizationError(f"{notice.message} (the text was delivered)")
            where = "" if notice.start is None else f" at {notice.start:.1f} s"
            _say(console, f"{file}: {notice.message}{where}", style="dim")


@asynccontextmanager
async def _shown_start(bars: Progress, starting: Callable[[], Awaitable[None]] | None) -> AsyncIterator[None]:
    """A bar for as long as the server takes."""
    if starting is None or bars.disable:
        yield
        return

    async def show() -> None:
        bar = bars.add_task("Starting Triton", total=None)
        with suppress(ServingError):  # raised again by every request
            await starting()
        bars.remove_task(bar)

    task = asyncio.create_task(show())
    try:
        yield
    finally:
        task.cancel()


def _say(console: Console, text: str, style: str | None = None) -> None:
    console.print(shown(text), markup=False, highlight=False, soft_wrap=True, style=style)


def _mover(bars: Progress, bar: TaskID) -> Callable[[float, float], None]:
    def move(done_s: float, total_s: float) -> None:
        bars.update(bar, completed=done_s, total=total_s)

    return move

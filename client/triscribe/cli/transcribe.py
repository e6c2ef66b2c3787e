"""`triscribe transcribe`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Annotated, Literal

import typer

from triscribe.cli.batch import Job
from triscribe.cli.lengths import longest
from triscribe.cli.outputs import STDIN, Output
from triscribe.cli.peers import reach
from triscribe.cli.places import prepare
from triscribe.diarization.client import Diarizer, DiarizerSettings
from triscribe.diarization.options import DiarizationOptions
from triscribe.diarization.search import SpeakerSearch
from triscribe.errors import DiarizationError, UsageError
from triscribe.formats import WRITERS, WriteOptions
from triscribe.formats.options import DEFAULTS, HtmlAudio
from triscribe.language import languages
from triscribe.language.chinese import Script
from triscribe.models import ModelStore
from triscribe.serving import EmbeddedTriton, ServeOptions
from triscribe.serving.embedded import DEFAULT_MODEL
from triscribe.speech.vad import VadOptions
from triscribe.transcription.options import TranscribeOptions
from triscribe.transcription.transcriber import Transcriber
from triscribe.types import Task

_SHORT_S = 60.0
"""Seconds of audio that one execution holds (`Sizing.bulk_group_s` on a CPU)."""


def transcribe(
    files: Annotated[
        list[str] | None, typer.Argument(help="Media files; - reads standard input.", metavar="FILE...")
    ] = None,
    sample: Annotated[bool, typer.Option("--sample", help="A sample conversation, where no file is given.")] = False,
    server: Annotated[
        str | None, typer.Option(help="HOST:PORT of a running server. Default: start one for this call.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="A name of `triscribe models list`, or a folder. Default: base, or the server's.")
    ] = None,
    language: Annotated[
        str, typer.Option(help="Code or name (de, German, Deutsch); auto: once for each file, multi: for each segment.")
    ] = languages.AUTO,
    only: Annotated[str, typer.Option("--languages", help="Detect only these, comma-separated: en,de,Cantonese.")] = "",
    script: Annotated[Script | None, typer.Option(help="How Chinese is written.")] = None,
    channels: Annotated[
        Literal["mix", "split"], typer.Option(help="split: each channel by itself, as a speaker.")
    ] = "mix",
    audio_track: Annotated[
        str | None, typer.Option(help="Number or language of the audio track. Default: the file's default.")
    ] = None,
    task: Annotated[Task, typer.Option(help="translate: into English.")] = "transcribe",
    initial_prompt: Annotated[str | None, typer.Option(help="Text that sets style and spelling.")] = None,
    hotwords: Annotated[str | None, typer.Option(help="Terms to expect, separated by commas.")] = None,
    beam_size: Annotated[int | None, typer.Option(help="Hypotheses followed at once.", min=1, max=16)] = None,
    vad: Annotated[bool, typer.Option(help="Find speech first, and transcribe only that.")] = True,
    word_timestamps: Annotated[bool, typer.Option(help="A time for every word.")] = True,
    diarize: Annotated[bool, typer.Option(help="Name the speakers.")] = False,
    diarize_optional: Annotated[
        bool, typer.Option("--diarize-optional", help="Exit 0 even when the speakers cannot be found.")
    ] = False,
    diarizer: Annotated[
        str | None, typer.Option(help="HOST:PORT of a running diarizer. Default: start one for this call.")
    ] = None,
    diarization_pipeline: Annotated[str, typer.Option(help="default, community-1 or 3.1.")] = "default",
    num_speakers: Annotated[int | None, typer.Option(help="Exact number of speakers.", min=1)] = None,
    min_speakers: Annotated[int | None, typer.Option(help="Fewest speakers.", min=1)] = None,
    max_speakers: Annotated[int | None, typer.Option(help="Most speakers.", min=1)] = None,
    speaker_embeddings: Annotated[
        bool, typer.Option("--speaker-embeddings", help="A vector for each speaker in the JSON.")
    ] = False,
    formats: Annotated[str, typer.Option("--format", help=f"Comma-separated: {', '.join(WRITERS)}.")] = "txt",
    output_dir: Annotated[Path | None, typer.Option(help="Write files here instead of printing.")] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files in --output-dir that were made from another input, too.")
    ] = False,
    resume: Annotated[
        bool | None,
        typer.Option(help="Go on where a killed job stopped. Default: with --output-dir, for 10 minutes and more."),
    ] = None,
    max_line_width: Annotated[
        int, typer.Option(help="Subtitles: columns of a line; full-width characters count two.", min=2)
    ] = DEFAULTS.max_line_width,
    max_line_count: Annotated[int, typer.Option(help="Subtitles: lines of a cue.", min=1)] = DEFAULTS.max_lines,
    max_cue_seconds: Annotated[float, typer.Option(help="Subtitles: on screen at most.")] = DEFAULTS.max_s,
    min_cue_seconds: Annotated[
        float, typer.Option(help="Subtitles: on screen at least, where there is room.", show_default="5/6")
    ] = DEFAULTS.min_s,
    reading_speed: Annotated[
        float, typer.Option(help="Subtitles: columns a second at most, where there is room.")
    ] = DEFAULTS.reading_speed,
    cue_gap: Annotated[
        float, typer.Option(help="Subtitles: seconds between two cues.", show_default="2 frames at 24 fps")
    ] = DEFAULTS.gap_s,
    karaoke: Annotated[bool, typer.Option("--karaoke", help="vtt, ass: mark each word as it is spoken.")] = False,
    bidi_marks: Annotated[
        bool, typer.Option("--bidi-marks", help="srt, txt: embed lines from right to left, for simple players.")
    ] = False,
    bom: Annotated[bool, typer.Option("--bom", help="txt, srt, vtt, ass, tsv: begin with a byte order mark.")] = False,
    crlf: Annotated[bool, typer.Option("--crlf", help="txt, srt, vtt, ass, tsv: line ends of Windows.")] = False,
    html_audio: Annotated[
        HtmlAudio, typer.Option(help="html: embed the audio, link to it, none, or auto: embed up to 16 MB.")
    ] = DEFAULTS.html_audio,
) -> None:
    """Transcribe media files. Exit 0: all well, 1: a file failed, 2: usage."""
    written = WriteOptions(
        max_line_width=max_line_width,
        max_lines=max_line_count,
        max_s=max_cue_seconds,
        min_s=min_cue_seconds,
        reading_speed=reading_speed,
        gap_s=cue_gap,
        karaoke=karaoke,
        bidi_marks=bidi_marks,
        bom=bom,
        crlf=crlf,
        html_audio=html_audio,
        folder=output_dir,
    )
    if not files and not sample:
        raise UsageError("name at least one FILE, or use --sample")
    output = _check_output(files or (), formats, written, resume, overwrite=overwrite)
    if channels == "split" and (diarize or diarizer or num_speakers or min_speakers or max_speakers):
        raise UsageError("--channels split makes each channel a speaker: leave the options of diarization out")
    if channels == "split" and resume:
        raise UsageError("--channels split keeps no journal: leave --resume out")
    # All of it is checked before anything is started.
    options = TranscribeOptions(
        model=model if server else None,
        language=language,
        languages=languages.resolve_all(only),
        script=script,
        channels=channels,
        audio_track=audio_track,
        task=task,
        initial_prompt=initial_prompt,
        hotwords=hotwords,
        word_timestamps=word_timestamps,
        beam_size=beam_size,
        voice_detection=VadOptions() if vad else None,
    )
    about_speakers = (num_speakers, min_speakers, max_speakers, speaker_embeddings or None)
    if not diarize and any(given is not None for given in about_speakers):
        raise UsageError("options about speakers need --diarize")
    wanted = DiarizationOptions(num_speakers, min_speakers, max_speakers, diarization_pipeline, speaker_embeddings)
    targets = prepare(files or [_sample()], output)
    _reach_peers(targets, server, diarizer if diarize and not diarize_optional else None)
    with ExitStack() as stack:
        speakers = SpeakerSearch(stack.enter_context(_diarizer(diarizer)), wanted) if diarize else None
        starting = None
        if server is None:
            embedded = stack.enter_context(_embedded(model or DEFAULT_MODEL, targets))
            server, starting = embedded.url, embedded.supervisor.serving
        transcriber = Transcriber(server, options, ready=starting)
        must_have_speakers = not diarize_optional
        job = Job(transcriber, output, targets, speakers, must_have_speakers=must_have_speakers, starting=starting)
        failed = asyncio.run(job.run())
    if failed:
        raise typer.Exit(1)


def _sample() -> str:
    return str(ModelStore().pull("sample-conversation") / "sample.wav")


def _reach_peers(files: Iterable[str], server: str | None, diarizer: str | None) -> None:
    """Ask whether they are there, unless there is nothing to ask them for."""
    if not any(file == STDIN or os.path.lexists(file) for file in files):
        return
    if server is not None:
        asyncio.run(reach(server, "`triscribe serve`"))
    if diarizer is not None:
        asyncio.run(reach(diarizer, "the diarizer", proxied=False))


@contextmanager
def _diarizer(address: str | None) -> Iterator[Diarizer]:
    diarizer = Diarizer(DiarizerSettings(address=address))
    with suppress(DiarizationError):  # raised again by every job, after its text was delivered
        diarizer.__enter__()
    try:
        yield diarizer
    finally:
        diarizer.close()


def _embedded(model: str, files: Iterable[str]) -> AbstractContextManager[EmbeddedTriton]:
    """A Triton for these files, which has begun to start."""
    # Short audio makes one execution: a second instance would only be loaded. More threads would not make up for it,
    # since Whisper's wait for each other (docs/adr/0012-cores.md), the more so beside a diarizer.
    sizing = {"instances": 1} if sum(map(longest, files)) <= _SHORT_S else {}
    return EmbeddedTriton(ServeOptions(models=(model,), sizing=sizing).for_one_call()).begun()


def _check_output(
    files: Sequence[str], formats: str, options: WriteOptions, resume: bool | None, *, overwrite: bool
) -> Output:
    folder = options.folder
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
    if resume and folder is None:
        raise UsageError("--resume needs --output-dir: the journal lies beside the output")
    return Output(names, folder, options, resume, overwrite)

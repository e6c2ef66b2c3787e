"""A recording to a transcript in one call, for scripts and notebooks."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from triscribe.serving import EmbeddedTriton, ServeOptions
from triscribe.serving.embedded import DEFAULT_MODEL
from triscribe.transcription.options import TranscribeOptions
from triscribe.transcription.transcriber import Progress, Source, Transcriber
from triscribe.types import Transcript


def transcribe(
    source: Source,
    *,
    server: str | None = None,
    model: str | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Transcript:
    """Transcribe one recording, `transcribe("talk.mp3").text`.

    For many recordings keep one server: `with EmbeddedTriton() as triton: Transcriber(triton.url)`.

    Args:
        source: a path, the bytes of a media file, or a file that is open for reading.
        server: HOST:PORT of a running Triton; None starts one for this call, which takes seconds.
        model: a name of `triscribe models list`, or a folder, for a server of its own; for a running one the name of a
            checkpoint that it serves. None: base, or what the server serves first.
        progress: called with (audio seconds done, audio seconds in all) after every chunk.
        options: the other fields of `TranscribeOptions`, such as `language="de"`.

    Raises:
        AudioError: the media cannot be decoded.
        ModelError: there is no such model, or it cannot be fetched.
        ServerError: a chunk could not be transcribed; nothing is left out in silence.
        ServingError: the server cannot be started.
        UsageError: the options contradict each other.
    """
    wanted = TranscribeOptions(model=model if server else None, **options)  # refused before anything is started
    with ExitStack() as stack:
        if server is None:
            embedded = EmbeddedTriton(ServeOptions(models=(model or DEFAULT_MODEL,)).for_one_call())
            server = stack.enter_context(embedded).url
        return Transcriber(server, wanted).transcribe(source, progress=progress)

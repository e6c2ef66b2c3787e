"""Whole answers: a transcript in the format that was asked for."""

from __future__ import annotations

from pydantic import BaseModel
from starlette.responses import Response

from triscribe.formats import WRITERS, WriteOptions, encoded
from triscribe.gateway.http import transcripts
from triscribe.gateway.http.parameters import TranslationForm
from triscribe.gateway.http.transcription_form import TranscriptionForm
from triscribe.types import Transcript

_WRITERS = {"srt": "srt", "vtt": "vtt", "txt": "txt", "tsv": "tsv", "ass": "ass", "rttm": "rttm", "html": "html"} | {
    "triscribe_json": "json"
}
"""What `triscribe.formats` calls the formats that it writes."""

_MEDIA_TYPES = {
    "vtt": "text/vtt; charset=utf-8",
    "tsv": "text/tab-separated-values; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "triscribe_json": "application/json",
}
_PLAIN = "text/plain; charset=utf-8"
_OPTIONS = WriteOptions(html_audio="none")


def written(transcript: Transcript, form: TranslationForm | TranscriptionForm) -> Response:
    """The answer to a form.

    Raises:
        UnavailableError: it has to name speakers, who could not be found.
    """
    name = form.response_format
    speakers = isinstance(form, TranscriptionForm) and form.wants_speakers
    if speakers and name != "triscribe_json":  # which says it in its warnings
        transcripts.speaker_names(transcript, ())
    if name == "text" and not speakers:
        return Response(f"{transcript.text}\n", media_type=_PLAIN)
    if name in _WRITERS or name == "text":
        writer = WRITERS[_WRITERS.get(name, "txt")]
        content = encoded(writer.render(transcript, _OPTIONS))
        return Response(content, headers={"content-type": _MEDIA_TYPES.get(name, _PLAIN)})
    return json_response(_body(transcript, form))


def json_response(body: BaseModel) -> Response:
    """A body of `bodies`."""
    return Response(body.model_dump_json(exclude_none=True), media_type="application/json")


def _body(transcript: Transcript, form: TranslationForm | TranscriptionForm) -> BaseModel:
    if isinstance(form, TranscriptionForm) and form.response_format == "diarized_json":
        return transcripts.diarized(transcript, form.known_speaker_names)
    if form.response_format == "verbose_json":
        wanted = (form.timestamp_granularities if isinstance(form, TranscriptionForm) else ()) or ("segment",)
        return transcripts.verbose(transcript, segments="segment" in wanted, words="word" in wanted)
    logprobs = isinstance(form, TranscriptionForm) and "logprobs" in form.include
    return transcripts.transcription(transcript, logprobs=logprobs)

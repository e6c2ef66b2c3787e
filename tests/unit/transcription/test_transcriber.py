"""From a file to a transcript, with a server that is told what to answer."""

import asyncio
import io
import random
import threading
import wave
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from triscribe.errors import AudioError, InternalError, UnavailableError, UsageError
from triscribe.language.choice import PROBED_CHUNKS
from triscribe.speech.vad import VadOptions
from triscribe.transcription.journal import Journal
from triscribe.transcription.options import TranscribeOptions
from triscribe.transcription.transcriber import RunOptions, Transcriber
from triscribe.triton import session as module
from triscribe.triton.session import Session
from triscribe.types import SAMPLE_RATE, ChunkResult, Notice, Segment, Span, Word


def media(seconds):
    """A WAV of noise."""
    samples = np.random.default_rng(0).normal(0, 3000, int(seconds * SAMPLE_RATE)).astype("<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(SAMPLE_RATE)
        wav.writeframes(samples.tobytes())
    return file.getvalue()


@dataclass
class Server:
    """Answers after a random moment, so that chunks finish in any order."""

    detected: list[dict[str, float]] = field(default_factory=lambda: [{"en": 0.6, "de": 0.4}])
    failing: dict[int, Exception] = field(default_factory=dict)
    requests: list[dict[str, Any]] = field(default_factory=list)
    probes: list[int] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0
    cancelled: int = 0

    async def transcribe(self, chunk, options, *, timeout_s):
        self.requests.append(dict(options))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if chunk.index in self.failing:
                raise self.failing[chunk.index]
            await asyncio.sleep(random.Random(chunk.index).uniform(0.01, 0.05))
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.in_flight -= 1
        word = Word(f"chunk{chunk.index}", 0.5, 1.0, 0.9, "attention")
        segment = Segment(0.5, 1.0, word.word, options["language"] or "fr", -0.1, 0.0, 1.0, 0.0, (word,))
        notices = (Notice("low_confidence", "unsure", 0.0, 1.0), Notice("general", "of no time"))
        return ChunkResult(chunk.index, "base", options["language"] or "fr", 0.7, (segment,), notices)

    async def detect_language(self, samples, options, *, timeout_s):
        self.probes.append(len(samples))
        return self.detected[(len(self.probes) - 1) % len(self.detected)]

    async def __aexit__(self, *exc):
        pass


@pytest.fixture
def server(monkeypatch):
    fake = Server()
    monkeypatch.setattr(module, "TritonConnection", lambda address, **_: fake)
    return fake


def run(source, server, *, concurrency=32, progress=None, **options):
    chosen = TranscribeOptions(**{"voice_detection": None, **options})
    return Transcriber("host:1", chosen, concurrency=concurrency).transcribe(source, progress=progress)


def test_chunks_come_back_in_order_with_the_times_of_the_file(server):
    transcript = run(media(100), server)
    words = [word for segment in transcript.segments for word in segment.words]
    assert [word.word for word in words] == [f"chunk{n}" for n in range(len(server.requests))]
    assert len(words) >= 4
    starts = [segment.start for segment in transcript.segments]
    assert starts == sorted(starts)
    for segment in transcript.segments:
        assert segment.end - segment.start == pytest.approx(0.5)
        assert segment.words[0].start == segment.start
    assert starts[0] == 0.5
    assert starts[-1] > 60
    assert transcript.audio.duration == pytest.approx(100)
    assert transcript.model == "base"


def test_notices_move_with_their_chunk_those_of_no_time_stay(server):
    transcript = run(media(70), server)
    timed = [notice.start for notice in transcript.warnings if notice.code == "low_confidence"]
    starts = [segment.start - 0.5 for segment in transcript.segments]
    assert timed == pytest.approx(starts)
    assert {notice.start for notice in transcript.warnings if notice.code == "general"} == {None}


def test_the_language_is_settled_once_by_length_over_the_first_chunks(server):
    server.detected = [{"en": 0.9, "de": 0.1}, {"en": 0.2, "de": 0.8}, {"en": 0.1, "de": 0.9}]
    transcript = run(media(130), server)
    assert len(server.probes) == PROBED_CHUNKS
    assert {request["language"] for request in server.requests} == {"de"}
    weights = server.probes
    expected = (0.1 * weights[0] + 0.8 * weights[1] + 0.9 * weights[2]) / sum(weights)
    assert transcript.language == "de"
    assert transcript.language_probability == pytest.approx(expected)


@pytest.mark.parametrize(("given", "detected"), [("de", {}), (None, {"de": 0.9, "en": 0.1})])
def test_other_languages_than_english_are_cut_longer(server, monkeypatch, given, detected):
    pauses = [Span(second * SAMPLE_RATE, int((second + 0.5) * SAMPLE_RATE)) for second in range(60)]
    monkeypatch.setattr("triscribe.speech.vad.spans_as_found", lambda samples, options: iter(pauses))
    server.detected = [detected]
    lengths = {}
    for language in (given, "en"):
        server.requests = []
        run(media(60), server, language=language, voice_detection=VadOptions())
        lengths[language] = len(server.requests)
    assert (lengths[given], lengths["en"]) == (3, 5)


def test_one_chunk_needs_no_probe(server):
    transcript = run(media(5), server)
    assert server.probes == []
    assert (transcript.language, transcript.language_probability) == ("fr", 0.7)
    assert server.requests[0]["priority"] == "interactive"


def test_a_language_that_is_given_is_not_asked_for(server):
    transcript = run(media(70), server, language="German")
    assert server.probes == []
    assert (transcript.language, transcript.language_probability) == ("de", 1.0)
    assert {request["priority"] for request in server.requests} == {"bulk"}


def test_a_recording_of_a_minute_is_waited_for(server):
    run(media(58), server, language="en")
    assert len(server.requests) > 1
    assert {request["priority"] for request in server.requests} == {"interactive"}


def test_options_reach_the_server_and_none_leaves_it_the_choice(server):
    run(media(3), server, hotwords="a,b", beam_size=2, decoding={"temperature": [0.0]})
    (request,) = server.requests
    assert request == {
        "hotwords": "a,b",
        "beam_size": 2,
        "language": None,
        "task": "transcribe",
        "word_timestamps": True,
        "priority": "interactive",
        "temperature": [0.0],
        "detect_beside": True,
    }


def test_the_error_of_one_chunk_is_the_error_of_the_file(server):
    server.failing = {1: InternalError("decoding failed")}
    with pytest.raises(InternalError, match="decoding failed"):
        run(media(100), server, language="en")
    assert server.cancelled >= 1, "the other chunks are not waited for"


def test_an_error_while_probing_is_the_error_of_the_file(server):
    async def broken(samples, options, *, timeout_s):
        raise UnavailableError("no server")

    server.detect_language = broken
    with pytest.raises(UnavailableError, match="no server"):
        run(media(70), server)


def test_never_more_in_flight_than_allowed_over_all_files(server):
    async def both():
        transcriber = Transcriber("host:1", TranscribeOptions(voice_detection=None, language="en"))
        async with Session("host:1", 2) as session:
            return await asyncio.gather(*(transcriber.transcribe_in(session, media(100)) for _ in range(2)))

    transcripts = asyncio.run(both())
    assert server.most_in_flight == 2
    assert all(len(transcript.segments) >= 4 for transcript in transcripts)


def test_progress_never_falls_and_ends_at_the_whole(server):
    steps = []
    run(media(100), server, language="en", progress=lambda done, total: steps.append((done, total)))
    done = [step[0] for step in steps]
    assert done == sorted(done)
    assert done[-1] == pytest.approx(steps[-1][1]) == pytest.approx(100)


def test_silence_sends_nothing_and_has_no_language(server):
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(SAMPLE_RATE)
        wav.writeframes(bytes(2 * 40 * SAMPLE_RATE))
    transcript = Transcriber("host:1").transcribe(file.getvalue())
    assert server.requests == server.probes == []
    assert (transcript.text, transcript.language) == ("", None)
    assert transcript.audio.duration == pytest.approx(40)


def test_what_cannot_be_decoded_is_never_sent(server):
    with pytest.raises(AudioError):
        run(b"not media", server)
    assert server.requests == []


def test_an_unknown_language_is_told_before_anything_else():
    with pytest.raises(UsageError, match="Klingon"):
        Transcriber("host:1", TranscribeOptions(language="Klingon"))


def test_bytes_are_told_from_a_path(server, tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(media(2))
    assert run(path, server).audio.path == str(path)
    assert run(media(2), server).audio.path == "-"
    assert run(io.BytesIO(media(2)), server).audio.path == "-"


def test_a_resumed_job_asks_only_for_what_is_missing(server, tmp_path):
    """The last chunk fails; the second try asks for that one alone and gives the text of an undisturbed job."""
    expected = run(media(100), server, language="en")
    sent, server.requests = len(server.requests), []

    def attempt():
        async def job():
            journal = Journal(tmp_path / "journal", from_s=0.0)
            try:
                async with Session("host:1", concurrency=1) as session:
                    transcriber = Transcriber("host:1", TranscribeOptions(voice_detection=None, language="en"))
                    return await transcriber.transcribe_in(session, io.BytesIO(media(100)), RunOptions(journal=journal))
            finally:
                journal.close()

        return asyncio.run(job())

    server.failing = {sent - 1: InternalError("broken")}
    with pytest.raises(InternalError):
        attempt()
    assert len(server.requests) == sent
    server.failing, server.requests = {}, []
    assert attempt() == expected
    assert len(server.requests) == 1


def test_chunks_are_sent_while_the_rest_is_looked_at(server, monkeypatch):
    """Voice detection of the end waits here for the answer to the beginning."""
    answered = threading.Event()

    def found(samples, options):
        for second in range(0, 90, 15):
            if second == 60:
                assert answered.wait(10)
            yield Span(second * SAMPLE_RATE, (second + 10) * SAMPLE_RATE)

    monkeypatch.setattr("triscribe.speech.vad.spans_as_found", found)
    transcript = run(media(90), server, language="en", voice_detection=VadOptions(), progress=lambda *_: answered.set())
    assert len(transcript.segments) == len(server.requests) == 6
    assert {request["priority"] for request in server.requests} == {"bulk"}


def test_an_error_while_looking_is_the_error_of_the_file(server, monkeypatch):
    def found(samples, options):
        yield Span(0, 10 * SAMPLE_RATE)
        yield Span(20 * SAMPLE_RATE, 30 * SAMPLE_RATE)
        yield Span(40 * SAMPLE_RATE, 50 * SAMPLE_RATE)
        yield Span(60 * SAMPLE_RATE, 70 * SAMPLE_RATE)
        raise MemoryError("no room")

    monkeypatch.setattr("triscribe.speech.vad.spans_as_found", found)
    with pytest.raises(MemoryError, match="no room"):
        run(media(90), server, language="en", voice_detection=VadOptions())

"""`triscribe.transcribe`, with a stand-in for the server."""

from typing import Any

import pytest

from triscribe import TranscribeOptions, UsageError, library, transcribe


@pytest.fixture
def seen(monkeypatch):
    """What is asked of the servers."""
    calls: list[tuple[Any, ...]] = []

    class Embedded:
        url = "127.0.0.1:1"

        def __init__(self, options):
            calls.append(("serve", tuple(options.models)))

        def __enter__(self):
            return self

        def __exit__(self, *exc):
            calls.append(("stop",))

    class Transcriber:
        def __init__(self, server, options):
            self.asked = (server, options)

        def transcribe(self, source, *, progress):
            calls.append((*self.asked, source, progress))
            return "transcript"

    monkeypatch.setattr(library, "EmbeddedTriton", Embedded)
    monkeypatch.setattr(library, "Transcriber", Transcriber)
    return calls


@pytest.mark.parametrize(("model", "served"), [(None, "base"), ("tiny.en", "tiny.en")])
def test_without_a_server_one_runs_for_the_call(seen, model, served):
    transcript: object = transcribe("a.wav", model=model, language="de")
    assert transcript == "transcript"
    asked = ("127.0.0.1:1", TranscribeOptions(language="de"), "a.wav", None)
    assert seen == [("serve", (served,)), asked, ("stop",)]


@pytest.mark.parametrize("model", [None, "tiny.en"])
def test_a_running_server_is_asked_for_the_model(seen, model):
    transcribe(b"audio", server="host:8001", model=model, progress=print)
    assert seen == [("host:8001", TranscribeOptions(model=model), b"audio", print)]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"language": "klingon"}, UsageError),
        ({"languages": ("de",), "language": "en"}, UsageError),
        ({"loud": 1}, TypeError),
    ],
)
def test_wrong_options_start_nothing(seen, options, error):
    with pytest.raises(error):
        transcribe("a.wav", **options)
    assert seen == []

"""The official Python package against the door: its exceptions, its retries, its streams."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from tests.unit.gateway_http.conftest import LONG, SHORT, UNCUT, Door, opened
from triscribe.errors import UnavailableError
from triscribe.service.auth import make_token


def sdk(door: Door, **settings: Any) -> openai.AsyncOpenAI:
    chosen: dict[str, Any] = {"base_url": f"{door.url}/v1", "api_key": "any", "max_retries": 0}
    return openai.AsyncOpenAI(**chosen | settings)


async def ask(client: openai.AsyncOpenAI, file: bytes = SHORT, **fields: Any) -> Any:
    own = {name: fields.pop(name) for name in ("num_speakers", "modle") if name in fields}
    wanted = {"model": "whisper-1", "extra_body": UNCUT | own} | fields
    return await client.audio.transcriptions.create(file=("a.wav", file), **wanted)


async def test_exceptions_are_typed():
    async with opened(max_upload_bytes=len(LONG), max_message_bytes=1024) as door:
        client = sdk(door)
        for error, status, param, fields in (
            (openai.BadRequestError, 400, "temperature", {"temperature": 7}),
            (openai.BadRequestError, 400, "modle", {"modle": "x"}),
            (openai.BadRequestError, 400, "file", {"file": b"no audio at all"}),
            (openai.BadRequestError, 400, "file", {"file": b""}),
            (openai.NotFoundError, 404, "model", {"model": "nova-3"}),
            (openai.UnprocessableEntityError, 422, "response_format", {"response_format": "diarized_json"}),
            (
                openai.UnprocessableEntityError,
                422,
                "language",
                {"model": "tiny.en", "language": "de", "extra_body": {}},
            ),
            (openai.APIStatusError, 413, "file", {"file": LONG + bytes(10)}),
            (openai.APIStatusError, 413, None, {"prompt": "x" * 2000}),
        ):
            with pytest.raises(error) as caught:
                await ask(client, **fields)
            assert (caught.value.status_code, caught.value.param) == (status, param), fields
            assert caught.value.request_id
        assert (await ask(client)).text == "chunk 0."


async def test_tokens_and_outages_are_typed(tmp_path):
    token, line = make_token("shop")
    (tmp_path / "tokens").write_text(line)
    async with opened(tokens=tmp_path / "tokens") as door:
        with pytest.raises(openai.AuthenticationError):
            await ask(sdk(door))
        client = sdk(door, api_key=token)
        door.triton.error = UnavailableError("Triton restarts")
        with pytest.raises(openai.InternalServerError) as caught:
            await ask(client)
        assert caught.value.status_code == 503
        door.triton.error = None
        assert (await ask(client)).text == "chunk 0."


async def test_streams_are_iterated_and_equal_the_whole(door):
    whole = await ask(sdk(door), file=LONG, include=["logprobs"])
    events = [event async for event in await ask(sdk(door), file=LONG, stream=True, include=["logprobs"])]
    *deltas, done = events
    assert [event.type for event in deltas] == ["transcript.text.delta"] * len(deltas)
    assert len(deltas) >= 3
    assert "".join(event.delta for event in deltas) == done.text == whole.text
    assert done.usage
    assert [one.token for event in deltas for one in event.logprobs] == [one.token for one in whole.logprobs]
    assert [one.logprob for one in done.logprobs] == [one.logprob for one in whole.logprobs]


async def test_a_stream_of_what_is_no_audio_is_refused_with_a_status(door):
    with pytest.raises(openai.BadRequestError):
        await ask(sdk(door), file=b"no audio at all", stream=True)


async def test_a_stream_that_fails_raises(door):
    door.triton.release.clear()
    stream = await ask(sdk(door), file=LONG, stream=True)
    assert (await anext(aiter(stream))).type == "transcript.text.delta"
    door.triton.error = UnavailableError("Triton restarts")
    door.triton.release.set()
    with pytest.raises(openai.APIError, match="Triton restarts"):
        async for _ in stream:
            pass


async def test_a_stream_shows_life_while_nothing_happens(door, monkeypatch):
    monkeypatch.setattr("triscribe.gateway.http.events.PING_S", 0.05)
    door.triton.release.clear()
    stream = await ask(sdk(door), file=LONG, stream=True)
    seen: list[bytes] = []
    async for piece in stream.response.aiter_raw():
        seen.append(piece)
        if b"".join(seen).count(b": ping\n\n") == 3:
            door.triton.release.set()
    assert b"".join(seen).endswith(b"data: [DONE]\n\n")

"""The HTTP door and Realtime from pages in a real browser: one that is named in the settings, and one that is not."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.browser.driving import chromium
from tests.harness.audio import wav
from tests.harness.gateway import gateway_process
from tests.harness.ports import free_port
from triscribe.service.auth import make_token

TRANSCRIBE = """
const [url, token, done] = arguments;
(async () => {
  const form = new FormData();
  form.append("file", await (await fetch("clip.wav")).blob(), "clip.wav");
  form.append("model", "tiny.en");
  const headers = {Authorization: "Bearer " + token};
  const answer = await fetch(url + "/v1/audio/transcriptions", {method: "POST", body: form, headers});
  return [answer.status, (await answer.json()).text, answer.headers.get("x-request-id")];
})().then(done, error => done(String(error)));
"""

LISTEN = """
const [url, token, done] = arguments;
const socket = new WebSocket(url + "/v1/realtime?intent=transcription",
                             ["realtime", "openai-insecure-api-key." + token]);
socket.onerror = () => done("refused");
const send = event => socket.send(JSON.stringify(event));
socket.onmessage = async ({data}) => {
  const event = JSON.parse(data);
  if (event.type == "error") done(data);
  if (event.type == "session.created")
    send({type: "session.update", session: {type: "transcription", audio: {input: {
      format: {type: "audio/pcm", rate: 16000}, transcription: {model: "tiny.en"}}}}});
  if (event.type == "session.updated") {
    const bytes = new Uint8Array(await (await fetch("clip.wav")).arrayBuffer()).slice(44);
    for (let at = 0; at < bytes.length; at += 9600)
      send({type: "input_audio_buffer.append", audio: btoa(String.fromCharCode(...bytes.slice(at, at + 9600)))});
    send({type: "input_audio_buffer.append", audio: btoa("\\0".repeat(48000))});
  }
  if (event.type.endsWith("input_audio_transcription.completed")) done([socket.protocol, event.transcript]);
};
"""


@contextmanager
def pages(folder) -> Iterator[str]:
    """A web server for the files of a folder; its origin."""
    handler = partial(SimpleHTTPRequestHandler, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as served:
        thread = threading.Thread(target=served.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{served.server_port}"
        served.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def door(server, tmp_path_factory, conversation):
    """(Address of the gateway, token, the named page, the other one)."""
    folder = tmp_path_factory.mktemp("pages")
    (folder / "index.html").write_text("<title>A page</title>")
    (folder / "clip.wav").write_bytes(wav(conversation.part(8.0, 10.5)))
    token, line = make_token("page")
    (folder / "tokens").write_text(line + "\n")
    with (
        pages(folder) as named,
        pages(folder) as other,
        gateway_process(server.url, http_port=free_port(), http_origins=named, tokens=folder / "tokens") as gateway,
    ):
        yield gateway.http_address, token, named, other


@pytest.fixture(scope="module")
def browser():
    with chromium() as driver:
        driver.set_script_timeout(60)
        yield driver


def test_a_page_that_is_named_transcribes_and_listens(browser, door):
    address, token, named, _ = door
    browser.get(named)
    status, text, request_id = browser.execute_async_script(TRANSCRIBE, f"http://{address}", token)
    assert status == 200
    assert len(text.split()) >= 3
    assert request_id
    protocol, heard = browser.execute_async_script(LISTEN, f"ws://{address}", token)
    assert protocol == "realtime"
    assert set(heard.lower().strip(".").split()) & set(text.lower().strip(".").split())


def test_a_page_that_is_not_named_reads_nothing(browser, door):
    address, token, _, other = door
    browser.get(other)
    assert "TypeError" in browser.execute_async_script(TRANSCRIBE, f"http://{address}", token)
    assert browser.execute_async_script(LISTEN, f"ws://{address}", token) == "refused"

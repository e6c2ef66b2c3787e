"""Recordings after public reports about speech-to-text tools: what each must give, whatever door it comes through."""

import asyncio
import json
import time

import jsonschema
import pytest

from tests.harness.audio import pcm16, wav
from tests.harness.paths import DATA, REPOSITORY
from triscribe.client import LiveEnd, LiveResult, PcmFormat, RecognitionOptions
from triscribe.errors import AudioError, InvalidArgumentError
from triscribe.formats import WRITERS
from triscribe.media import decoding
from triscribe.media.decoding import Decoded
from triscribe.transcription.options import TranscribeOptions
from triscribe.transcription.transcriber import Transcriber
from triscribe.types import SAMPLE_RATE

REPORTS = DATA / "reports"
DOORS = ("command", "Recognize", "UploadRecognize")
PCM = RecognitionOptions(pcm=PcmFormat())
LATEST_S = 8.0

pytestmark = pytest.mark.skipif(not REPORTS.is_dir(), reason=f"no development data in {REPORTS}")


@pytest.fixture
def through(server, client):
    """Sends a recording through a door, with options of the API."""

    async def through(door, source, **options):
        if door == "command":
            return await Transcriber(server.url, TranscribeOptions(**options)).transcribe_async(source)
        call = client.recognize if door == "Recognize" else client.transcribe
        return await call(source, RecognitionOptions(**options))

    return through


async def live(client, data, options=PCM, *, pace=20.0):
    """All finals with the second at which each came, and the end; `pace` times as fast as it is spoken."""
    began = time.monotonic()

    async def packets():
        for start in range(0, len(data), 3200):
            await asyncio.sleep(max(0.0, began + start / 32_000 / pace - time.monotonic()))
            yield data[start : start + 3200]

    finals = []
    async for event in client.stream(packets(), options):
        if isinstance(event, LiveResult) and event.is_final:
            finals.append((time.monotonic() - began, event.segments))
        elif isinstance(event, LiveEnd):
            return finals, event.transcript
    raise AssertionError("a stream ends with its end")


def codes(transcript):
    return [notice.code for notice in transcript.warnings]


def text_of(transcript):
    return transcript.text.casefold()


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(("name", "index", "language"), [("first", 1, "en"), ("second", 2, "de")])
async def test_of_two_tracks_the_default_one_is_taken_and_told(through, door, name, index, language):
    path = REPORTS / f"r02_two_tracks_{name}_default.mkv"
    transcript = await through(door, path)
    assert transcript.audio.track is not None
    assert (transcript.audio.track.index, transcript.audio.track.count) == (index, 2)
    assert transcript.audio.track.language == language
    assert codes(transcript) == ["other_audio_tracks"]
    other = await through(door, path, audio_track=str(3 - index))
    assert other.audio.track is not None
    assert other.audio.track.language != language
    assert codes(other) == []


@pytest.mark.parametrize("door", DOORS)
async def test_a_track_that_nobody_can_decode_costs_nothing(through, door):
    transcript = await through(door, REPORTS / "r03_second_track_undecodable.mov")
    assert "cold and wet" in text_of(transcript)
    assert codes(transcript) == ["undecodable_audio_track"]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(("name", "mix"), [("r04_antiphase.flac", "inverted"), ("r04_centre_in_5.1.ac3", "centre")])
async def test_channels_are_mixed_so_that_speech_is_kept(through, door, name, mix):
    transcript = await through(door, REPORTS / name)
    assert "played cards" in text_of(transcript)
    assert transcript.audio.mix == mix
    assert "mixed_channels" in codes(transcript)


async def test_opposite_channels_do_not_cancel_in_live_audio(client):
    samples = decoding.decode(REPORTS / "r27_flac_sent_as_linear16.flac").samples
    pair = b"".join(pcm16(samples[i : i + 1]) + pcm16(-samples[i : i + 1]) for i in range(len(samples)))
    options = RecognitionOptions(pcm=PcmFormat(channels=2))
    _, transcript = await live(client, pair, options)
    assert "played cards" in text_of(transcript)
    assert transcript.audio.mix == "inverted"


@pytest.mark.parametrize("door", DOORS)
async def test_a_header_of_nine_hours_is_one_warning_with_the_time_once(through, door):
    transcript = await through(door, REPORTS / "r05_wav_header_9h.wav")
    assert "played cards" in text_of(transcript)
    (notice,) = transcript.warnings
    assert notice.code == "truncated_audio"
    assert notice.start == pytest.approx(6.2, abs=0.1)
    assert "6.2" not in notice.message


@pytest.mark.parametrize("door", DOORS)
async def test_a_container_without_audio_says_so(through, door):
    with pytest.raises((AudioError, InvalidArgumentError), match="ends before any audio"):
        await through(door, REPORTS / "r06_webm_head_only.webm")


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("voice_detection", [True, False])
async def test_a_blip_says_nothing(through, door, voice_detection):
    options = {} if voice_detection else {"voice_detection": None if door == "command" else False}
    transcript = await through(door, REPORTS / "r10_tail_40ms.flac", **options)
    assert text_of(transcript).rstrip(".").endswith("cards")


@pytest.mark.parametrize("door", ["Recognize"])
async def test_noise_does_not_say_the_prompt(through, door):
    options = {"voice_detection": None if door == "command" else False}
    transcript = await through(
        door, REPORTS / "r17_noise_prompt_novad.flac", initial_prompt="The assistant is called Jarvix.", **options
    )
    assert transcript.text == ""


@pytest.mark.parametrize("door", DOORS)
async def test_the_quiet_side_of_a_call_is_heard(through, door):
    transcript = await through(door, REPORTS / "r18_far_side_36dB.flac")
    words = [word for segment in transcript.segments for word in segment.words]
    assert any(word.start > 8.5 for word in words) or "speech_not_transcribed" in codes(transcript)
    assert len([word for word in words if word.start > 3.0]) >= 5


async def test_a_recording_that_goes_on_in_another_language(server):
    samples = decoding.decode(REPORTS / "r21_en_then_de.opus").samples[15 * SAMPLE_RATE : 75 * SAMPLE_RATE]
    transcript = await Transcriber(server.url).transcribe_async(Decoded(samples))
    late = [segment for segment in transcript.segments if segment.start > 35]
    german = sum(segment.end - segment.start for segment in late if segment.language == "de")
    assert german > 0.5 * sum(segment.end - segment.start for segment in late)
    assert all(segment.language == "en" for segment in transcript.segments if segment.end < 23)


async def test_a_surplus_byte_is_a_warning_in_every_call(through, client):
    data = (REPORTS / "r24_surplus_byte.s16").read_bytes()
    for transcript in (
        await through("Recognize", data, pcm=PcmFormat()),
        await through("UploadRecognize", data, pcm=PcmFormat()),
        (await live(client, data))[1],
    ):
        assert "played cards" in text_of(transcript)
        assert "incomplete_sample" in codes(transcript)


async def test_a_file_declared_as_samples_is_refused_with_its_name(through, client, conversation):
    data = (REPORTS / "r27_flac_sent_as_linear16.flac").read_bytes()
    for door in ("Recognize", "UploadRecognize"):
        with pytest.raises(InvalidArgumentError, match="FLAC"):
            await through(door, data, pcm=PcmFormat())
    with pytest.raises(InvalidArgumentError, match="FLAC"):
        await live(client, data)
    # The next request works, and a WAV header that agrees is passed over.
    samples = conversation.part(6.5, 12)
    plain, headed = [await through("Recognize", form(samples), pcm=PcmFormat()) for form in (pcm16, wav)]
    assert plain.text == headed.text == (await live(client, wav(samples)))[1].text or plain.text == headed.text
    assert plain.audio.duration == headed.audio.duration


async def test_silence_is_valid_under_the_schema(through):
    transcript = await through("command", REPORTS / "r30_zero.wav")
    document = json.loads(WRITERS["json"].render(transcript))
    jsonschema.validate(document, json.loads((REPOSITORY / "docs" / "transcript.schema.json").read_text()))
    assert document["language"] is None


@pytest.mark.load  # by the clock: not beside other tests
async def test_speech_without_pauses_is_final_in_time(client):
    samples = decoding.decode(REPORTS / "r20_no_pause.flac").samples[: 24 * SAMPLE_RATE]
    finals, _ = await live(client, pcm16(samples), RecognitionOptions(language="en", pcm=PcmFormat()), pace=1.0)
    late = [came - segments[-1].end for came, segments in finals]
    assert max(late) <= LATEST_S
    assert len(finals) >= 4

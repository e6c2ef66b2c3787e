import io

import av
import numpy as np
import pytest

from tests.harness.marks import needs_data
from tests.harness.media import fill
from tests.harness.paths import DATA
from triscribe.errors import AudioError, UsageError
from triscribe.media import tracks
from triscribe.media.decoding import decode
from triscribe.types import SAMPLE_RATE, AudioTrack

RATE = 48_000


def film(*languages, default=0, titles=(), codecs=(), container="matroska"):
    """A file with a track for each language, whose length tells which it is: 1 s, 2 s, ..."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        streams = []
        for index, language in enumerate(languages):
            stream = output.add_stream(codecs[index] if codecs else "libopus", rate=RATE, layout="mono")
            if language:
                stream.metadata["language"] = language
            if index < len(titles):
                stream.metadata["title"] = titles[index]
            stream.disposition = av.stream.Disposition.default if index == default else av.stream.Disposition(0)
            streams.append(stream)
        for index, stream in enumerate(streams):
            samples = np.random.default_rng(index).normal(0, 0.1, (index + 1) * RATE).astype(np.float32)
            fill(output, stream, samples[None], RATE, "mono")
    return file.getvalue()


def taken(decoded):
    assert decoded.track is not None
    return decoded.track


def seconds(decoded):
    return round(len(decoded.samples) / SAMPLE_RATE)


@pytest.mark.parametrize(("default", "number"), [(0, 1), (1, 2), (2, 3)])
def test_the_default_track_is_taken_and_the_others_are_told(default, number):
    decoded = decode(film("eng", "ger", "fre", default=default))
    assert seconds(decoded) == number
    assert decoded.track == AudioTrack(number, 3, ["en", "de", "fr"][number - 1])
    (notice,) = decoded.notices
    assert notice.code == "other_audio_tracks"
    assert notice.message.startswith(f"audio track {number} of 3 ({taken(decoded).language}) was transcribed")


@pytest.mark.parametrize("wanted", ["2", "de", "deu", "ger", "German", "Deutsch", "de-DE", " DE "])
def test_a_track_is_taken_by_its_number_or_its_language(wanted):
    decoded = decode(film("eng", "ger"), track=tracks.check(wanted))
    assert decoded.track == AudioTrack(2, 2, "de")
    assert decoded.notices == ()


def test_of_two_tracks_in_a_language_the_first_is_taken():
    assert taken(decode(film("eng", "eng"), track="en")).index == 1


def test_a_title_is_one_clean_line():
    decoded = decode(film("eng", "eng", titles=("Main", "Director's\n\x1b[31m commentary")))
    assert taken(decoded).title == "Main"
    assert "2 (en, Director's [31m commentary)" in decoded.notices[0].message


def test_a_track_that_is_not_there_is_an_error_that_lists_those_that_are():
    for wanted in ("3", "fr"):
        with pytest.raises(AudioError, match=r"no audio track .+; it has 1 \(en\), 2 \(de\)"):
            decode(film("eng", "ger"), track=wanted)


@pytest.mark.parametrize("wanted", ["0", "-1", "nonsense", "", "1.5"])
def test_what_is_neither_a_number_nor_a_language_is_refused(wanted):
    with pytest.raises(UsageError, match="audio track"):
        tracks.check(wanted)


def test_one_track_is_nothing_to_tell():
    decoded = decode(film(None))
    assert decoded.track == AudioTrack(1, 1)
    assert decoded.notices == ()


@pytest.mark.parametrize("lost", [0, 1])
@pytest.mark.parametrize("default", [0, 1])
def test_a_track_that_cannot_be_decoded_never_costs_one_that_can(lost, default):
    content = film("eng", "ger", default=default, codecs=["pcm_s16le", "flac"] if lost else ["flac", "pcm_s16le"])
    content = content.replace(b"A_FLAC", b"A_FLOP")
    decoded = decode(content)
    assert taken(decoded).index == 2 - lost
    assert [notice.code for notice in decoded.notices] == ["undecodable_audio_track"]
    with pytest.raises(AudioError, match=rf"audio track {lost + 1} of 2 .+ cannot be decoded"):
        decode(content, track=str(lost + 1))


@pytest.mark.parametrize("damaged", [0, 1])
def test_a_track_of_which_nothing_decodes_is_passed_over(damaged):
    content = film("eng", "ger", default=damaged, codecs=["aac", "aac"])
    with av.open(io.BytesIO(content)) as container:
        packets = [bytes(packet) for packet in container.demux(container.streams.audio[damaged]) if packet.size]
    for packet in packets:
        content = content.replace(packet, b"\xff" * len(packet))
    decoded = decode(content)
    assert taken(decoded).index == 2 - damaged
    assert "undecodable_audio_track" in [notice.code for notice in decoded.notices]


@needs_data
@pytest.mark.parametrize(
    ("name", "track"),
    [
        ("r02_two_tracks_first_default.mkv", AudioTrack(1, 2, "en")),
        ("r02_two_tracks_second_default.mkv", AudioTrack(2, 2, "de")),
        ("r03_second_track_undecodable.mov", AudioTrack(1, 2)),
    ],
)
def test_recordings_that_were_reported(name, track):
    decoded = decode(DATA / "reports" / name)
    assert decoded.track == track
    assert len(decoded.notices) == 1

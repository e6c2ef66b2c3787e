"""What is refused, and what is loaded when."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from triscribe_align import description, service
from triscribe_align.errors import AlignError
from triscribe_align.service import Aligner, parse_words

SECOND = np.zeros(16_000, np.float32)


@pytest.mark.parametrize(
    ("audio", "words", "language", "code", "field"),
    [
        (SECOND, ["a"], "xx", "FAILED_PRECONDITION", "LANGUAGE"),
        (np.zeros(16_000 * 31, np.float32), ["a"], "en", "INVALID_ARGUMENT", "AUDIO"),
        (SECOND.reshape(2, -1), ["a"], "en", "INVALID_ARGUMENT", "AUDIO"),
        (SECOND.astype(np.float64), ["a"], "en", "INVALID_ARGUMENT", "AUDIO"),
        (np.full(16_000, np.nan, np.float32), ["a"], "en", "INVALID_ARGUMENT", "AUDIO"),
        (SECOND, ["a"] * 101, "en", "INVALID_ARGUMENT", "WORDS"),
        (SECOND[:0], ["a"], "en", "INVALID_ARGUMENT", "WORDS"),
    ],
)
def test_refuses(aligner, audio, words, language, code, field):
    with pytest.raises(AlignError) as caught:
        aligner.align(audio, words, language)
    assert (caught.value.code, caught.value.field) == (code, field)


def test_no_words_need_no_time(aligner):
    assert aligner.align(SECOND, [], "en") == []


@pytest.mark.parametrize("samples", [160, 799, 800, 1000, 16_000])
def test_silence_of_any_length_still_times_every_word(aligner, samples):
    (word,) = aligner.align(np.zeros(samples, np.float32), ["hello"], "en")
    assert 0 <= word.start < word.end <= samples / 16_000
    assert word.timing == "interpolated"


@pytest.mark.parametrize("text", [b"", b"{}", b"[1]", b"\xff", b'"word"'])
def test_words_that_are_no_array_of_strings(text):
    with pytest.raises(AlignError, match="WORDS"):
        parse_words(text)


def test_words_as_the_contract_writes_them():
    assert parse_words(json.dumps(["naïve", "3 %"]).encode()) == ["naïve", "3 %"]


@pytest.fixture
def three_languages(tmp_path, languages):
    for code in ("en", "xa", "xb"):
        (tmp_path / code).symlink_to(languages / "en")
    return tmp_path


def test_a_language_is_a_folder(three_languages):
    assert Aligner(three_languages).languages == ("en", "xa", "xb")


def test_the_language_unused_for_longest_is_unloaded(three_languages, monkeypatch):
    loads = []

    class Counting:
        def __init__(self, described, **_):
            loads.append(described.folder.name)

        def align(self, audio, words):
            return []

    monkeypatch.setattr(service, "LanguageAligner", Counting)
    aligner = Aligner(three_languages, max_sessions=2)
    for code in ("en", "xa", "en", "xb", "en", "xa"):
        aligner.align(SECOND, ["a"], code)
    assert loads == ["en", "xa", "xb", "xa"]


def test_missing_weights_are_named(tmp_path, languages):
    folder = tmp_path / "en"
    folder.mkdir()
    (folder / "aligner.toml").write_text((languages / "en" / "aligner.toml").read_text())
    with pytest.raises(AlignError, match="weights") as caught:
        Aligner(tmp_path).align(SECOND, ["a"], "en")
    assert caught.value.code == "FAILED_PRECONDITION"


def test_clips_of_unequal_length_never_share_a_run_where_padding_matters(english):
    with pytest.raises(AlignError, match="unequal length"):
        english._emitter([SECOND, SECOND[:8000]])


def test_clips_of_equal_length_may_share_a_run(english):
    noise = np.random.default_rng(0).standard_normal((2, 16_000)).astype(np.float32) * 0.1
    together = english._emitter(list(noise))
    for clip, found in zip(noise, together, strict=True):
        np.testing.assert_allclose(np.exp(found), np.exp(english._emitter([clip])[0]), atol=1e-3)


def test_a_broken_description_is_named(tmp_path):
    (tmp_path / "aligner.toml").write_text("language = 'en'")
    with pytest.raises(AlignError, match=r"aligner\.toml"):
        description.read(tmp_path / "aligner.toml")


def test_a_language_that_loads_does_not_hold_up_one_that_is_loaded(three_languages, monkeypatch):
    """The first German word once stopped all English ones for the seconds of loading."""
    release = threading.Event()

    class Slow:
        def __init__(self, described, **_):
            if described.folder.name == "xa":
                assert release.wait(20)

        def align(self, audio, words):
            return []

    monkeypatch.setattr(service, "LanguageAligner", Slow)
    aligner = Aligner(three_languages)
    aligner.align(SECOND, ["a"], "en")
    with ThreadPoolExecutor(2) as pool:
        loading = [pool.submit(aligner.align, SECOND, ["a"], "xa") for _ in range(2)]
        assert aligner.align(SECOND, ["a"], "en") == []
        assert aligner.align(SECOND, ["a"], "xb") == []
        assert not any(job.done() for job in loading)
        release.set()
        assert [job.result(20) for job in loading] == [[], []]

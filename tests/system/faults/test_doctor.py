"""Each fault is provoked for real, in a mount namespace of the command's own, and must be named with its remedy."""

import json
import os
import shutil
import socket
import subprocess
import sysconfig
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.harness.paths import COMMAND
from triscribe.models import ModelStore

PACKAGES = Path(sysconfig.get_path("purelib"))
# Root needs no user namespace, and may be forbidden to make one.
UNSHARE = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
QUICK = ("--no-encode", "--grpc-port", "0", "--http-port", "0", "--metrics-port", "0", "--health-port", "0")


def examine(*options, hidden="", environment=None, model="tiny.en"):
    """The findings of `triscribe doctor`, after a shell command has harmed what it sees."""
    command = [COMMAND, "doctor", "--json", "--device", "cpu", "--model", model, *options]
    if hidden:
        command = [*UNSHARE, "sh", "-ec", f'{hidden}\nexec "$@"', "sh", *command]
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=240, env={**os.environ, **(environment or {})}, check=False
    )
    assert ended.stdout, ended.stderr
    report = json.loads(ended.stdout)
    assert ended.returncode == (0 if report["ok"] else 1)
    return report["findings"]


def failures(findings):
    return {(one["check"], one["subject"]): one for one in findings if one["status"] == "failed"}


@pytest.fixture(scope="module", autouse=True)
def _cached(english_folder):
    for name in ("hama-phoneme", "tritonserver-24.10"):
        ModelStore().pull(name)


def test_a_sound_machine_is_sound_and_really_encodes():
    findings = examine(*QUICK[1:])
    assert not failures(findings)
    seen = {(one["check"], one["subject"]): one["detail"] for one in findings}
    assert seen["encode", "tiny.en on cpu as int8"].startswith("int8")
    assert seen["encode", "tiny.en on cpu as float32"].startswith("float32")
    assert ("onnx", "cpu") in seen
    assert {"numpy", "ctranslate2", "onnxruntime"} <= {subject for check, subject in seen if check == "libraries"}
    assert ("triton", "tritonserver") in seen


def test_a_hidden_package_is_named():
    findings = failures(examine(*QUICK, hidden=f"mount -t tmpfs none {PACKAGES}/num2words"))
    assert list(findings) == [("libraries", "num2words")]
    assert "requirements/server.txt" in findings["libraries", "num2words"]["remedy"]


def test_a_damaged_shared_library_is_named_with_what_it_breaks():
    (library,) = (PACKAGES / "ctranslate2.libs").glob("libctranslate2*")
    findings = failures(examine(*QUICK[1:], hidden=f"mount --bind /dev/null {library}"))
    found = findings["libraries", "ctranslate2"]
    assert "file too short" in found["detail"]
    assert library.name in found["remedy"]
    assert ("encode", "tiny.en on cpu as int8") in findings, "the crash of a probe is a finding"
    assert ("libraries", "onnxruntime") not in findings


def test_a_damaged_library_of_triton_is_named(tmp_path):
    (library,) = (ModelStore().path("tritonserver-24.10") / "nvidia_pytriton.libs").glob("libb64*")
    zeros = tmp_path / "zeros"
    zeros.write_bytes(bytes(library.stat().st_size))
    findings = failures(examine(*QUICK, hidden=f"mount --bind {zeros} {library}"))
    assert "invalid ELF header" in findings["triton", "tritonserver"]["detail"]
    assert library.name in findings["models", "tritonserver-24.10"]["detail"]
    assert "triscribe models pull tritonserver-24.10" in findings["models", "tritonserver-24.10"]["remedy"]
    assert len(findings) == 2


def test_a_tiny_shared_memory_is_named():
    findings = failures(examine(*QUICK, hidden="mount -t tmpfs -o size=8m none /dev/shm"))
    assert findings["shared_memory", "/dev/shm"]["detail"] == "/dev/shm has 8 MiB free and Triton needs 64"
    assert "--shm-size" in findings["shared_memory", "/dev/shm"]["remedy"]


def test_a_full_folder_for_temporary_files_is_named(tmp_path):
    full = f"mount -t tmpfs -o size=4m none {tmp_path}"
    findings = failures(examine(*QUICK, hidden=full, environment={"TMPDIR": str(tmp_path)}))
    assert "TMPDIR" in findings["disk", str(tmp_path)]["remedy"]


def test_each_busy_port_is_named():
    names = ("grpc", "http", "metrics", "health")
    with ExitStack() as held:
        ports = []
        for _ in names:
            busy = held.enter_context(socket.socket())
            busy.bind(("127.0.0.1", 0))
            busy.listen()
            ports.append(busy.getsockname()[1])
        options = [word for name, port in zip(names, ports, strict=True) for word in (f"--{name}-port", str(port))]
        findings = failures(examine("--no-encode", *options))
    assert list(findings) == [("ports", f"{name} 127.0.0.1:{port}") for name, port in zip(names, ports, strict=True)]
    assert all("choose another port" in one["remedy"] for one in findings.values())


def test_each_harmed_file_of_a_model_is_named(tmp_path, english_folder):
    own = ModelStore()
    cache = tmp_path / "cache"
    for name in ("tiny.en", "hama-phoneme", "tritonserver-24.10"):
        source = own.path(name)
        target = cache / source.relative_to(own.cache_dir)
        target.parent.mkdir(parents=True)
        if name == "tiny.en":
            shutil.copytree(source, target)
        else:
            target.symlink_to(source)
    folder = cache / english_folder.relative_to(own.cache_dir)
    weights = bytearray((folder / "model.bin").read_bytes())
    weights[len(weights) // 2] ^= 1
    (folder / "model.bin").write_bytes(weights)
    (folder / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes()[:1000])
    (folder / "config.json").unlink()
    ((subject, found),) = failures(examine(*QUICK, environment={"TRISCRIBE_CACHE": str(cache)})).items()
    assert subject == ("models", "tiny.en")
    for damage in ("model.bin is corrupt", "tokenizer.json is corrupt", "config.json is missing"):
        assert damage in found["detail"]
    assert "triscribe models pull tiny.en" in found["remedy"]


def test_an_empty_cache_that_cannot_be_written_is_named(tmp_path):
    findings = failures(
        examine(
            *QUICK,
            hidden=f"mount -t tmpfs -o ro none {tmp_path}",
            environment={"TRISCRIBE_CACHE": str(tmp_path / "models")},
        )
    )
    assert "tiny.en" in findings["disk", str(tmp_path / "models")]["detail"]
    assert "volume" in findings["disk", str(tmp_path / "models")]["remedy"]


def test_a_gpu_that_is_not_there_is_named():
    findings = failures(examine(*QUICK, "--device", "cuda", environment={"CUDA_VISIBLE_DEVICES": ""}))
    assert "--gpus" in findings["devices", "cuda"]["remedy"]


def test_a_gpu_that_does_not_work_is_named_by_both_engines():
    """Variables can claim a GPU; the probes find that there is none."""
    findings = failures(examine(*QUICK[1:], "--device", "cuda", environment={"CUDA_VISIBLE_DEVICES": "0"}))
    assert set(findings) == {
        ("onnx", "cuda"),
        ("encode", "tiny.en on cuda:0 as float16"),
        ("encode", "tiny.en on cuda:0 as int8"),
    }
    assert "onnxruntime-gpu" in findings["onnx", "cuda"]["remedy"]
    assert "driver" in findings["encode", "tiny.en on cuda:0 as int8"]["remedy"]


def test_the_preflight_refuses_to_serve_and_says_why():
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        port = busy.getsockname()[1]
        ended = subprocess.run(
            [COMMAND, "serve", "--model", "tiny.en", "--preflight", "--device", "cpu", "--http-port", str(port)],
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
    assert ended.returncode == 1
    assert f"127.0.0.1:{port}" in ended.stderr
    assert "choose another port" in ended.stderr

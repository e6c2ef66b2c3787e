import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub.constants import DOWNLOAD_CHUNK_SIZE

from triscribe.errors import ModelError

from .support import COMMIT, make_store


def test_pull_brings_every_file_and_then_needs_no_server(hub, hub_model, tmp_path: Path):
    store = make_store(tmp_path, hub_model())
    folder = store.pull("tested")
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".json"} == {
        "model.bin": hub.files["model.bin"]
    }
    assert (folder / "config.json").read_bytes() == hub.files["config.json"]
    assert not list((tmp_path / "staging").iterdir())
    asked = len(hub.requests)
    assert store.pull("tested", check=True) == store.path("tested") == folder
    assert len(hub.requests) == asked


def test_cached_model_is_found_offline_without_importing_the_hub_library(hub, hub_model, tmp_path: Path):
    model = hub_model()
    folder = make_store(tmp_path, model).pull("tested")
    manifest = make_store(tmp_path, model).manifest.model_dump_json()
    code = (
        "import sys\nfrom pathlib import Path\nfrom triscribe.models import Manifest, ModelStore\n"
        "store = ModelStore(Path(sys.argv[1]), manifest=Manifest.model_validate_json(sys.argv[2]), offline=True)\n"
        "print(store.pull('tested'))\n"
        "assert store.verify('tested').ok\n"
        "assert not {'huggingface_hub', 'httpx', 'requests', 'pip'} & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), manifest], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(folder)


@pytest.fixture
def large(hub):
    """Makes `model.bin` longer than the block in which the hub library writes, and cuts its first transfer."""
    hub.files["model.bin"] = bytes(range(256)) * (DOWNLOAD_CHUNK_SIZE // 256 + 2000)
    hub.cut_after["model.bin"] = DOWNLOAD_CHUNK_SIZE + 1000
    return hub


def test_a_cut_connection_is_resumed_within_one_pull(large, hub_model, tmp_path: Path):
    folder = make_store(tmp_path, hub_model()).pull("tested")
    assert (folder / "model.bin").read_bytes() == large.files["model.bin"]
    assert [request.range for request in large.gets("model.bin")] == [None, f"bytes={DOWNLOAD_CHUNK_SIZE}-"]


def test_an_interrupted_pull_is_resumed_by_the_next(large, hub_model, tmp_path: Path):
    large.refuse_after_cut = True
    with pytest.raises(ModelError, match="the hub refused acme/whisper"):
        make_store(tmp_path, hub_model()).pull("tested")
    large.refuse = False
    folder = make_store(tmp_path, hub_model()).pull("tested")
    assert (folder / "model.bin").read_bytes() == large.files["model.bin"]
    assert large.gets("model.bin")[-1].range == f"bytes={DOWNLOAD_CHUNK_SIZE}-"


def test_finished_files_of_a_failed_pull_are_not_fetched_again(hub, hub_model, tmp_path: Path):
    store = make_store(tmp_path, hub_model())
    hub.served_instead["config.json"] = b"?" * len(hub.files["config.json"])
    with pytest.raises(ModelError):
        store.pull("tested")
    hub.served_instead.clear()
    store.pull("tested")
    assert len(hub.gets("model.bin")) == 1
    assert len(hub.gets("config.json")) == 2


def test_content_that_is_not_what_the_hub_announced_is_refused(hub, hub_model, tmp_path: Path):
    hub.served_instead["model.bin"] = b"\1" * len(hub.files["model.bin"])
    store = make_store(tmp_path, hub_model(pinned=False))
    with pytest.raises(ModelError, match=r"model\.bin of acme/whisper arrived damaged"):
        store.pull("tested")
    with pytest.raises(ModelError, match="not in the cache"):
        store.path("tested")


def test_content_that_is_not_what_the_manifest_pins_is_refused(hub, hub_model, tmp_path: Path):
    model = hub_model()
    hub.files["model.bin"] = b"\1" * len(hub.files["model.bin"])  # announced and served alike, but not ours
    store = make_store(tmp_path, model)
    with pytest.raises(ModelError, match=r"model\.bin of tested is not the expected file \(sha256"):
        store.pull("tested")
    assert not list(tmp_path.rglob("model.bin*"))


def test_other_size_is_refused_before_anything_is_transferred(hub, hub_model, tmp_path: Path):
    model = hub_model()
    hub.files["model.bin"] += b"more"
    with pytest.raises(ModelError, match="bytes, not 512,000"):
        make_store(tmp_path, model).pull("tested")
    assert not hub.gets("model.bin")


def test_first_use_records_the_hash_and_holds_the_file_to_it(hub, hub_model, tmp_path: Path):
    store = make_store(tmp_path, hub_model(pinned=False))
    folder = store.pull("tested")
    assert store.verify("tested").ok
    content = bytearray((folder / "model.bin").read_bytes())
    content[7] ^= 1
    (folder / "model.bin").write_bytes(content)
    assert store.verify("tested").corrupt == ("model.bin",)
    hub.files["model.bin"] = b"\1" * len(content)
    with pytest.raises(ModelError, match="not the expected file"):
        store.pull("tested", check=True)


def test_unpinned_file_of_an_earlier_try_is_kept_only_when_the_hub_confirms_it(hub, hub_model, tmp_path: Path):
    model = hub_model(pinned=False)
    files = tmp_path / "staging" / f"tested-{model.key}" / "files"
    files.mkdir(parents=True)
    (files / "model.bin").write_bytes(hub.files["model.bin"])
    (files / "config.json").write_bytes(b"x" * len(hub.files["config.json"]))
    store = make_store(tmp_path, model)
    with pytest.raises(ModelError, match=r"config\.json of acme/whisper arrived damaged"):
        store.pull("tested")
    folder = store.pull("tested")
    assert not hub.gets("model.bin")
    assert (folder / "config.json").read_bytes() == hub.files["config.json"]


def test_a_branch_is_resolved_once_and_its_commit_recorded(hub, hub_model, tmp_path: Path):
    store = make_store(tmp_path, hub_model(pinned=False, revision="main"))
    folder = store.pull("tested")
    assert COMMIT in (folder / ".triscribe.json").read_text()
    (folder / "config.json").unlink()
    store.pull("tested")
    assert len([request for request in hub.requests if request.path.startswith("/api/")]) == 1


def test_token_is_sent_and_its_absence_explained(hub, hub_model, tmp_path: Path, monkeypatch):
    hub.token = "hf_secret"
    store = make_store(tmp_path, hub_model())
    with pytest.raises(ModelError, match="accept its terms on the hub and set HF_TOKEN"):
        store.pull("tested")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    store.pull("tested")
    assert {request.authorization for request in hub.gets("model.bin")} == {"Bearer hf_secret"}


def test_what_the_hub_lacks_is_named(hub, hub_model, tmp_path: Path):
    with pytest.raises(ModelError, match="no repository acme/other"):
        make_store(tmp_path, hub_model(repo="acme/other")).pull("tested")
    model = hub_model()
    del hub.files["config.json"]
    with pytest.raises(ModelError, match=r"acme/whisper at 0123.* lacks a file"):
        make_store(tmp_path, model).pull("tested")


def test_unreachable_hub_is_one_clear_error(hub, hub_model, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(ModelError, match="acme/whisper"):
        make_store(tmp_path, hub_model()).pull("tested")

import errno
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from triscribe.errors import ModelError
from triscribe.models import Manifest, ModelStore
from triscribe.models.manifest import File, FolderSource

from .support import make_model, make_store, sha256

WHISPER = {"model.bin": b"weights", "config.json": b"{}", "tokenizer.json": b"{}", "vocabulary.txt": b"a\nb\n"}


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """A folder with a CTranslate2 Whisper model, as a network share would hold it."""
    folder = tmp_path / "share"
    folder.mkdir()
    for name, content in WHISPER.items():
        (folder / name).write_bytes(content)
    return folder


def folder_model(share: Path, **changes):
    files = [File(name=name, size=len(content), sha256=sha256(content)) for name, content in WHISPER.items()]
    return make_model(FolderSource(kind="folder", path=str(share)), files, **changes)


def test_folder_source_is_copied_and_then_not_needed(share: Path, tmp_path: Path):
    store = make_store(tmp_path / "cache", folder_model(share))
    folder = store.pull("tested")
    for name in WHISPER:
        (share / name).unlink()
    assert {path.name: path.read_bytes() for path in store.path("tested").iterdir() if path.name in WHISPER} == WHISPER
    assert store.pull("tested", check=True) == folder


def test_missing_model_names_the_command_that_gets_it(share: Path, tmp_path: Path):
    for offline in (False, True):
        store = make_store(tmp_path / "cache", folder_model(share), offline=offline)
        with pytest.raises(ModelError, match="`triscribe models pull tested`"):
            store.path("tested")
    with pytest.raises(ModelError, match="`triscribe models pull tested`"):
        store.pull("tested")
    assert not (tmp_path / "cache").exists()


def test_lost_and_shortened_files_are_noticed_at_use_and_repaired(share: Path, tmp_path: Path):
    store = make_store(tmp_path / "cache", folder_model(share))
    folder = store.pull("tested")
    (folder / "model.bin").write_bytes(b"wei")
    (folder / "config.json").unlink()
    with pytest.raises(ModelError, match=r"damaged \(config\.json, model\.bin\)"):
        store.path("tested")
    report = store.verify("tested")
    assert (report.corrupt, report.missing, report.ok) == (("model.bin",), ("config.json",), False)
    assert store.pull("tested") == folder
    assert store.verify("tested").ok


def test_only_damaged_files_are_fetched_again(share: Path, tmp_path: Path):
    store = make_store(tmp_path / "cache", folder_model(share))
    folder = store.pull("tested")
    (folder / "model.bin").write_bytes(b"weighty"[:7])
    for name in WHISPER.keys() - {"model.bin"}:
        (share / name).unlink()
    assert store.pull("tested") == folder  # same size: the cheap check cannot see it
    assert store.verify("tested").corrupt == ("model.bin",)
    assert (store.pull("tested", check=True) / "model.bin").read_bytes() == b"weights"


def test_strays_of_an_interrupted_pull_do_not_enter_the_model(share: Path, tmp_path: Path):
    model = folder_model(share)
    files = tmp_path / "cache" / "staging" / f"tested-{model.key}" / "files"
    files.mkdir(parents=True)
    (files / ".model.bin.123.tmp").write_bytes(b"half")
    folder = make_store(tmp_path / "cache", model).pull("tested")
    assert {path.name for path in folder.iterdir()} == {*WHISPER, ".triscribe.json"}


def test_two_versions_live_side_by_side(share: Path, tmp_path: Path):
    old = make_store(tmp_path / "cache", folder_model(share))
    old_folder = old.pull("tested")
    (share / "model.bin").write_bytes(b"retrained")
    files = [File(name="model.bin", sha256=sha256(b"retrained"))]
    new = make_store(tmp_path / "cache", make_model(FolderSource(kind="folder", path=str(share)), files))
    assert (new.pull("tested") / "model.bin").read_bytes() == b"retrained"
    assert (old.path("tested") / "model.bin").read_bytes() == b"weights"
    assert old.path("tested") == old_folder


def test_noncommercial_licence_is_refused_unless_accepted(share: Path, tmp_path: Path):
    model = folder_model(share, license="CC-BY-NC-4.0", commercial=False)
    store = make_store(tmp_path / "cache", model)
    for use in (store.pull, store.path, store.resolve):
        with pytest.raises(ModelError, match=r"CC-BY-NC-4\.0, which forbids commercial use; pass --accept"):
            use("tested")
    accepting = make_store(tmp_path / "cache", model, accept_noncommercial=True)
    assert accepting.pull("tested") == accepting.path("tested")


def test_two_processes_that_pull_at_once_fetch_once_and_both_succeed(hub, hub_model, tmp_path: Path):
    manifest = Manifest(format=1, model=[hub_model()]).model_dump_json()
    code = (
        "import sys\nfrom pathlib import Path\nfrom triscribe.models import Manifest, ModelStore\n"
        "store = ModelStore(Path(sys.argv[1]), manifest=Manifest.model_validate_json(sys.argv[2]))\n"
        "print(store.pull('tested'))\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path), manifest]
    pulls = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [pull.communicate(timeout=60) for pull in pulls]
    assert [pull.returncode for pull in pulls] == [0, 0], outputs
    assert outputs[0][0] == outputs[1][0]
    assert len(hub.gets("model.bin")) == 1


def test_full_disk_is_told_before_and_during_the_fetch(share: Path, tmp_path: Path, monkeypatch):
    store = make_store(tmp_path / "cache", folder_model(share))
    with monkeypatch.context() as patch:
        patch.setattr("shutil.disk_usage", lambda _path: SimpleNamespace(free=3))
        with pytest.raises(ModelError, match=r"needs 15 B while it is fetched, and the disk .* has 3 B free"):
            store.pull("tested")

    def fail(_fetch):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("triscribe.models.store.fetch_missing", fail)
        with pytest.raises(ModelError, match="is full"):
            store.pull("tested")
    store.pull("tested")
    assert store.verify("tested").ok


def test_unusable_cache_folder_is_a_model_error(share: Path, tmp_path: Path):
    (tmp_path / "cache").write_text("a file")
    store = make_store(tmp_path / "cache", folder_model(share))
    with pytest.raises(ModelError, match=r"model cache .* cannot be used"):
        store.pull("tested")


def test_cache_folder_comes_from_the_environment(tmp_path: Path, monkeypatch):
    monkeypatch.delenv("TRISCRIBE_MANIFEST", raising=False)
    monkeypatch.setenv("TRISCRIBE_CACHE", str(tmp_path / "here"))
    assert ModelStore().cache_dir == tmp_path / "here"
    monkeypatch.delenv("TRISCRIBE_CACHE")
    assert ModelStore().cache_dir.name == "triscribe"


def test_resolve_takes_a_name_or_a_ctranslate2_folder(share: Path, tmp_path: Path):
    store = make_store(
        tmp_path / "cache", folder_model(share, aliases=["also"]), folder_model(share, name="al", kind="aligner")
    )
    assert store.resolve("also") == store.resolve("tested") == store.path("tested")
    assert store.resolve(str(share)) == share
    (share / "tokenizer.json").unlink()
    (share / "vocabulary.txt").unlink()
    with pytest.raises(ModelError, match=r"lacks tokenizer\.json, vocabulary\.txt or vocabulary\.json"):
        store.resolve(str(share))
    with pytest.raises(ModelError, match="no model 'nowhere'"):
        store.resolve("nowhere")
    with pytest.raises(ModelError, match="is a model for aligner"):
        store.resolve("al")


def test_a_bundled_model_needs_no_cache_and_gives_way_to_one(share: Path, tmp_path: Path, monkeypatch):
    bundled = make_store(tmp_path / "image", folder_model(share)).pull("tested")
    monkeypatch.setenv("TRISCRIBE_BUNDLED", str(tmp_path / "image"))
    store = make_store(tmp_path / "volume", folder_model(share))
    assert store.pull("tested") == store.path("tested") == bundled
    assert store.verify("tested").ok
    assert not (tmp_path / "volume").exists(), "the volume may be read-only"
    (bundled / "model.bin").write_bytes(b"rotten!")
    repaired = store.pull("tested", check=True)
    assert repaired.is_relative_to(tmp_path / "volume")
    assert (repaired / "model.bin").read_bytes() == WHISPER["model.bin"]
    assert (bundled / "model.bin").read_bytes() == b"rotten!", "an image is never written to"

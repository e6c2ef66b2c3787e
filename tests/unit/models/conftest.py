"""Fixtures: a running stand-in for the hub, and a folder of wheels as pip's only source."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from triscribe.models.manifest import File, HubSource, Model

from .support import COMMIT, REPO, Hub, HubServer, make_model, sha256


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A running stand-in with one repository; HF_ENDPOINT points at it."""
    served = Hub({"model.bin": bytes(range(256)) * 2000, "config.json": b'{"suppress_ids": []}'})
    server = HubServer(served)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    yield served
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def hub_model(hub: Hub) -> Callable[..., Model]:
    """Builds the manifest entry of the stand-in's repository."""

    def build(*, pinned: bool = True, revision: str = COMMIT, repo: str = REPO, **changes: object) -> Model:
        files = [
            File(name=name, size=len(content), sha256=sha256(content) if pinned else None)
            for name, content in hub.files.items()
        ]
        return make_model(HubSource(kind="hub", repo=repo, revision=revision), files, **changes)

    return build


@pytest.fixture
def wheelhouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is pip's only source."""
    folder = tmp_path / "wheelhouse"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder

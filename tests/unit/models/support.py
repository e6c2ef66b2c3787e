"""A stand-in for the hub, and builders of wheels, manifest entries and stores."""

import hashlib
import http.server
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

from triscribe.models import Manifest, ModelStore
from triscribe.models.manifest import File, Model, Wheel, WheelSource

REPO = "acme/whisper"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass
class Hub:
    """What the stand-in serves, and what it was asked for.

    Files whose name ends in `.bin` are announced as the hub does for LFS (SHA-256), others by git's blob name.
    """

    files: dict[str, bytes]
    token: str | None = None
    cut_after: dict[str, int] = field(default_factory=dict)
    refuse: bool = False
    refuse_after_cut: bool = False
    served_instead: dict[str, bytes] = field(default_factory=dict)
    requests: list[SimpleNamespace] = field(default_factory=list)

    def gets(self, name: str) -> list[SimpleNamespace]:
        return [request for request in self.requests if request.method == "GET" and request.path.endswith(f"/{name}")]


class HubServer(http.server.ThreadingHTTPServer):
    """Serves a `Hub` on a free port."""

    def __init__(self, hub: Hub) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.hub = hub


class Handler(http.server.BaseHTTPRequestHandler):
    """Speaks the part of the hub's HTTP that downloads need."""

    server: "HubServer"
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        hub = self.server.hub
        hub.requests.append(
            SimpleNamespace(
                method=self.command,
                path=self.path,
                range=self.headers.get("Range"),
                authorization=self.headers.get("Authorization"),
            )
        )
        if hub.token and self.headers.get("Authorization") != f"Bearer {hub.token}":
            self._send(401, b"", {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access is restricted"})
        elif hub.refuse and with_body:
            self._send(500, b"")
        elif self.path.startswith(f"/api/models/{REPO}"):
            body = f'{{"id": "{REPO}", "sha": "{COMMIT}", "siblings": []}}'.encode()
            self._send(200, body, {"Content-Type": "application/json"})
        elif self.path.startswith(f"/{REPO}/resolve/{COMMIT}/"):
            self._send_file(self.path.rpartition("/")[2], with_body=with_body)
        else:
            self._send(404, b"", {"X-Error-Code": "RepoNotFound"})

    def _send_file(self, name: str, *, with_body: bool) -> None:
        hub = self.server.hub
        if name not in hub.files:
            self._send(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
            return
        content = hub.files[name]
        lfs = name.endswith(".bin")
        blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        headers = {"ETag": f'"{sha256(content) if lfs else blob}"', "X-Repo-Commit": COMMIT}
        if not with_body:
            self._send(200, content, headers, only_head=True)
            return
        content = hub.served_instead.get(name, content)
        start, status = 0, 200
        if wanted := self.headers.get("Range"):
            start, status = int(wanted.removeprefix("bytes=").split("-")[0]), 206
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._send(status, content[start:], headers, cut=hub.cut_after.pop(name, None))

    def _send(
        self,
        status: int,
        body: bytes,
        headers: dict[str, str] | None = None,
        *,
        only_head: bool = False,
        cut: int | None = None,
    ) -> None:
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if not only_head and self.command != "HEAD":
            self.wfile.write(body[:cut])
        if cut is not None:
            self.close_connection = True
            self.server.hub.refuse = self.server.hub.refuse_after_cut


def make_model(source: object, files: list[File], **changes: object) -> Model:
    values = {
        "name": "tested",
        "kind": "whisper",
        "description": "for tests",
        "license": "MIT",
        "commercial": True,
        "source": source,
        "files": files,
    }
    return Model.model_validate(values | changes)


def make_store(cache: Path, *models: Model, offline: bool = False, accept_noncommercial: bool = False) -> ModelStore:
    manifest = Manifest(format=1, model=models)
    return ModelStore(cache, manifest=manifest, offline=offline, accept_noncommercial=accept_noncommercial)


def make_wheel(folder: Path, name: str, members: dict[str, bytes], *, tag: str | None = None) -> Wheel:
    """Write a wheel of version 1.0 and return its manifest entry. Members under `bin/` are programs."""
    path = folder / f"{name}-1.0-{tag or 'py3-none-any'}.whl"
    info = f"{name}-1.0.dist-info"
    own = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag or 'py3-none-any'}\n".encode(),
        f"{info}/RECORD": b"",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in (members | own).items():
            entry = zipfile.ZipInfo(member)
            entry.external_attr = (0o755 if "/bin/" in member else 0o644) << 16
            archive.writestr(entry, content)
    content = path.read_bytes()
    return Wheel(name=name, version="1.0", size=len(content), sha256=sha256(content), tag=tag)


def wheel_source(*wheels: Wheel) -> WheelSource:
    return WheelSource(kind="wheels", wheels=wheels)

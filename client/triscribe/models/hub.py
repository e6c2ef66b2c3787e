"""The hub source: the only module that imports huggingface_hub, and only when something is fetched."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from triscribe.errors import ModelError
from triscribe.models.files import Fetch, format_bytes, git_blob_sha1, sha256_of
from triscribe.models.manifest import COMMIT, File, HubSource

_SHA256_HEX_LENGTH = 64


def fetch_hub(fetch: Fetch, source: HubSource) -> str:
    """Download the missing files of a hub repository.

    Honours HF_ENDPOINT, HF_TOKEN and the token of a login. An interrupted file continues where it stopped, also
    in a later process, which huggingface_hub's own download functions no longer do.

    Returns:
        The commit that the files come from.

    Raises:
        ModelError: the hub refused, does not have it, cannot be reached, or served other content.
    """
    revision = fetch.revision or source.revision
    if not COMMIT.fullmatch(revision):
        revision = _resolve(source)
    for file in fetch.missing:
        _fetch_file(fetch, source, revision, file)
    return revision


def _endpoint() -> str | None:
    # huggingface_hub reads HF_ENDPOINT once, at import, which may have been long before this call.
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or None


def _resolve(source: HubSource) -> str:
    from huggingface_hub import HfApi  # noqa: PLC0415

    with _hub_errors(source):
        commit = HfApi(endpoint=_endpoint()).model_info(source.repo, revision=source.revision).sha
    if commit is None:
        raise ModelError(f"the hub does not say which commit {source.revision} of {source.repo} is")
    return commit


def _fetch_file(fetch: Fetch, source: HubSource, revision: str, file: File) -> None:
    from huggingface_hub import get_hf_file_metadata, get_token, hf_hub_url  # noqa: PLC0415
    from huggingface_hub.file_download import http_get  # noqa: PLC0415

    member = file.members[0]
    token = get_token()
    url = hf_hub_url(source.repo, member, revision=revision, endpoint=_endpoint())
    with _hub_errors(source):
        announced = get_hf_file_metadata(url, token=token)
    if file.size is not None and announced.size not in {file.size, None}:
        raise ModelError(f"the hub's {member} of {source.repo} has {announced.size:,} bytes, not {file.size:,}")

    part = fetch.downloads / f"{file.name}.part"
    part.parent.mkdir(parents=True, exist_ok=True)
    target = fetch.files / file.name
    if target.exists():  # arrived in an earlier try and is not pinned: only the hub can tell whether it is right
        target.replace(part)
    have = part.stat().st_size if part.exists() else 0
    if announced.size is not None and have > announced.size:
        part.unlink()
        have = 0
    resumed = f", from {format_bytes(have)} on" if have else ""
    fetch.notify(f"{fetch.model.name}: {member} ({format_bytes(announced.size)}{resumed})")
    headers = {"authorization": f"Bearer {token}"} if token else {}
    with _hub_errors(source), part.open("ab") as stream:
        http_get(url, stream, resume_size=have, headers=headers, expected_size=announced.size)

    if not _is_announced(part, announced.etag):
        part.unlink()
        raise ModelError(f"{member} of {source.repo} arrived damaged; pull again")
    target.parent.mkdir(parents=True, exist_ok=True)
    part.replace(target)


def _is_announced(path: Path, etag: str | None) -> bool:
    """Check against the hub's hash: SHA-256 for files in LFS, git's blob name for the others.

    Without it a file that is not pinned could be recorded as something that the hub never served.
    """
    if etag is None:
        return False
    return etag == (sha256_of(path) if len(etag) == _SHA256_HEX_LENGTH else git_blob_sha1(path))


@contextmanager
def _hub_errors(source: HubSource) -> Iterator[None]:
    from huggingface_hub import errors  # noqa: PLC0415

    try:
        yield
    except errors.GatedRepoError as error:
        raise ModelError(
            f"{source.repo} asks for consent: accept its terms on the hub and set HF_TOKEN to a token of that account"
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise ModelError(f"the hub has no repository {source.repo}, or HF_TOKEN lacks access to it") from error
    except errors.EntryNotFoundError as error:
        raise ModelError(f"{source.repo} at {source.revision} lacks a file: {_first_line(error)}") from error
    except errors.RevisionNotFoundError as error:
        raise ModelError(f"{source.repo} has no revision {source.revision}") from error
    except errors.HfHubHTTPError as error:
        raise ModelError(f"the hub refused {source.repo}: {_first_line(error)}") from error
    except ModelError:
        raise
    except OSError as error:
        if error.errno is not None and error.filename is not None:
            raise  # the disk, not the hub
        raise ModelError(f"{source.repo} could not be fetched: {_first_line(error)}") from error
    except Exception as error:
        # Transport errors belong to whichever HTTP library this version of huggingface_hub uses.
        raise ModelError(f"the hub cannot be reached for {source.repo}: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)

"""Opens media so that ffmpeg reads nothing but what it was given, and says why it could not."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import av
from av.error import FFmpegError

from triscribe.errors import AudioError
from triscribe.media.source import MediaSource

# Demuxers that open something else than what they are given: other files, the network, devices, filter graphs.
_REFERRING_FORMATS = {
    *("concat", "dash", "hls", "image2", "imf", "iv8", "lavfi", "vobsub", "webm_dash_manifest"),
    *("rtp", "rtsp", "sap", "sdp"),
    *("alsa", "fbdev", "kmsgrab", "oss", "video4linux2,v4l2", "x11grab"),
}
_FORMATS = ",".join(sorted(av.formats_available - _REFERRING_FORMATS))

UNDECODABLE = "uses an audio codec that cannot be decoded here"

REASONS: dict[str, str] = {
    "InvalidDataError": "is not a media file, or its header is damaged",
    "DecoderNotFoundError": UNDECODABLE,
    "DemuxerNotFoundError": "is in a format that cannot be read here",
    "PatchWelcomeError": "uses a variant of its format that cannot be decoded here",
    "EOFError": "ends before any audio",
    "ArgumentError": "is in a format that is not accepted",
    "MemoryError": "asks for more memory than there is",
}
"""What is said for each of PyAV's errors, by its name, after the name of the file."""


@contextmanager
def open_container(media: MediaSource) -> Iterator[av.container.InputContainer]:
    """A container that is closed at the end.

    Raises:
        AudioError: it is no media that can be read here.
    """

    # Three locks, since no single one covers every demuxer: formats that refer elsewhere are not probed, no protocol
    # is allowed, and the callback that opens further files refuses.
    def refuse(url: str, _flags: int, _options: dict[str, str]) -> NoReturn:
        raise PermissionError(f"{media.label} refers to another file ({url!r}), which is not opened")

    try:
        container = av.open(
            media,
            mode="r",
            metadata_errors="replace",
            io_open=refuse,
            container_options={"format_whitelist": _FORMATS, "protocol_whitelist": "none"},
        )
    except (FFmpegError, OSError, ValueError, MemoryError) as error:
        raise _audio_error(media.label, error, is_read_out=media.is_read_out) from error
    with container:
        try:
            yield container
        except (FFmpegError, OSError, ValueError, MemoryError) as error:
            raise _audio_error(media.label, error, is_read_out=media.is_read_out) from error


def _audio_error(label: str, error: Exception, *, is_read_out: bool) -> AudioError:
    """Our error for one of ffmpeg's."""
    reason = REASONS.get(type(error).__name__)
    if getattr(error, "errno", None) == errno.EIO and is_read_out:  # how Matroska says that its clusters are missing
        reason = REASONS["EOFError"]
    if reason is None:
        detail = getattr(error, "strerror", None) or str(error) or type(error).__name__
        reason = f"cannot be decoded: {detail.splitlines()[0]}"
    return AudioError(f"{label} {reason}")

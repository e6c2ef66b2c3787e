"""A transcript to deliver."""

from triscribe.types import AudioInfo, Segment, Transcript


def transcript(file):
    """Says which file it is of."""
    segment = Segment(0.0, 1.0, f"words of {file!a}", "en", -0.1, 0.0, 1.0, 0.0, ())
    return Transcript(AudioInfo(file, 1.0), "en", 1.0, "base", "transcribe", (segment,))

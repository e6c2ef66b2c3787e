"""Files that Triscribe keeps or is given: the manifest of models, the journal of a job."""

from __future__ import annotations

import random
import tempfile
from importlib import resources
from pathlib import Path

import numpy as np

from benchmarks.reliability.fuzz.base import Finding, Target
from triscribe.errors import ModelError
from triscribe.models.manifest import load_manifest
from triscribe.transcription.journal import Journal
from triscribe.types import SAMPLE_RATE, Chunk, ChunkResult, Segment

_INSERTS = (
    *(b"[", b"]", b"{", b'"', b"\n", b"\0", b"\xff", b"=", b"[[model]]\n", b"1e999", b"nan", b"../", b"/etc/passwd"),
    *(b"[" * 5000, b'{"a":' * 5000, b"a." * 5000 + b"a=1\n", b"9" * 5000, b"\xed\xa0\x80", b"null", b"-0", b"true"),
)


def mangled(rng: random.Random, data: bytes) -> bytes:
    """With lines swapped, doubled, cut, or bytes of `_INSERTS` put in."""
    lines = data.splitlines(keepends=True)
    for _ in range(rng.randint(1, 4)):
        kind, place = rng.randrange(5), rng.randrange(len(lines))
        line = lines[place]
        if kind == 0:
            lines.insert(rng.randrange(len(lines)), line)
        elif kind == 1 and len(lines) > 1:
            del lines[place]
        elif kind == 2:
            lines[place] = line[: rng.randrange(len(line) + 1)]
        elif kind == 3:
            at = rng.randrange(len(line) + 1)
            lines[place] = line[:at] + rng.choice(_INSERTS) + line[at:]
        elif line:
            at = rng.randrange(len(line))
            lines[place] = line[:at] + bytes([rng.randrange(256)]) + line[at + 1 :]
        lines = lines or [b""]
    return b"".join(lines)


def entries() -> list[bytes]:
    """A manifest for each model of the built-in one."""
    whole = resources.files("triscribe.models").joinpath("manifest.toml").read_bytes()
    return [b"format = 1\n[[model]]" + part for part in whole.split(b"[[model]]")[1:]]


def read_manifest(path: Path) -> None:
    """As a site's own manifest is read.

    Raises:
        ModelError: it is refused.
        Finding: it is accepted and should not be.
    """
    for model in load_manifest(path).model:
        if any(".." in file.name or file.name.startswith("/") for file in model.files):
            raise Finding("a file outside of the cache is accepted")


def manifest(target: Target) -> None:
    """A site's own manifest: read, or refused as one."""
    manifests = entries()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "site.toml"
        for case in target.rounds():
            path.write_bytes(mangled(target.rng, target.rng.choice(manifests)))
            try:
                read_manifest(path)
                target.outcomes["accepted"] += 1
            except ModelError:
                target.outcomes["refused"] += 1
            except Exception as error:
                target.found(f"case {case}: {type(error).__name__}: {error}"[:300])


def journal(target: Target) -> None:
    """What an earlier try has left: an answer comes back as it was written, or not at all."""
    samples = np.zeros(10 * SAMPLE_RATE, np.float32)
    chunks = [Chunk(n, float(n), samples[n * SAMPLE_RATE : (n + 1) * SAMPLE_RATE]) for n in range(5)]
    request = {"language": "en"}
    segment = Segment(0.1, 0.9, "wörd", "en", -0.1, 0.0, 1.0, 0.0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ".talk.journal"
        with_answers = Journal(path, from_s=1.0)
        with_answers.open(samples)
        for chunk in chunks:
            with_answers.put(chunk, request, ChunkResult(chunk.index, "base", "en", 1.0, (segment,)))
        with_answers.close()
        whole = path.read_bytes()
        for case in target.rounds():
            path.write_bytes(mangled(target.rng, whole))
            again = Journal(path, from_s=1.0)
            try:
                again.open(samples)
                answers = [again.get(chunk, request) for chunk in chunks]
                again.put(chunks[0], request, ChunkResult(0, "base", "en", 1.0, (segment,)))
                target.outcomes[f"{sum(answer is not None for answer in answers)} of 5 known"] += 1
                if any(not isinstance(answer, ChunkResult) for answer in answers if answer is not None):
                    target.found(f"case {case}: something that is no answer")
            except Exception as error:
                target.found(f"case {case}: {type(error).__name__}: {error}"[:300])
            finally:
                again.close()

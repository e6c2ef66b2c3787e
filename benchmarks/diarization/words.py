"""Who said which word: `diarization.py words`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import jiwer
import meeteval
import numpy as np
from scipy.optimize import linear_sum_assignment
from whisper_normalizer.english import EnglishTextNormalizer

from triscribe import blocking
from triscribe.diarization.assign import assign
from triscribe.diarization.client import Diarizer
from triscribe.diarization.options import Diarization, DiarizationOptions
from triscribe.diarization.search import SpeakerSearch
from triscribe.media.decoding import decode
from triscribe.models import ModelStore
from triscribe.serving import EmbeddedTriton, ServeOptions
from triscribe.transcription.transcriber import RunOptions, Transcriber
from triscribe.triton.session import Session
from triscribe.types import Segment, Transcript, Word

Spoken = tuple[str, str | None]
"""A normalised word and its speaker."""


def words(data: Path, recordings: list[dict[str, Any]], model: str | None) -> None:
    """Word speaker error and cpWER of each recording with known words, and over all.

    Without a model the reference's own words and times are given to our turns: the error of diarization and
    assignment alone, with nothing of the recogniser's in it. With one, the whole is run: server, aligner, diarizer.
    """
    normalise = EnglishTextNormalizer()
    totals: Counter[str] = Counter()
    print("| recording | words | wrong speaker | no speaker | word speaker error % | cpWER % |")
    print("|---|---|---|---|---|---|")
    with ExitStack() as stack:
        diarizer = stack.enter_context(Diarizer())
        server = stack.enter_context(EmbeddedTriton(ServeOptions(models=(model,)))).url if model else ""
        for name, path, known in _spoken_recordings(data, recordings):
            if model:
                heard = _recognised(server, path, diarizer)
            else:
                heard = _assigned(known, diarizer.diarize_sync(decode(path).samples))
            counts = score(_spoken(known, normalise), _spoken(heard, normalise))
            totals.update(counts)
            _print_row(name, counts)
    _print_row("all", totals)


def _spoken_recordings(
    data: Path, recordings: list[dict[str, Any]]
) -> Iterator[tuple[str, Path, list[dict[str, Any]]]]:
    """Name, file and words of the sample and of each recording whose words are known."""
    sample = ModelStore().pull("sample-conversation")
    lines = [line.split(maxsplit=5) for line in (sample / "sample.stm").read_text().splitlines()]
    yield "sample", sample / "sample.wav", [word for line in lines if len(line) == 6 for word in _spread(*line[2:])]
    for recording in recordings:
        turns = recording.get("text_turns", ())
        spread = [word for t in turns for word in _spread(t["speaker"], t["start"], t["end"], t["text"])]
        if known := recording.get("words") or spread:
            yield Path(recording["audio"]).stem, data / recording["audio"], known


def _spread(speaker: str, start: float | str, end: float | str, text: str) -> list[dict[str, Any]]:
    """The words of a turn at even distances, where only the turn has times."""
    said = text.split()
    edges = np.linspace(float(start), float(end), len(said) + 1).tolist()
    return [{"word": word, "start": edges[i], "end": edges[i + 1], "speaker": speaker} for i, word in enumerate(said)]


def _recognised(server: str, path: Path, diarizer: Diarizer) -> list[dict[str, Any]]:
    async def run() -> Transcript:
        async with Session(server) as session:
            speakers = SpeakerSearch(diarizer, DiarizationOptions())
            return await Transcriber(server).transcribe_in(session, path, RunOptions(speakers=speakers))

    transcript = blocking.run(run())
    return [
        {"word": word.word, "start": word.start, "speaker": word.speaker}
        for segment in transcript.segments
        for word in segment.words
    ]


def score(reference: list[Spoken], heard: list[Spoken]) -> Counter[str]:
    """Counts of one recording.

    The word speaker error is the share of recognised words (those that align with an equal or substituted word of
    the reference) that carry another speaker, or none, under the mapping of labels that makes it smallest.
    """
    aligned = _align(reference, heard)
    names = sorted({speaker or "" for speaker, _ in aligned})
    labels = sorted({label for _, label in aligned if label is not None})
    agreement = np.zeros((len(names), len(labels)), int)
    for speaker, label in aligned:
        if label is not None:
            agreement[names.index(speaker or ""), labels.index(label)] += 1
    right = int(agreement[linear_sum_assignment(agreement, maximize=True)].sum())
    nobody = sum(label is None for _, label in aligned)
    cp = meeteval.wer.cpwer(
        reference=_seglst(reference), hypothesis=_seglst(heard), reference_sort=False, hypothesis_sort=False
    )["recording"]
    return Counter(
        words=len(aligned),
        wrong=len(aligned) - right - nobody,
        nobody=nobody,
        cp_errors=cp.errors,
        cp_length=cp.length,
    )


def _align(reference: list[Spoken], heard: list[Spoken]) -> list[tuple[str | None, str | None]]:
    texts = [" ".join(word for word, _ in spoken) for spoken in (reference, heard)]
    pairs = []
    for chunk in jiwer.process_words(*texts).alignments[0]:
        if chunk.type in {"equal", "substitute"}:
            for i in range(chunk.ref_end_idx - chunk.ref_start_idx):
                speaker = reference[chunk.ref_start_idx + i][1]
                pairs.append((speaker, heard[chunk.hyp_start_idx + i][1]))
    return pairs


def _spoken(items: list[dict[str, Any]], normalise: EnglishTextNormalizer) -> list[Spoken]:
    return [
        (text, item["speaker"])
        for item in sorted(items, key=lambda item: item["start"])
        for text in normalise(item["word"]).split()
    ]


def _assigned(items: list[dict[str, Any]], diarization: Diarization) -> list[dict[str, Any]]:
    segments = tuple(
        Segment(
            start=item["start"],
            end=item["end"],
            text=item["word"],
            language="en",
            avg_logprob=0.0,
            no_speech_prob=0.0,
            compression_ratio=1.0,
            temperature=0.0,
            words=(Word(item["word"], item["start"], item["end"], 1.0, "aligned"),),
        )
        for item in items
    )
    return [{"word": s.text, "start": s.start, "speaker": s.speaker} for s in assign(segments, diarization)]


def _seglst(spoken: list[Spoken]) -> meeteval.io.SegLST:
    by_speaker: dict[str, list[str]] = {}
    for word, speaker in spoken:
        by_speaker.setdefault(speaker or "nobody", []).append(word)
    return meeteval.io.SegLST(
        [{"session_id": "recording", "speaker": name, "words": " ".join(said)} for name, said in by_speaker.items()]
    )


def _print_row(name: str, counts: Counter[str]) -> None:
    speaker_error = 100 * (counts["wrong"] + counts["nobody"]) / max(1, counts["words"])
    cpwer = 100 * counts["cp_errors"] / max(1, counts["cp_length"])
    figures = f"{counts['words']} | {counts['wrong']} | {counts['nobody']} | {speaker_error:.1f} | {cpwer:.1f}"
    print(f"| {name} | {figures} |")

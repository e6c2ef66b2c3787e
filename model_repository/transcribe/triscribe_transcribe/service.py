"""From tensors to an envelope: the whole of `transcribe` except Triton's own calls."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from .admission import Admission, Limits
from .checkpoint import Checkpoint
from .errors import PipelineError
from .features import FRAMES_PER_SECOND, SAMPLE_RATE, check_audio, is_silent, log_mel
from .job import Context, Job
from .options import Options
from .pipeline import Pipeline
from .quality import Verdict
from .result import Result, Warning_
from .scheduler import Scheduler

logger = logging.getLogger(__name__)

BlsCall = Callable[[str, dict[str, NDArray[Any]]], Awaitable[list[dict[str, Any]]]]
"""Calls a Triton model by name with the input tensors and returns the envelopes of its RESULT, one a row."""


class Settings(BaseModel):
    """The parameter `settings` of config.pbtxt; see `Limits` and `Context` for the meaning."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    context: Context = Context()
    limits: Limits = Limits()
    cpu_threads: int = 2
    """Threads for the log-mel, which must not hold up the event loop."""


@dataclass(frozen=True)
class Request:
    """One request as it came in."""

    audio: NDArray[np.generic]
    field: str
    options: bytes | None
    is_cancelled: Callable[[], bool] = lambda: False


class Service:
    """Everything that outlives a request: checkpoints, queues, the thread pool."""

    def __init__(
        self,
        *,
        models: dict[str, dict[str, Any]],
        aligner_languages: frozenset[str],
        settings: Settings,
        call: BlsCall,
        on_retry: Callable[[Verdict], None] = lambda verdict: None,
        on_queue: Callable[[float], None] = lambda waiting_s: None,
    ) -> None:
        self._checkpoints = {
            name: Checkpoint.read(name, Path(facts["path"]), tasks=facts["tasks"], languages=facts["languages"])
            for name, facts in models.items()
        }
        self._schedulers = {
            name: Scheduler(settings.limits, partial(self._decode, name), lambda: on_queue(self.waiting_s))
            for name in models
        }
        self._aligner_languages = aligner_languages
        self._settings = settings
        self._call = call
        self._on_retry = on_retry
        self._pool = ThreadPoolExecutor(settings.cpu_threads, thread_name_prefix="log-mel")
        for checkpoint in self._checkpoints.values():
            log_mel(np.zeros(SAMPLE_RATE, np.float32), checkpoint.n_mels, FRAMES_PER_SECOND)

    @property
    def waiting_s(self) -> float:
        """Audio seconds waiting in all queues."""
        return sum(scheduler.waiting_s for scheduler in self._schedulers.values())

    async def handle(self, request: Request) -> dict[str, Any]:
        """Answer one request with an envelope; nothing is raised."""
        try:
            options = Options.parse(request.options)
            samples = check_audio(request.audio, request.field)
            checkpoint = self._checkpoint(options)
            prompt = checkpoint.prompt(options.initial_prompt, options.hotwords)
            job = Job(samples, options, prompt, checkpoint)
            with self._admitted(job) as admission:
                result = await self._pipeline(job, admission, request.is_cancelled).run(job)
        except PipelineError as error:
            return error.envelope()
        except Exception:
            logger.exception("a request failed")
            return PipelineError("INTERNAL", "the request failed; the server's log has the reason").envelope()
        return {"ok": _document(job, result)}

    def _checkpoint(self, options: Options) -> Checkpoint:
        name = options.model or next(iter(self._checkpoints), "")
        if name not in self._checkpoints:
            served = ", ".join(self._checkpoints) or "none"
            raise PipelineError("NOT_FOUND", f"model {name!r} is not served here; served: {served}", "OPTIONS.model")
        checkpoint = self._checkpoints[name]
        if options.task not in checkpoint.tasks:
            raise PipelineError("FAILED_PRECONDITION", f"model {name!r} cannot {options.task}", "OPTIONS.task")
        if options.language is not None and options.language not in checkpoint.languages:
            able = [other.name for other in self._checkpoints.values() if options.language in other.languages]
            remedy = f"{', '.join(able)} does" if able else f"not served here, {_knows(options.language)} does"
            raise PipelineError(
                "FAILED_PRECONDITION",
                f"model {name!r} does not know {options.language!r}; {remedy}",
                "OPTIONS.language",
            )
        return checkpoint

    async def _decode(
        self, name: str, jobs: Sequence[tuple[NDArray[np.float32], str]]
    ) -> list[dict[str, Any] | PipelineError]:
        """One execution of a whisper model over (features, options) of equal context: the `ok` or error of each."""
        options = [text.encode() for _, text in jobs]
        length = max(map(len, options))
        tensors: dict[str, NDArray[Any]] = {
            "FEATURES": np.stack([features for features, _ in jobs]),  # (batch, n_mels, frames)
            # Rows of one tensor are equally long; JSON ignores spaces at its end.
            "OPTIONS": np.stack([_text(text.ljust(length)) for text in options]),
        }
        return [_result(envelope) for envelope in await self._call(f"whisper-{name}", tensors)]

    def _admitted(self, job: Job) -> AbstractContextManager[Admission]:
        """The request's place in the queue, before anything is computed for it: refusing has to be cheap."""
        options = job.options
        frames = self._settings.context.frames(len(job.samples), options.language)
        cost_s = 0.0 if is_silent(job.samples) and not options.detect_only else frames / FRAMES_PER_SECOND
        return self._schedulers[job.checkpoint.name].admitted(options.priority, cost_s, options.max_wait_s)

    def _pipeline(self, job: Job, admission: Admission, is_cancelled: Callable[[], bool]) -> Pipeline:
        name = job.checkpoint.name

        async def whisper(features: NDArray[np.float32], options: dict[str, Any]) -> dict[str, Any]:
            answer: dict[str, Any] = await self._schedulers[name].run(
                (features, json.dumps(options)),
                admission=admission,
                group=(features.shape[1], len(options["prompt"]), options["beam_size"], options["temperature"]),
                cost_s=features.shape[1] / FRAMES_PER_SECOND,
                is_cancelled=is_cancelled,
            )
            return answer

        async def align(samples: NDArray[np.float32], words: Sequence[str], language: str) -> list[dict[str, Any]]:
            if is_cancelled():
                raise PipelineError("CANCELLED", "the caller went away")
            tensors: dict[str, NDArray[Any]] = {
                "AUDIO": samples,
                "WORDS": _text(json.dumps(list(words)).encode()),
                "LANGUAGE": _text(language.encode()),
            }
            (envelope,) = await self._call("align", tensors)
            times: list[dict[str, Any]] = _opened(envelope)["words"]
            return times

        return Pipeline(
            whisper=whisper,
            align=align,
            aligner_languages=self._aligner_languages,
            pool=self._pool,
            context=self._settings.context,
            on_retry=self._on_retry,
        )


def _knows(language: str) -> str:
    """A checkpoint that knows a language: Cantonese came with large-v3, all others with the first multilingual ones."""
    return "large-v3" if language == "yue" else "base"


def _text(text: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(bytearray(text), np.uint8)


def _result(envelope: dict[str, Any]) -> dict[str, Any] | PipelineError:
    if "error" in envelope:
        return PipelineError(**envelope["error"])
    ok: dict[str, Any] = envelope["ok"]
    return ok


def _opened(envelope: dict[str, Any]) -> dict[str, Any]:
    result = _result(envelope)
    if isinstance(result, PipelineError):
        raise result
    return result


def _document(job: Job, result: Result) -> dict[str, Any]:
    warnings = list(result.warnings)
    if job.prompt.dropped_terms:
        terms = ", ".join(job.prompt.dropped_terms)
        warnings.append(Warning_("hotwords_dropped", f"no room in the prompt for: {terms}", 0.0, job.duration_s))
    if job.prompt.cut:
        warnings.append(Warning_("prompt_cut", "only the end of the initial prompt fitted", 0.0, job.duration_s))
    document = asdict(result)
    if not (job.options.detect_only or job.options.detect_beside):
        del document["languages"]
    return {
        "model": job.checkpoint.name,
        "task": job.options.task,
        "duration": job.duration_s,
        **document,
        "warnings": [asdict(warning) for warning in warnings],
    }

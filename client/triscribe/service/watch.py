"""Signs of life of Triton and the diarizer, and what Triton serves.

Triton reports "ready" with a dead worker (triton-inference-server/server#7230), so every model must answer a real
request, or have answered somebody since the last look.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from triscribe.diarization.client import Diarizer
from triscribe.errors import DeadlineExceededError, ResourceExhaustedError, ServerError, UnavailableError
from triscribe.service.catalogue import Catalogue, ServedModel
from triscribe.triton.canary import AnswersSince, canary_audio
from triscribe.triton.connection import Served, TritonConnection
from triscribe.triton.names import whisper_model

logger = logging.getLogger(__name__)

_ANSWER_S = 3.0
"""A question about state is answered at once, or the server is gone."""

_STALLED_S = 60.0
"""A busy server may keep a canary waiting for an execution or two, never for so long."""


class Watcher:
    """Asks every `interval_s`; belongs to one event loop.

    Args:
        connect: makes a connection to Triton that does not retry.
        diarizer: None where there is none.
        interval_s: seconds between two rounds.
    """

    def __init__(
        self,
        connect: Callable[[], TritonConnection],
        diarizer: Diarizer | None,
        interval_s: float,
    ) -> None:
        self._connect = connect
        self._diarizer = diarizer
        self._interval_s = interval_s
        self._catalogue: Catalogue | None = None
        self._languages: dict[str, frozenset[str]] = {}
        self._answered = AnswersSince()
        self._last_answer: dict[str, float] = {}
        self.triton_alive = False
        self.diarizer_alive = False
        self._noise = canary_audio()

    @property
    def catalogue(self) -> Catalogue:
        """What was served when Triton last answered.

        Raises:
            UnavailableError: it never did.
        """
        if self._catalogue is None:
            raise UnavailableError("Triton does not answer yet")
        return self._catalogue

    async def run(self, changed: Callable[[], Awaitable[None]]) -> None:
        """Look until cancelled; `changed` is awaited after every look."""
        async with self._connect() as connection:
            while True:
                started = time.monotonic()
                self.triton_alive, self.diarizer_alive = await asyncio.gather(
                    _supervised("triton", self._look_at_triton(connection)),
                    _supervised("diarizer", self._look_at_diarizer()),
                )
                await changed()
                await asyncio.sleep(max(0.0, self._interval_s - (time.monotonic() - started)))

    async def _look_at_diarizer(self) -> bool:
        return self._diarizer is not None and await self._diarizer.is_serving(timeout_s=_ANSWER_S)

    async def _look_at_triton(self, connection: TritonConnection) -> bool:
        try:
            served = await connection.served(timeout_s=_ANSWER_S)
            await asyncio.gather(*(self._look_at_model(connection, model) for model in served.tasks))
        except ServerError as error:
            self._answered.forget()
            if self.triton_alive:
                logger.warning("triton_lost", extra={"reason": str(error)})
            return False
        self._catalogue = self._as_catalogue(served)
        if not self.triton_alive:
            logger.info("triton_serving", extra={"models": list(served.tasks)})
        return True

    async def _look_at_model(self, connection: TritonConnection, model: str) -> None:
        name = whisper_model(model)
        successes = await connection.successes(name, timeout_s=_ANSWER_S)
        if self._answered.since(name, successes) and model in self._languages:
            self._last_answer[name] = time.monotonic()
            return
        try:
            answer = await connection.detect_language(self._noise, {"model": model}, timeout_s=_ANSWER_S)
            self._languages[model] = frozenset(answer)
            self._last_answer[name] = time.monotonic()
        except ResourceExhaustedError:
            self._last_answer[name] = time.monotonic()  # its queue is full: it lives
        except DeadlineExceededError:
            if time.monotonic() - self._last_answer.get(name, 0.0) > _STALLED_S:
                raise

    def _as_catalogue(self, served: Served) -> Catalogue:
        models = {
            name: ServedModel(name, self._languages[name], tasks)
            for name, tasks in served.tasks.items()
            if name in self._languages  # else it has been busy since we know it
        }
        return Catalogue(models, served.aligner_languages)


async def _supervised(part: str, check: Awaitable[bool]) -> bool:
    """The result of a check. One that breaks counts as "not alive", and the watcher goes on."""
    try:
        return await check
    except Exception:
        logger.exception("watch_failed", extra={"part": part})
        return False

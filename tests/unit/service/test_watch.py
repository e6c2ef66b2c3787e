"""The watcher goes on whatever its checks meet."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from triscribe.errors import UnavailableError
from triscribe.service.watch import Watcher
from triscribe.triton.connection import Served


class Triton:
    """Answers with what is in `answers`, one a round."""

    def __init__(self, answers):
        self.answers = list(answers)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *exc):
        pass

    async def served(self, *, timeout_s):
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def successes(self, model, *, timeout_s):
        return 0

    async def detect_language(self, samples, options, *, timeout_s):
        return {"en": 1.0}


class Diarizer:
    async def is_serving(self, *, timeout_s):
        raise OSError(28, "No space left on device")


SERVED = Served({"base": ("transcribe",)}, ("en",))


@pytest.mark.parametrize("fault", [UnavailableError("gone"), ValueError("not JSON"), OSError(28, "no space")])
async def test_a_check_that_breaks_is_tried_again(fault):
    """Once a Triton that was not ours ended the watcher, and the gateway said "serving" for ever."""
    triton: Any = Triton([SERVED, fault, SERVED])
    diarizer: Any = Diarizer()
    watcher = Watcher(lambda: triton, diarizer, 0.001)
    seen = []

    async def changed():
        seen.append((watcher.triton_alive, watcher.diarizer_alive))
        if len(seen) == 3:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await watcher.run(changed)
    assert seen == [(True, False), (False, False), (True, False)]
    assert list(watcher.catalogue.models) == ["base"]

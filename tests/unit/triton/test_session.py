"""A session with a server that may still be starting."""

import numpy as np
import pytest

from triscribe.errors import ServingError
from triscribe.triton import session as module
from triscribe.triton.session import Session


class Server:
    """Answers, and notes what happened."""

    def __init__(self, seen):
        self.seen = seen

    async def detect_language(self, samples, options, *, timeout_s):
        self.seen.append("asked")
        return {"en": 1.0}

    async def __aexit__(self, *exc):
        pass


async def test_each_request_waits_until_the_server_is_ready(monkeypatch):
    seen = []

    async def ready():
        seen.append("ready")

    monkeypatch.setattr(module, "TritonConnection", lambda *_, **__: Server(seen))
    async with Session("host:1", ready=ready) as session:
        for _ in range(2):
            await session.detect_language(np.zeros(1, np.float32), {}, timeout_s=1.0)
    assert seen == ["ready", "asked"] * 2


async def test_a_server_that_does_not_come_up_is_not_asked(monkeypatch):
    seen: list[str] = []

    async def ready():
        raise ServingError("no such weights")

    monkeypatch.setattr(module, "TritonConnection", lambda *_, **__: Server(seen))
    async with Session("host:1", ready=ready) as session:
        with pytest.raises(ServingError, match="no such weights"):
            await session.detect_language(np.zeros(1, np.float32), {}, timeout_s=1.0)
    assert seen == []

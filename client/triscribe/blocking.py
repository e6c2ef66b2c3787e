"""An event loop for callers that have none.

One for the whole process and for good: gRPC's asyncio side keeps a poller for each loop it has seen and complains, or
hangs, when that loop is closed under it (grpc/grpc#25364), which is what `asyncio.run` does after every call.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")


@cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="triscribe-loop", daemon=True).start()
    return loop


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end and return the result; an interrupt (Ctrl-C) cancels the work."""
    future = asyncio.run_coroutine_threadsafe(work, _loop())
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise

"""Threads of their own for voice detection: it computes, so more of them than cores would only wait for each other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from triscribe.machine import available_cores

P = ParamSpec("P")
T = TypeVar("T")

_THREADS = ThreadPoolExecutor(available_cores(), thread_name_prefix="triscribe-speech")


async def in_speech_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run blocking voice detection without holding up the event loop, or anybody who waits for another thread."""
    return await asyncio.get_running_loop().run_in_executor(_THREADS, lambda: work(*args, **kwargs))

"""Tasks of one event loop that belong together: one error ends them all, and events come out while work goes on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

E = TypeVar("E")
T = TypeVar("T")


async def all_of(calls: Iterable[Callable[[], Awaitable[Any]]]) -> list[Any]:
    """All results in order; the first error cancels the other calls and is raised as it is."""
    async with first_error(), asyncio.TaskGroup() as group:
        tasks = [group.create_task(_awaited(call)) for call in calls]
    return [task.result() for task in tasks]


async def _awaited(call: Callable[[], Awaitable[T]]) -> T:
    return await call()


@asynccontextmanager
async def first_error() -> AsyncIterator[None]:
    """Raise the first error of a group of tasks as it is, not as a group."""
    try:
        yield
    except* Exception as errors:
        raise first_of(errors) from None


def first_of(error: BaseException) -> BaseException:
    """The first error inside groups of errors; any other error is returned as it is."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def while_working(
    events: asyncio.Queue[E],
    work: asyncio.Task[Any],
    *,
    every_s: float | None = None,
    beat: Callable[[], E] | None = None,
) -> AsyncGenerator[E]:
    """Yields what `work` puts into `events`, until the work has ended and all of it was yielded.

    Close the iterator (`contextlib.aclosing`): that cancels the work and waits for its end.

    Args:
        events: filled by the work, from the same event loop.
        work: a running task; its result is left to the caller.
        every_s: yield `beat()` at the start, and whenever so many seconds have passed without one.
        beat: makes the event that shows life.

    Raises:
        Exception: the error of the work, after the events that came before it.
    """
    next_beat = time.monotonic()
    try:
        while True:
            if every_s is not None and beat is not None and time.monotonic() >= next_beat:
                next_beat = time.monotonic() + every_s
                yield beat()
            if not events.empty():
                yield events.get_nowait()
            elif work.done():
                work.result()
                return
            else:
                wait_s = None if every_s is None else max(0.0, next_beat - time.monotonic())
                for event in await _event_or_end(events, work, wait_s):
                    yield event
    finally:
        work.cancel()
        await asyncio.wait({work})


async def _event_or_end(events: asyncio.Queue[E], work: asyncio.Task[Any], timeout_s: float | None) -> tuple[E, ...]:
    """The next event, or nothing when the work has ended or the time is over."""
    following = asyncio.ensure_future(events.get())
    try:
        await asyncio.wait({following, work}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        return (following.result(),) if following.done() else ()
    finally:
        following.cancel()

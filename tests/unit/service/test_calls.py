"""What happens around a call, without any door: the sums for Prometheus, refusals, the end of a gateway."""

from __future__ import annotations

import asyncio

import pytest

from triscribe.errors import InternalError, InvalidArgumentError, UnavailableError
from triscribe.service.calls import Arrival, Call, Calls, request_id
from triscribe.service.limits import CallLimits
from triscribe.service.metrics import Metrics

ARRIVAL = Arrival({}, "somebody", "/service/method", lambda: None)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def calls(metrics: Metrics) -> Calls:
    return Calls(None, CallLimits(9, 9), metrics)


def outstanding(metrics: Metrics, work: str) -> float | None:
    return metrics.registry.get_sample_value("triscribe_gateway_outstanding_audio_seconds", {"work": work})


async def test_the_sum_over_the_open_calls(calls, metrics):
    assert outstanding(metrics, "text") == outstanding(metrics, "speakers") == 0.0
    end = asyncio.Event()

    async def work(call, seconds):
        call.outstanding_s = seconds
        await end.wait()

    async def one(method, seconds):
        call = Call(method, "id")
        await calls.answer(call, ARRIVAL, lambda: work(call, seconds))

    async with asyncio.TaskGroup() as group:
        group.create_task(one("UploadRecognize", {"text": 60.0, "speakers": 30.0}))
        group.create_task(one("Recognize", {"text": 5.0}))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert calls.open_calls == 2
        assert (outstanding(metrics, "text"), outstanding(metrics, "speakers")) == (65.0, 30.0)
        end.set()
    assert outstanding(metrics, "text") == 0.0


async def test_a_fault_of_ours_keeps_its_text_to_itself(calls):
    async def work():
        raise ValueError("what somebody said")

    with pytest.raises(InternalError, match="id-1") as caught:
        await calls.answer(Call("Recognize", "id-1"), ARRIVAL, work)
    assert "somebody" not in str(caught.value)


async def test_the_first_error_of_a_group_is_the_answer(calls):
    async def work():
        raise ExceptionGroup("", [ExceptionGroup("", [InvalidArgumentError("wrong", field="language")])])

    with pytest.raises(InvalidArgumentError, match="wrong"):
        await calls.answer(Call("Recognize", "id"), ARRIVAL, work)


async def test_a_gateway_that_ends_says_so_to_open_calls(calls):
    async def work():
        await asyncio.sleep(60)

    task = asyncio.create_task(calls.answer(Call("Recognize", "id"), ARRIVAL, work))
    await asyncio.sleep(0.01)
    calls.interrupt_all()
    with pytest.raises(UnavailableError, match="shutting down"):
        await task


async def test_a_caller_who_went_away_gets_no_answer_and_counts_as_cancelled(calls, metrics):
    async def work():
        await asyncio.sleep(60)

    task = asyncio.create_task(calls.answer(Call("Recognize", "id"), ARRIVAL, work))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    labels = {"method": "Recognize", "model": "", "code": "CANCELLED"}
    assert metrics.registry.get_sample_value("triscribe_gateway_requests_total", labels) == 1
    assert calls.open_calls == 0


def test_only_an_id_that_is_one_is_taken_over():
    assert request_id({"x-request-id": "abc-1"}) == "abc-1"
    for given in ("", "a b", "ü", "x" * 129, b"abc"):
        assert request_id({"x-request-id": given}) != given

import asyncio
from collections.abc import Sequence

import pytest

from triscribe_transcribe.admission import Admission, Gate, Limits
from triscribe_transcribe.errors import PipelineError
from triscribe_transcribe.scheduler import Scheduler


class Executor:
    """Records what starts, in executions, and lets the test say when one ends: with the gate of its first call."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.seen_waiting_s: list[float] = []
        self.scheduler = Scheduler(limits or Limits(), self._execute, self._note)
        self.executions: list[list[str]] = []
        self._gates: dict[str, asyncio.Future[object]] = {}
        self.cancelled: set[str] = set()

    def _note(self) -> None:
        self.seen_waiting_s.append(self.scheduler.waiting_s)

    @property
    def started(self) -> list[str]:
        return [name for names in self.executions for name in names]

    def submit(
        self, name: str, *, lane="interactive", group="g", cost_s=10.0, max_wait_s: float | None = None
    ) -> asyncio.Task[str]:
        async def request() -> str:
            with self.scheduler.admitted(lane, cost_s, max_wait_s) as admission:
                return await self.call(name, admission, group=group, cost_s=cost_s)

        self._gates[name] = asyncio.get_running_loop().create_future()
        return asyncio.create_task(request())

    async def call(self, name: str, admission: Admission, *, group="g", cost_s=10.0) -> str:
        """One call of a request, which may make several."""
        self._gates.setdefault(name, asyncio.get_running_loop().create_future())
        answer: str = await self.scheduler.run(
            name,
            admission=admission,
            group=group,
            cost_s=cost_s,
            is_cancelled=lambda: name in self.cancelled,
        )
        return answer

    async def _execute(self, names: Sequence[str]) -> list[object]:
        self.executions.append(list(names))
        return [await self._gates[name] for name in names]

    def finish(self, *names: str) -> None:
        for name in names:
            self._gates[name].set_result(f"answer to {name}")

    def fail(self, name: str, error: Exception) -> None:
        """The execution goes on, with an error in this call's place."""
        self._gates[name].set_result(error)

    def break_down(self, name: str, error: Exception) -> None:
        """The whole execution fails."""
        self._gates[name].set_exception(error)


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_everyone_gets_his_own_answer():
    executor = Executor()
    tasks = [executor.submit(name) for name in "abc"]
    await settle()
    executor.finish("c", "a", "b")
    assert await asyncio.gather(*tasks) == ["answer to a", "answer to b", "answer to c"]
    assert executor.scheduler.waiting_s == 0


async def test_interactive_goes_before_bulk_that_came_first():
    executor = Executor()
    running = executor.submit("running", lane="bulk", group="first")
    await settle()
    tasks = [executor.submit("bulk", lane="bulk"), executor.submit("quick")]
    await settle()
    assert executor.started == ["running"]
    executor.finish("running")
    await settle()
    assert executor.started == ["running", "quick"]
    executor.finish("quick", "bulk")
    await asyncio.gather(running, *tasks)
    assert executor.started == ["running", "quick", "bulk"]


async def test_only_equal_groups_leave_together_and_at_most_group_size():
    executor = Executor(Limits(group_size=2))
    tasks = [executor.submit(name, group=name[0]) for name in ("a1", "b1", "a2", "a3")]
    await settle()
    assert executor.started == ["a1", "a2"]
    executor.finish("a1", "a2")
    await settle()
    assert executor.started == ["a1", "a2", "b1"]
    executor.finish("b1", "a3")
    await asyncio.gather(*tasks)
    assert executor.started == ["a1", "a2", "b1", "a3"]


async def test_a_bulk_execution_is_capped_in_seconds_an_interactive_one_is_not():
    for lane, together in (("bulk", 2), ("interactive", 4)):
        executor = Executor(Limits(bulk_group_s=65.0))
        tasks = [executor.submit(str(n), lane=lane, cost_s=30.0) for n in range(4)]
        await settle()
        assert len(executor.started) == together
        executor.finish("0", "1", "2", "3")
        await asyncio.gather(*tasks)


async def test_a_call_above_the_cap_runs_alone():
    executor = Executor(Limits(bulk_group_s=5.0))
    tasks = [executor.submit(name, lane="bulk") for name in "ab"]
    await settle()
    assert executor.started == ["a"]
    executor.finish("a", "b")
    await asyncio.gather(*tasks)


@pytest.mark.parametrize("depth", [1, 3])
async def test_depth_bounds_the_executions_in_flight(depth):
    executor = Executor(Limits(depth=depth))
    tasks = [executor.submit(name, group=name) for name in "abcde"]
    await settle()
    assert len(executor.started) == depth
    executor.finish(*"abcde")
    await asyncio.gather(*tasks)
    assert executor.started == list("abcde")


async def test_a_full_queue_says_when_to_come_back():
    executor = Executor(Limits(max_waiting_s=20.0))
    running = executor.submit("running", group="other")
    await settle()
    waiting = [executor.submit(name) for name in "ab"]
    await settle()
    assert executor.scheduler.waiting_s == 20.0
    with pytest.raises(PipelineError) as caught:
        await executor.submit("c")
    assert caught.value.code == "RESOURCE_EXHAUSTED"
    assert caught.value.retry_after_s is not None
    assert caught.value.retry_after_s >= 1.0
    executor.finish("running", "a", "b")
    await asyncio.gather(running, *waiting)
    again = executor.submit("d")
    await settle()
    executor.finish("d")
    assert await again == "answer to d"


async def test_a_cancelled_call_never_starts():
    executor = Executor()
    running = executor.submit("running", group="other")
    await settle()
    gone, staying = executor.submit("gone"), executor.submit("staying")
    await settle()
    executor.cancelled.add("gone")
    executor.finish("running", "staying")
    with pytest.raises(PipelineError) as caught:
        await gone
    assert caught.value.code == "CANCELLED"
    assert await staying == "answer to staying"
    await running
    assert executor.started == ["running", "staying"]
    assert executor.scheduler.waiting_s == 0


async def test_the_gauge_of_the_queue_is_told_of_every_change():
    executor = Executor()
    running = executor.submit("running", group="other", cost_s=30.0)
    await settle()
    gone = executor.submit("gone", cost_s=10.0)
    await settle()
    executor.cancelled.add("gone")
    executor.finish("running")
    await running
    with pytest.raises(PipelineError):
        await gone
    assert executor.seen_waiting_s == [30.0, 0.0, 10.0, 0.0]


async def test_a_failing_call_does_not_touch_its_group():
    executor = Executor()
    tasks = [executor.submit(name) for name in "abc"]
    await settle()
    executor.fail("b", PipelineError("UNAVAILABLE", "gone"))
    executor.finish("a", "c")
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [answers[0], answers[2]] == ["answer to a", "answer to c"]
    assert isinstance(answers[1], PipelineError)
    after = executor.submit("d")
    await settle()
    executor.finish("d")
    assert await after == "answer to d"


async def test_an_execution_that_breaks_down_fails_all_of_its_calls_and_no_other():
    executor = Executor()
    tasks = [executor.submit(name) for name in "ab"]
    other = executor.submit("c", group="other")
    await settle()
    executor.break_down("a", PipelineError("UNAVAILABLE", "gone"))
    executor.finish("c")
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(answer, PipelineError) for answer in answers)
    assert await other == "answer to c"


async def test_what_waits_is_shared_out_between_idle_instances():
    executor = Executor(Limits(depth=2))
    tasks = [executor.submit(name) for name in "abcde"]
    await settle()
    assert executor.executions == [["a", "b", "c"], ["d", "e"]]
    executor.finish(*"abcde")
    await asyncio.gather(*tasks)


async def test_another_group_that_waits_gets_the_idle_instance():
    executor = Executor(Limits(depth=2))
    tasks = [executor.submit(name, group=group) for name, group in zip("abcd", "xyxx", strict=True)]
    await settle()
    assert executor.executions == [["a", "c", "d"], ["b"]]
    executor.finish(*"abcd")
    await asyncio.gather(*tasks)


async def test_in_bulk_the_fullest_group_goes_first_until_the_oldest_has_waited_long_enough():
    for fair_wait_s, first in ((60.0, ["b", "c"]), (0.0, ["a"])):
        executor = Executor(Limits(fair_wait_s=fair_wait_s))
        running = executor.submit("running", group="other", lane="bulk")
        await settle()
        tasks = [executor.submit(name, group=group, lane="bulk") for name, group in zip("abc", "xyy", strict=True)]
        await settle()
        executor.finish("running")
        await settle()
        assert executor.executions[1] == first
        executor.finish(*"abc")
        await asyncio.gather(running, *tasks)


@pytest.mark.parametrize(("own_s", "limit_s"), [(0.01, 3600.0), (None, 0.01), (3600.0, 0.01)])
async def test_a_call_whose_turn_does_not_come_in_time_is_told_so_and_never_starts(own_s, limit_s):
    executor = Executor(Limits(max_wait_s=limit_s))
    running = executor.submit("running", group="other")
    await settle()
    with pytest.raises(PipelineError) as caught:
        await executor.submit("late", max_wait_s=own_s)
    assert caught.value.code == "DEADLINE_EXCEEDED"
    assert executor.scheduler.waiting_s == 0
    executor.finish("running")
    assert await running == "answer to running"
    assert executor.started == ["running"]


async def test_a_call_that_is_running_does_not_time_out():
    executor = Executor()
    running = executor.submit("running", max_wait_s=0.01)
    await asyncio.sleep(0.05)
    executor.finish("running")
    assert await running == "answer to running"


async def test_a_caller_that_is_gone_does_not_stop_the_queue():
    executor = Executor()
    first, second = executor.submit("a", group="x"), executor.submit("b", group="y")
    await settle()
    first.cancel()
    await settle()
    executor.finish("a", "b")
    assert await second == "answer to b"


async def test_the_end_of_a_file_is_shared_with_the_instance_that_still_runs():
    executor = Executor(Limits(depth=2, group_size=4))
    jobs = [executor.submit(f"{n}", lane="bulk") for n in range(12)]
    await settle()
    assert [len(names) for names in executor.executions] == [4, 4]
    executor.finish("0", "1", "2", "3")
    await settle()
    executor.finish("4", "5", "6", "7", "8", "9")
    await settle()
    assert [len(names) for names in executor.executions] == [4, 4, 2, 1, 1]
    executor.finish("10", "11")
    assert len(await asyncio.gather(*jobs)) == 12


async def test_a_further_call_of_a_request_is_never_refused_and_goes_first():
    executor = Executor(Limits(max_waiting_s=20.0, group_size=1))

    async def two_calls() -> list[str]:
        with executor.scheduler.admitted("interactive", 10.0) as admission:
            return [await executor.call(name, admission) for name in ("once", "again")]

    both = asyncio.create_task(two_calls())
    await settle()
    others = [executor.submit(name) for name in "abc"]  # "c" has no room
    await settle()
    executor.finish("once")
    await settle()
    executor.finish("a")
    await settle()
    assert executor.started == ["once", "a", "again"]
    executor.finish("again", "b")
    assert await both == ["answer to once", "answer to again"]
    answers = await asyncio.gather(*others, return_exceptions=True)
    assert answers[:2] == ["answer to a", "answer to b"]
    assert isinstance(answers[2], PipelineError)


async def test_what_was_let_in_counts_before_it_waits():
    """The log-mel is computed in between: a burst must not slip in meanwhile."""
    scheduler = Executor(Limits(max_waiting_s=20.0)).scheduler
    with scheduler.admitted("interactive", 10.0), scheduler.admitted("bulk", 10.0):
        with pytest.raises(PipelineError, match="full"), scheduler.admitted("interactive", 10.0):
            pass
        with scheduler.admitted("interactive", 0.0):  # silence: nothing to wait for
            pass
    with scheduler.admitted("interactive", 20.0):
        pass


class TestGate:
    """One execution at a time of four chunks, 10 audio seconds a second: 60 s may always wait, and 100 s take 10 s."""

    @pytest.fixture
    def gate(self):
        gate = Gate(Limits())
        gate.executed(100.0, 10.0)
        return gate

    def test_an_interactive_request_that_would_wait_too_long_is_refused_with_a_hint(self, gate):
        gate.waiting["interactive"] = 95.0
        gate.admit("interactive", 10.0, None)
        gate.waiting["interactive"] = 110.0
        with pytest.raises(PipelineError) as caught:
            gate.admit("interactive", 10.0, None)
        assert caught.value.code == "RESOURCE_EXHAUSTED"
        assert caught.value.retry_after_s == 2.0
        gate.waiting["interactive"] = 410.0
        with pytest.raises(PipelineError) as caught:
            gate.admit("interactive", 10.0, None)
        assert caught.value.retry_after_s == pytest.approx(32.0)

    def test_bulk_waits_for_all_and_interactive_only_for_its_own(self, gate):
        gate.waiting["bulk"] = 5000.0
        gate.admit("interactive", 10.0, None)
        gate.admit("bulk", 10.0, None)
        with pytest.raises(PipelineError, match="502 s, later than the 60 s"):
            gate.admit("bulk", 10.0, 60.0)

    def test_a_slow_machine_still_lets_a_full_round_wait(self):
        gate = Gate(Limits())
        gate.executed(30.0, 60.0)
        gate.waiting["interactive"] = 50.0
        gate.admit("interactive", 10.0, None)
        with pytest.raises(PipelineError, match="120 s"):
            gate.admit("interactive", 10.0, None)

    def test_the_limit_of_the_request_itself_counts(self, gate):
        gate.waiting["interactive"] = 20.0
        gate.admit("interactive", 10.0, 2.5)
        with pytest.raises(PipelineError, match=r"about 3 s, later than the 2\.5 s"):
            gate.admit("interactive", 10.0, 2.5)

    def test_decoding_again_makes_the_queue_slower(self, gate):
        gate.waiting["interactive"] = 95.0
        gate.admit("interactive", 1.0, None)
        gate.executed(0.0, 10.0)
        with pytest.raises(PipelineError, match="its turn"):
            gate.admit("interactive", 1.0, None)

"""The live method with a stand-in for the server: what it may never do, whatever the server answers and when."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest

from triscribe.errors import InternalError, UnavailableError
from triscribe.live.ahead import ends_sentence
from triscribe.live.events import (
    FinalResult,
    InterimResult,
    LiveOptions,
    Silence,
    SpeechActivity,
    UtteranceFinal,
)
from triscribe.live.recognizer import LiveRecognizer
from triscribe.speech.vad import VadOptions
from triscribe.tasks import while_working
from triscribe.types import SAMPLE_RATE, ChunkResult, Segment, Word


class Server:
    """Answers with one "word" for each half second, which depends on the samples only."""

    def __init__(self, *, delay_s: float = 0.0, fail_interims: bool = False) -> None:
        self.finals = 0
        self.interims = 0
        self.aheads = 0
        self.longest_s = 0.0
        self._delay_s = delay_s
        self._fail_interims = fail_interims

    async def recognize(self, samples, *, quality, language):
        self.finals += quality == "final"
        self.interims += quality == "quick"
        self.aheads += quality == "ahead"
        self.longest_s = max(self.longest_s, len(samples) / SAMPLE_RATE)
        await asyncio.sleep(self._delay_s)
        if self._fail_interims and quality == "quick":
            raise UnavailableError("restarting")
        step = SAMPLE_RATE // 2
        words = tuple(
            Word(f"{samples[i : i + step].std():.4f}", i / SAMPLE_RATE, (i + step) / SAMPLE_RATE, 1.0, "aligned")
            for i in range(0, len(samples) - step, step)
        )
        segments = tuple(
            Segment(group[0].start, group[-1].end, " ".join(w.word for w in group), "en", -0.1, 0, 1, 0, group)
            for group in (words[i : i + 8] for i in range(0, len(words), 8))
        )
        return ChunkResult(0, "base", "en", 0.9, segments)


async def recognise(server, samples, *, interims=True, pause_s=0.0, end_s=0.6):
    with ThreadPoolExecutor(1) as pool:
        recognizer = LiveRecognizer(server.recognize, LiveOptions(interims, True, end_s, None), pool)

        async def feed():
            for start in range(0, len(samples), 1600):
                await recognizer.push(samples[start : start + 1600])
                await asyncio.sleep(pause_s)
            await recognizer.finish()

        async def work():
            async with asyncio.TaskGroup() as group:
                group.create_task(feed())
                group.create_task(recognizer.run())

        events = [event async for event in while_working(recognizer.events, asyncio.create_task(work()))]
    return recognizer, events


def finals(events):
    return [s for e in events if isinstance(e, FinalResult) for s in e.segments]


def check_order(events):
    segments = finals(events)
    assert all(a.end <= b.start + 1e-6 for a, b in pairwise(segments))
    settled = 0.0
    for event in events:
        if isinstance(event, FinalResult | InterimResult):
            assert event.segments[0].start >= settled - 0.5  # an interim never reaches back behind a final
            if isinstance(event, FinalResult):
                settled = event.segments[-1].end


async def test_silence_gives_nothing_and_asks_nothing():
    server = Server()
    recognizer, events = await recognise(server, np.zeros(20 * SAMPLE_RATE, np.float32))
    assert events == []
    assert server.finals == server.interims == 0
    assert recognizer.received_s == 20


async def test_finals_are_in_order_and_interims_come_after_them(conversation):
    server = Server(delay_s=0.01)
    recognizer, events = await recognise(server, conversation.samples, pause_s=0.002)
    assert finals(events)
    assert server.interims > 3
    check_order(events)
    assert recognizer.language == "en"


async def test_without_interims_none_are_sent(conversation):
    _, events = await recognise(Server(), conversation.samples, interims=False)
    assert finals(events)
    assert not [e for e in events if isinstance(e, InterimResult)]


async def test_an_endless_utterance_is_cut_and_no_request_is_too_long(conversation):
    samples = np.tile(conversation.part(14.3, 27.0), 5)  # a minute without a pause of 5 s
    server = Server()
    _, events = await recognise(server, samples, end_s=5.0, pause_s=0.0005)
    assert server.longest_s <= 28.0
    assert server.finals >= 2
    check_order(events)
    assert finals(events)[-1].end == pytest.approx(len(samples) / SAMPLE_RATE, abs=1.5)


async def test_a_look_may_fail_but_a_final_may_not(conversation):
    server = Server(fail_interims=True)
    _, events = await recognise(server, conversation.part(6, 12), pause_s=0.001)
    assert finals(events)

    class Broken(Server):
        async def recognize(self, samples, *, quality, language):
            raise InternalError("broken")

    with pytest.raises(ExceptionGroup, match="unhandled") as caught:
        await recognise(Broken(), conversation.part(6, 12))
    assert caught.group_contains(InternalError)


async def test_a_sender_that_is_too_fast_is_stopped(conversation):
    release = asyncio.Event()

    class Stuck(Server):
        async def recognize(self, samples, *, quality, language):
            await release.wait()
            return await super().recognize(samples, quality=quality, language=language)

    samples = np.tile(conversation.samples, 10)
    with ThreadPoolExecutor(1) as pool:
        recognizer = LiveRecognizer(Stuck().recognize, LiveOptions(False, False, 0.6, None), pool)

        async def drink():
            return [event async for event in while_working(recognizer.events, running)]

        async def feed():
            await recognizer.push(samples)
            await recognizer.finish()

        async with asyncio.TaskGroup() as group:
            feeding = group.create_task(feed())
            running = group.create_task(recognizer.run())
            drinking = group.create_task(drink())
            await asyncio.sleep(1.0)
            assert not feeding.done()
            assert recognizer._tail.end / SAMPLE_RATE < 75
            release.set()
        assert finals(drinking.result())


@pytest.mark.parametrize(("age_s", "quick_s", "is_due"), [(3.0, 0.3, False), (6.5, 0.3, True), (3.5, 1.5, True)])
def test_speech_is_due_while_there_is_time_for_its_final(monkeypatch, age_s, quick_s, is_due):
    """Eight seconds are shared by the wait, a hypothesis and the final, by what they have taken lately."""
    now = 100.0
    monkeypatch.setattr("triscribe.live.tail.time.monotonic", lambda: now)
    recognizer = LiveRecognizer(None, LiveOptions(False, False, 0.6, "en"), None)  # type: ignore[arg-type]
    recognizer._tail.append(np.zeros(10 * SAMPLE_RATE, np.float32))
    recognizer._quick_s = recognizer._final_s = quick_s
    now += age_s
    assert recognizer._is_due(0, 10 * SAMPLE_RATE) is is_due
    assert not recognizer._is_due(9 * SAMPLE_RATE, 10 * SAMPLE_RATE)


async def listen(server, samples, **options):
    """All events for `samples`, sent as fast as they are taken."""
    with ThreadPoolExecutor(1) as pool:
        listening = LiveOptions(interims=False, events=True, end_s=0.6, language="en", utterances=True, **options)
        recognizer = LiveRecognizer(server.recognize, listening, pool)

        async def feed():
            await recognizer.push(samples)
            await recognizer.finish()

        async def work():
            async with asyncio.TaskGroup() as group:
                group.create_task(feed())
                group.create_task(recognizer.run())

        return [event async for event in while_working(recognizer.events, asyncio.create_task(work()))]


async def test_every_utterance_is_told_final_once_and_after_all_of_it(conversation):
    silence = np.zeros(2 * SAMPLE_RATE, np.float32)
    speech = conversation.part(8.2, 9.8)
    events = await listen(Server(), np.concatenate([silence, speech, silence, speech, silence]))
    begins = [e for e in events if isinstance(e, SpeechActivity) and e.begins]
    ends = [e for e in events if isinstance(e, SpeechActivity) and not e.begins]
    assert len(begins) == len(ends) == len([e for e in events if isinstance(e, UtteranceFinal)]) == 2
    kinds = [type(event) for event in events]
    assert kinds.index(FinalResult) < kinds.index(UtteranceFinal)
    assert not any(end.cut_short for end in ends)
    for begin, end in zip(begins, ends, strict=True):
        assert begin.edge_s == pytest.approx(begin.time_s - 0.3)
        assert end.edge_s == pytest.approx(end.time_s + 0.3)
    assert kinds[-1] is UtteranceFinal


async def test_an_utterance_without_text_is_told_final_too(conversation):
    class Mute(Server):
        async def recognize(self, samples, *, quality, language):
            return ChunkResult(0, "base", "en", 0.9, ())

    events = await listen(Mute(), conversation.part(8.2, 9.6))
    assert [type(event) for event in events] == [SpeechActivity, SpeechActivity, UtteranceFinal]
    assert events[1].cut_short  # the audio ended, not the speech


@pytest.mark.parametrize(("prefix_s", "kept_s"), [(0.0, 0.0), (1.5, 1.5), (5.0, 3.0)])
async def test_as_much_is_kept_before_speech_as_is_asked_for(conversation, prefix_s, kept_s):
    """As far as there is audio before it."""
    samples = np.concatenate([np.zeros(3 * SAMPLE_RATE, np.float32), conversation.part(8.2, 9.6)])
    server = Server()
    begin = (await listen(server, samples, prefix_s=prefix_s))[0]
    assert begin.time_s - begin.edge_s == pytest.approx(kept_s, abs=0.3)
    assert server.longest_s == pytest.approx(len(samples) / SAMPLE_RATE - begin.edge_s, abs=0.01)


async def test_silence_is_told_whenever_it_has_lasted(conversation):
    silence = np.zeros(5 * SAMPLE_RATE, np.float32)
    events = await listen(Server(), np.concatenate([silence, conversation.part(8.2, 9.8), silence]), idle_s=2.0)
    silent = [event for event in events if isinstance(event, Silence)]
    speech = [event.time_s for event in events if isinstance(event, SpeechActivity)]
    assert len(silent) == 4
    assert all(2.0 <= one.end_s - one.start_s <= 2.3 for one in silent)
    assert silent[2].start_s == speech[1]
    assert silent[0].start_s == 0.0


async def test_a_higher_threshold_takes_less_for_speech(conversation):
    samples = conversation.part(6, 12) * 0.05
    generous = await listen(Server(), samples, voice=VadOptions(threshold=0.1))
    strict = await listen(Server(), samples, voice=VadOptions(threshold=0.95, end_threshold=0.94))

    def spoken(events):
        times = [event.time_s for event in events if isinstance(event, SpeechActivity)]
        return sum(times[1::2]) - sum(times[::2])

    assert spoken(strict) < spoken(generous)


QUIET = np.zeros(2 * SAMPLE_RATE, np.float32)


class Speaker(Server):
    """Says the same text whatever it hears."""

    def __init__(self, text, **options):
        super().__init__(**options)
        self.text = text

    async def recognize(self, samples, *, quality, language):
        result = await super().recognize(samples, quality=quality, language=language)
        word = Word(self.text, 0.1, 0.5, 1.0, "aligned")
        said = Segment(0.1, 0.5, self.text, "en", -0.1, 0, 1, 0, (word,))
        return ChunkResult(0, "base", "en", 0.9, (said,) if result.segments else ())


async def live(server, samples, *, interims=False, **options):
    """What is told, each with the seconds of audio that had come in; sent at the pace of speech, times eight."""
    told = []
    with ThreadPoolExecutor(1) as pool:
        listening = LiveOptions(interims, events=True, end_s=0.6, language="en", **options)
        recognizer = LiveRecognizer(server.recognize, listening, pool)

        async def feed():
            for start in range(0, len(samples), 800):
                await recognizer.push(samples[start : start + 800])
                await asyncio.sleep(0.05 / 8)
            await recognizer.finish()

        async def work():
            async with asyncio.TaskGroup() as group:
                group.create_task(feed())
                group.create_task(recognizer.run())

        async for event in while_working(recognizer.events, asyncio.create_task(work())):
            told.append((recognizer.received_s, event))
    return told


def ends(told):
    """How much silence each end of speech took."""
    return [at - e.time_s for at, e in told if isinstance(e, SpeechActivity) and not e.begins]


async def test_a_final_is_made_in_the_pause_and_not_once_more(conversation):
    server = Server(delay_s=0.02)
    told = await live(server, np.concatenate([QUIET, conversation.part(8.2, 9.8), QUIET]))
    assert len(finals([event for _, event in told])) == 1
    assert server.aheads >= 1
    assert server.finals == 0
    came = next(at for at, event in told if isinstance(event, FinalResult))
    ended = next(e.time_s for _, e in told if isinstance(e, SpeechActivity) and not e.begins)
    assert came - ended < 0.6 + 0.3, "with the end of the utterance, not a decoding later"


async def test_a_pause_that_does_not_last_is_an_interim(conversation, monkeypatch):
    monkeypatch.setattr("triscribe.live.recognizer._AHEAD_SHARE", 0.0)
    samples = np.concatenate([QUIET, conversation.part(8.2, 9.8), QUIET[:6400], conversation.part(8.2, 9.8), QUIET])
    server = Server(delay_s=0.02)
    told = [event for _, event in await live(server, samples, interims=True)]
    assert len([event for event in told if isinstance(event, FinalResult)]) == 1
    assert finals(told)[-1].end - finals(told)[0].start > 3
    assert server.aheads == 2
    assert server.finals == 0
    assert any(isinstance(event, InterimResult) for event in told)
    check_order(told)


async def test_where_no_final_comes_ahead_it_is_made_at_the_end(conversation):
    class Busy(Server):
        async def recognize(self, samples, *, quality, language):
            if quality == "ahead":
                self.aheads += 1
                raise UnavailableError("full")
            return await super().recognize(samples, quality=quality, language=language)

    server = Busy()
    told = await live(server, np.concatenate([conversation.part(8.2, 9.8), QUIET]))
    assert server.aheads == 1
    assert server.finals == 1
    assert len(finals([event for _, event in told])) == 1


async def test_who_pauses_after_every_word_gets_few_finals_ahead(conversation):
    """At most one in the time that two take, here a second, which is eight of the audio."""
    server = Server(delay_s=0.02)
    told = await live(server, np.concatenate([conversation.part(8.2, 9.8), QUIET[:6400]] * 4 + [QUIET]))
    assert 1 <= server.aheads <= 2
    assert len(finals([event for _, event in told])) >= 1


async def test_a_slow_server_is_asked_for_nothing_ahead(conversation, monkeypatch):
    monkeypatch.setattr("triscribe.live.recognizer._SLOW_S", 0.1)
    server = Server()
    await live(server, np.concatenate([conversation.part(8.2, 9.8), QUIET]))
    assert server.aheads == 0
    assert server.finals == 1


async def test_a_whole_sentence_ends_sooner(conversation):
    samples = np.concatenate([QUIET, conversation.part(8.2, 9.8), QUIET])
    whole = await live(Speaker("That is all.", delay_s=0.01), samples, sentence_end_s=0.3)
    part = await live(Speaker("and then the", delay_s=0.01), samples, sentence_end_s=0.3)
    as_asked = await live(Speaker("That is all.", delay_s=0.01), samples)
    assert 0.3 <= min(ends(whole)) <= max(ends(whole)) < 0.55
    assert 0.6 <= min(ends(part)) < 0.8
    assert 0.6 <= min(ends(as_asked)) < 0.8
    assert len(finals([event for _, event in whole])) == 1


@pytest.mark.parametrize(
    ("text", "is_whole"),
    [
        ("Hello there.", True),
        ("Is it?", True),
        ('He said "yes."', True),
        ("今天很好。", True),
        ("and then the", False),
        ("and then...", False),
        ("I met Mr.", False),
        ("今天很好", False),
        ("", False),
    ],
)
def test_what_is_a_whole_sentence(text, is_whole):
    segments = (Segment(0, 1, text, "en", -0.1, 0, 1, 0, ()),) if text else ()
    assert ends_sentence(segments, "zh" if text > "z" else "en") is is_whole

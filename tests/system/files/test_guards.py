"""Sounds without a word in them give no word; the long form is benchmarks/quality/guards.py."""

import pytest
from benchmarks.quality import guards

from tests.harness.sounds import SOUNDS, of_kind

pytestmark = pytest.mark.server


@pytest.mark.parametrize("kind", SOUNDS)
async def test_half_a_minute_without_a_word_gives_none(server, kind):
    assert await guards.guarded(server.url, of_kind(kind, 30), voice_detection=True) == ()


async def test_whisper_alone_does_write_words(server):
    """What the guards are for: without them this test's neighbours would prove nothing."""
    assert guards.count_words(await guards.unguarded(server.url, of_kind("applause", 30))) > 2


async def test_what_is_said_between_sounds_is_kept(server, conversation):
    sound = of_kind("applause", 15)
    alone = await guards.island(server.url, conversation.samples, conversation.reference, sound[:0])
    beside = await guards.island(server.url, conversation.samples, conversation.reference, sound)
    assert beside.false_words <= 1
    assert beside.found >= alone.found - guards.LOST

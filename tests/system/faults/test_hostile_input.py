"""The quick part of benchmarks/reliability/fuzz: every door, a few cases; all: `scripts/reliability fuzz`."""

import random

import pytest
from benchmarks.reliability.fuzz import guided as fuzz_guided
from benchmarks.reliability.fuzz import media as fuzz_media
from benchmarks.reliability.fuzz import server as fuzz_server
from benchmarks.reliability.fuzz import state as fuzz_state
from benchmarks.reliability.fuzz.base import Finding, Target

from tests.harness import opened as watched
from triscribe.errors import ModelError
from triscribe.models.manifest import load_manifest
from triscribe_align.errors import AlignError
from triscribe_align.service import parse_words


def target(name, seconds):
    return Target(name, seconds, random.Random(8))


@pytest.mark.parametrize(
    "fire", [fuzz_media.decoder, fuzz_state.manifest, fuzz_state.journal], ids=lambda fire: fire.__name__
)
def test_a_door_holds(fire):
    hit = target(fire.__name__, 4)
    fire(hit)
    assert hit.findings == []
    assert len(hit.outcomes) > 1


needs_atheris = pytest.mark.skipif(not fuzz_guided.is_available(), reason="atheris has no wheel for this machine")


@needs_atheris
def test_a_fault_behind_branches_is_found():
    hit = target("guided", 20)
    fuzz_guided.fire("bait", hit, 20)
    assert "the bait" in hit.findings[0]


@needs_atheris
@pytest.mark.parametrize("door", ["words", "config", "samples"])
def test_guided_input_is_read_or_refused(door):
    hit = target("guided", 3)
    fuzz_guided.fire(door, hit, 3)
    assert hit.findings == []
    assert hit.cases > 100


def test_headers_that_lie_and_bombs_stay_within_their_memory():
    hit = target("limits", 4)
    fuzz_media.limits(hit)
    assert hit.findings == []


@pytest.mark.skipif(not watched.is_available(), reason="needs strace, and leave to use it")
class TestWhatIsOpened:
    def test_the_medium_and_nothing_that_it_points_at(self):
        hit = target("references", 4)
        fuzz_media.references(hit)
        assert hit.findings == []
        assert hit.cases > 200

    def test_without_protection_the_watcher_sees_it(self, tmp_path, monkeypatch):
        """A bait that is never opened: the watcher's own proof must fail then."""
        bait = fuzz_media._bait(tmp_path)
        fuzz_media.prove_watcher(bait, "127.0.0.1:9")
        monkeypatch.setattr(fuzz_media, "_BARE", "\n")
        with pytest.raises(Finding, match="not seen"):
            fuzz_media.prove_watcher(bait, "127.0.0.1:9")


@pytest.mark.server
def test_random_tensors_kill_no_worker(server):
    hit = target("tensors", 8)
    fuzz_server.fire_tensors(hit, server)
    assert hit.findings == []
    assert hit.cases > 20


@pytest.mark.diarizer
def test_bytes_that_are_no_message_are_the_callers_fault():
    hit = target("diarizer", 4)
    fuzz_server.diarizer(hit)
    assert hit.findings == []


def test_json_nested_beyond_reason_is_the_callers_fault():
    with pytest.raises(AlignError) as error:
        parse_words(b"[" * 100_000)
    assert (error.value.code, error.value.field) == ("INVALID_ARGUMENT", "WORDS")


def test_a_manifest_nested_beyond_reason_is_refused(tmp_path):
    path = tmp_path / "site.toml"
    path.write_text("a = " + "[" * 10_000)
    with pytest.raises(ModelError, match="not valid"):
        load_manifest(path)

"""Two real replicas behind the real Envoy with deploy/envoy/envoy.yaml."""

import asyncio

import pytest
from benchmarks.load.replicas import file, harmed_calls, harmed_file, rolling_replacement, short_calls, spread

from tests.harness.audio import conversation
from tests.harness.replicas import replica_set

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def replicas(tmp_path_factory):
    with replica_set(tmp_path_factory.mktemp("replicas"), model="tiny.en", threads=1) as made:
        yield made


@pytest.fixture
def whole(replicas):
    """Whatever the test does, the next one finds both replicas in use."""
    yield replicas
    members, envoy = replicas
    for replica in members:
        if not replica.is_ready():
            replica.stop()
            replica.start()
            replica.wait_ready()
    envoy.wait_healthy(len(members))


@pytest.mark.timeout(280)
def test_sixteen_callers_are_spread_evenly(whole, conversation):
    """Equal requests; what is left of unevenness is the machine's, which both replicas and the test share."""
    members, envoy = whole
    counts = asyncio.run(spread(members, envoy, 64, [conversation.part(21.9, 24)]))
    assert 64 <= sum(counts) <= 68  # a canary may have asked too
    assert max(counts) - min(counts) <= 10


@pytest.mark.timeout(280)
def test_a_replica_killed_under_load_costs_no_result(whole):
    members, envoy = whole
    expected = asyncio.run(short_calls(envoy.url, 50))
    assert asyncio.run(harmed_calls(envoy.url, 50, members[0].kill)) == expected
    envoy.wait_healthy(1)


@pytest.mark.timeout(280)
def test_a_rolling_replacement_loses_nothing(whole):
    members, envoy = whole
    expected = asyncio.run(short_calls(envoy.url, 16))
    results = asyncio.run(rolling_replacement(members, envoy))
    assert len(results) >= 32  # calls went on meanwhile
    assert all(result == expected[result.index] for result in results)


@pytest.mark.load
@pytest.mark.timeout(1800)
def test_a_replica_killed_during_a_long_file_costs_no_word(whole):
    members, envoy = whole
    samples = conversation(20)
    undisturbed = asyncio.run(file(envoy.url, samples))
    assert asyncio.run(harmed_file(envoy.url, samples, members[1].kill)) == undisturbed

"""Requests of many callers share executions and get what they would have got alone."""

import re
import urllib.request
from collections import defaultdict

import pytest
import tritonclient.grpc as grpcclient

from tests.harness.raw import RawClient, as_bytes, ok, text_of
from triscribe.types import SAMPLE_RATE

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def requests(conversation):
    """16 different stretches of speech of 4 to 6 s: the same bucket, and one of another."""
    stretches = [conversation.part(6.5 + 1.1 * i, 6.5 + 1.1 * i + 4 + i % 3) for i in range(15)]
    return [*stretches, conversation.samples[: 29 * SAMPLE_RATE]]


def test_sixteen_at_once_share_executions_and_answers_do_not_change(server, requests):
    options = {"language": "en"}
    with RawClient(server.url) as client:
        alone = [client.ask(samples, options) for samples in requests]
    before = _statistics(server)
    clients = [RawClient(server.url) for _ in requests]
    for client, samples in zip(clients, requests, strict=True):
        client.send({"AUDIO": samples, "OPTIONS": as_bytes(options)})
    together = [client.receive() for client in clients]
    for client in clients:
        client.__exit__()
    after = _statistics(server)
    assert together == alone
    assert sum(bool(text_of(ok(answer))) for answer in alone) == len(requests)
    inferences, executions = (a - b for a, b in zip(after, before, strict=True))
    assert inferences >= len(requests)
    # Eight to an execution at best; whoever is retried comes in another.
    assert executions < len(requests)


def test_retries_are_counted_in_the_metrics(server, conversation):
    """A threshold that no text passes: every step of the ladder but the last is followed by a try."""
    before = _retries(server)
    options = {"language": "en", "temperature": [0.0, 0.2], "log_prob_threshold": 0.0, "beam_size": 1}
    with RawClient(server.url) as client:
        answer = ok(client.ask(conversation.part(6.5, 10.5), options))
    assert text_of(answer)
    grown = {reason: count - before.get(reason, 0.0) for reason, count in _retries(server).items()}
    assert grown["low_confidence"] >= 1
    assert sum(grown.values()) == grown["low_confidence"]


def _retries(server):
    """Retries so far, by their reason."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.ports.metrics}/metrics", timeout=10) as answer:
        found = re.findall(r'^triscribe_chunk_retries_total{.*?reason="(\w+)".*?} (\S+)$', answer.read().decode(), re.M)
    counts: defaultdict[str, float] = defaultdict(float)
    for reason, count in found:
        counts[reason] += float(count)
    return counts


def _statistics(server):
    with grpcclient.InferenceServerClient(server.url) as client:
        stats = client.get_inference_statistics("whisper-base").model_stats[0]
        return stats.inference_count, stats.execution_count

"""Whatever is sent to the HTTP door, the fault is the caller's: no 5xx, and the next call works.

schemathesis makes 60 requests for each operation from the description of the API, right and wrong ones; 60 damaged
files and 60 forms around a real clip come from here.
"""

from __future__ import annotations

import random

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.harness.audio import wav
from tests.harness.hostile import mutated, seeds
from triscribe.gateway.http import openapi
from triscribe.gateway.http.transcription_form import TranscriptionForm

pytestmark = pytest.mark.timeout(600)

SCHEMA = schemathesis.openapi.from_dict(openapi.document())
QUICK = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)
PATH = "/v1/audio/transcriptions"


@pytest.fixture(scope="module")
def http(http_gateway):
    with httpx.Client(base_url=f"http://{http_gateway.http_address}", timeout=60, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def clip(conversation):
    """Half a second: what is asked for matters here."""
    return wav(conversation.part(11.0, 11.5))


@pytest.fixture(autouse=True)
def still_works(http, clip):
    yield
    assert http.post(PATH, data={"model": "tiny.en"}, files={"file": clip}).status_code == 200


@SCHEMA.parametrize()
@QUICK
def test_requests_by_the_description(http_gateway, case):
    response = case.call(base_url=f"http://{http_gateway.http_address}", timeout=60)
    assert response.status_code < 500
    if response.status_code >= 400:
        assert response.json()["error"]["message"]


@pytest.mark.parametrize("seed", range(3))
def test_damaged_files(http, seed):
    rng, corpus = random.Random(seed), list(seeds().values())
    for _ in range(20):
        response = http.post(PATH, data={"model": "tiny.en"}, files={"file": mutated(rng, corpus)})
        assert response.status_code in (200, 400, 413), response.text


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
values = texts | st.sampled_from(["true", "0", "-1", "1e999", "nan", "en", "tiny.en", "[]", "{}", "null", "auto", "2"])
names = st.sampled_from([name + end for name in TranscriptionForm.model_fields for end in ("", "[]", "[x]")]) | texts


@QUICK
@given(fields=st.dictionaries(names.filter(bool), values | st.lists(values, max_size=3), max_size=5))
def test_forms_around_a_real_clip(http, clip, fields):
    response = http.post(PATH, data=fields, files={"file": clip})
    assert response.status_code < 500, (fields, response.text)

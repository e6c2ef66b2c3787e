import json
import subprocess
import sys

import pytest

from triscribe.errors import ResourceExhaustedError, UsageError
from triscribe.gateway import GatewaySettings
from triscribe.service.limits import Backoff, CallLimits


def test_plaintext_stays_on_this_machine(tmp_path):
    with pytest.raises(UsageError, match="needs TLS"):
        GatewaySettings(host="0.0.0.0")
    assert GatewaySettings(host="0.0.0.0", allow_plaintext=True).host == "0.0.0.0"
    assert GatewaySettings(host="0.0.0.0", tls_cert=tmp_path, tls_key=tmp_path).tls_cert


def test_half_of_tls_is_refused(tmp_path):
    with pytest.raises(UsageError, match="both"):
        GatewaySettings(tls_cert=tmp_path)
    with pytest.raises(UsageError, match="needs TLS"):
        GatewaySettings(tls_client_ca=tmp_path)


def test_the_environment_counts(monkeypatch):
    monkeypatch.setenv("TRISCRIBE_GATEWAY_MAX_RECOGNIZE_S", "12.5")
    monkeypatch.setenv("TRISCRIBE_GATEWAY_TOKENS", "/etc/tokens")
    settings = GatewaySettings()
    assert settings.max_recognize_s == 12.5
    assert str(settings.tokens) == "/etc/tokens"


def test_lists_of_the_http_door_are_separated_by_commas(monkeypatch):
    monkeypatch.setenv("TRISCRIBE_GATEWAY_HTTP_ORIGINS", "https://a.example/, http://b.example:3000")
    monkeypatch.setenv("TRISCRIBE_GATEWAY_HTTP_MODELS", "whisper-1=large-v3, gpt-transcribe,")
    settings = GatewaySettings()
    assert settings.http_origins == ("https://a.example", "http://b.example:3000")
    assert settings.http_models == {"whisper-1": "large-v3", "gpt-transcribe": ""}


def test_the_http_door_beyond_this_machine_needs_tls_too(tmp_path):
    with pytest.raises(UsageError, match="192"):
        GatewaySettings(http_host="192.0.2.1")
    assert GatewaySettings(http_host="192.0.2.1", http_port=0)
    assert GatewaySettings(http_host="192.0.2.1", tls_cert=tmp_path, tls_key=tmp_path)


def test_places_are_given_back():
    limits = CallLimits(total=3, per_caller=2)
    with limits.admit("a"), limits.admit("a"):
        with pytest.raises(ResourceExhaustedError, match="your calls") as caught, limits.admit("a"):
            pass
        assert caught.value.retry_after_s
        with limits.admit("b"), pytest.raises(ResourceExhaustedError, match="3 calls"), limits.admit("c"):
            pass
    with limits.admit("a"), limits.admit("a"), limits.admit("b"):
        pass


_FAILING = """
import logging
from triscribe.service.logs import configure

def work(transcript):
    raise ValueError("broken")

configure("info")
try:
    work("what somebody " + "said")
except ValueError as error:
    logging.getLogger("x").error("call_failed", exc_info=error, extra={"request_id": "r1"})
"""


def test_logs_are_json_and_tell_no_local_variables():
    line = subprocess.run([sys.executable, "-c", _FAILING], capture_output=True, text=True, check=True).stderr
    entry = json.loads(line)
    assert entry["event"] == "call_failed"
    assert entry["request_id"] == "r1"
    assert entry["exception"][0]["exc_type"] == "ValueError"
    assert "what somebody said" not in line


def test_after_a_refusal_calls_are_refused_here_until_the_hint_has_passed(monkeypatch):
    now = 100.0
    monkeypatch.setattr("triscribe.service.limits.time.monotonic", lambda: now)
    backoff = Backoff()
    with pytest.raises(ResourceExhaustedError), backoff.guard("base"):
        raise ResourceExhaustedError("full", retry_after_s=30.0)
    with pytest.raises(ResourceExhaustedError) as caught, backoff.guard("base"):
        pytest.fail("the work was begun")
    assert caught.value.retry_after_s == Backoff.LONGEST_S
    with backoff.guard("tiny.en"):
        pass
    now += Backoff.LONGEST_S
    with backoff.guard("base"):
        pass
    with pytest.raises(ResourceExhaustedError), backoff.guard("base"):
        raise ResourceExhaustedError("too long")  # of this call alone
    with backoff.guard("base"):
        pass

import json
import socket
import urllib.error
import urllib.request

import pytest

from triscribe.errors import ServingError
from triscribe.serving.endpoint import HealthEndpoint
from triscribe.serving.supervisor import State


def get(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, json.load(answer)["state"]
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)["state"] if error.code == 503 else None


@pytest.mark.parametrize(
    ("state", "live", "ready"),
    [
        (State.STARTING, 200, 503),
        (State.SERVING, 200, 200),
        (State.RESTARTING, 200, 503),
        (State.STOPPED, 200, 503),
        (State.FAILED, 503, 503),
    ],
)
def test_each_state_has_its_verdicts(state, live, ready):
    with HealthEndpoint("127.0.0.1", 0, lambda: state) as health:
        assert get(health.port, "/livez") == (live, state.value)
        assert get(health.port, "/readyz") == (ready, state.value)
        assert get(health.port, "/readyz?verbose=1") == (ready, state.value)
        assert get(health.port, "/")[0] == 404


def test_the_state_is_asked_anew_each_time():
    states = iter([State.STARTING, State.SERVING])
    with HealthEndpoint("127.0.0.1", 0, lambda: next(states)) as health:
        assert [get(health.port, "/readyz")[0] for _ in range(2)] == [503, 200]


def test_a_silent_caller_keeps_nobody_waiting():
    with (
        HealthEndpoint("127.0.0.1", 0, lambda: State.SERVING) as health,
        socket.create_connection(("127.0.0.1", health.port)),
    ):
        assert get(health.port, "/readyz")[0] == 200


def test_a_busy_port_is_told_with_a_remedy():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with (
            pytest.raises(ServingError, match=rf"127\.0\.0\.1:{port} .*choose another port"),
            HealthEndpoint("127.0.0.1", port, lambda: State.SERVING),
        ):
            pass


def test_the_port_is_free_afterwards():
    with HealthEndpoint("127.0.0.1", 0, lambda: State.SERVING) as health:
        port = health.port
        get(port, "/livez")
    assert health.port == 0
    with HealthEndpoint("127.0.0.1", port, lambda: State.SERVING) as health:
        assert health.port == port

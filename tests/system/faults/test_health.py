"""The health endpoint of `triscribe serve`: it speaks before the server is up, and says what the supervisor knows."""

import json
import os
import signal
import subprocess
import urllib.error
import urllib.request

import psutil
import pytest

from tests.harness.paths import COMMAND
from tests.harness.processes import wait_for
from triscribe.serving.ports import ReservedPorts
from triscribe.serving.runtime import STUB

pytestmark = pytest.mark.server


def probe(port, path):
    """Status and state, or None where nobody listens."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, json.load(answer)["state"]
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)["state"]
    except OSError:
        return None


def test_it_follows_the_server_from_its_start_through_a_dead_worker_to_its_end():
    with ReservedPorts() as ports:
        port = ports.metrics  # chosen, not held
    arguments = ["--grpc-port=0", "--http-port=0", "--metrics-port=0", f"--health-port={port}"]
    served = subprocess.Popen([COMMAND, "serve", "--model=tiny.en", *arguments])
    try:
        assert wait_for(lambda: probe(port, "/livez") == (200, "starting"), 60)
        assert probe(port, "/readyz") == (503, "starting")
        assert wait_for(lambda: probe(port, "/readyz") == (200, "serving"), 120)
        children = psutil.Process(served.pid).children(recursive=True)
        os.kill(next(child.pid for child in children if child.name().startswith(STUB[:15])), signal.SIGKILL)
        assert wait_for(lambda: probe(port, "/readyz") == (503, "restarting"), 10)
        assert probe(port, "/livez") == (200, "restarting")
        assert wait_for(lambda: probe(port, "/readyz") == (200, "serving"), 120)
        family = psutil.Process(served.pid).children(recursive=True)
        served.send_signal(signal.SIGTERM)
        assert served.wait(60) == 128 + signal.SIGTERM
        assert not any(process.is_running() for process in family)  # it waited for its server
        assert probe(port, "/livez") is None
    finally:
        served.kill()
        served.wait()

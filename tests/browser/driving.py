"""A real Chromium, driven through its own driver."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

# No sandbox: containers run as root. The rest keeps Chromium from talking to anybody but the page.
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps"),
    *("--autoplay-policy=no-user-gesture-required", "--hide-scrollbars"),
)


def _command(*names: str) -> str:
    for name in names:
        if path := shutil.which(name):
            return path
    raise RuntimeError(f"no {names[0]} on PATH: scripts/test installs it as root, or apt-get install {names[0]}")


@contextmanager
def chromium(width: int = 1200, height: int = 800) -> Iterator[webdriver.Chrome]:
    """A fresh browser with an empty profile, which is gone afterwards."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = Options()
        options.binary_location = _command("chromium", "chromium-browser", "google-chrome")
        for flag in (*_FLAGS, f"--user-data-dir={profile}", f"--window-size={width},{height}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
        driver = webdriver.Chrome(options=options, service=Service(_command("chromedriver", "chromium-driver")))
        try:
            yield driver
        finally:
            driver.quit()


def requested(driver: webdriver.Chrome) -> list[str]:
    """The addresses asked for since the last call."""
    addresses = []
    for entry in driver.get_log("performance"):
        message: dict[str, Any] = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            addresses.append(message["params"]["request"]["url"])
    return addresses

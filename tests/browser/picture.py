"""Takes the picture of the page that is in docs/: `python -m tests.browser.picture PAGE PICTURE`."""

import sys
from pathlib import Path

from selenium.webdriver.common.by import By

from tests.browser.driving import chromium
from tests.harness.processes import wait_for

SPOKEN = "Texas"
SEARCHED = "originally from"


def take(page: Path, picture: Path) -> None:
    """Clicks on a word, searches, and writes what the browser shows."""
    with chromium(1180, 860) as driver:
        driver.get(page.resolve().as_uri())
        if not wait_for(lambda: bool(driver.execute_script("return audio.readyState >= 2")), 30):
            raise RuntimeError("the audio of the page does not load")
        driver.execute_script("document.documentElement.style.scrollBehavior = 'auto'")
        next(w for w in driver.find_elements(By.CSS_SELECTOR, ".w") if w.text.startswith(SPOKEN)).click()
        driver.find_element(By.ID, "search").send_keys(SEARCHED)
        driver.execute_script("scrollTo(0, 0)")
        wait_for(lambda: not driver.execute_script("return audio.seeking"), 10)
        picture.write_bytes(driver.get_screenshot_as_png())


if __name__ == "__main__":
    take(Path(sys.argv[1]), Path(sys.argv[2]))

"""The page of `--format html` in a real browser."""

import wave
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.browser.driving import chromium, requested
from tests.harness.processes import wait_for
from triscribe.formats import WRITERS, WriteOptions
from triscribe.formats.html import MAX_EMBEDDED_BYTES
from triscribe.types import AudioInfo, Segment, Transcript, Word

SECONDS = 20
RATE = 16_000


def said(text, start, speaker, language="en"):
    """A segment whose words last 0.4 s each and follow each other every 0.5 s."""
    parts = text.split(" ")
    words = tuple(
        Word(part, start + 0.5 * i, start + 0.5 * i + 0.4, 0.9, "aligned", speaker) for i, part in enumerate(parts)
    )
    return Segment(start, words[-1].end, text, language, -0.2, 0.01, 1.2, 0.0, words, speaker)


SEGMENTS = (
    said("Well, the café opens at nine.", 1.0, "SPEAKER_00"),
    said("Nine? I thought it was ten.", 5.0, "SPEAKER_01"),
    said("No. The other café opens at ten.", 10.0, "SPEAKER_00"),
)


@pytest.fixture(scope="module")
def browser():
    with chromium() as driver:
        yield driver


@pytest.fixture(scope="module")
def tone(tmp_path_factory):
    path = tmp_path_factory.mktemp("audio") / "a tone.wav"
    samples = np.sin(np.arange(SECONDS * RATE) * 440 * 2 * np.pi / RATE) * 3000
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(samples.astype(np.int16).tobytes())
    return path


@pytest.fixture
def show(browser, tmp_path):
    """Writes a page and opens it."""

    def show(segments, audio, fragment="", **options):
        transcript = Transcript(AudioInfo(str(audio), float(SECONDS)), "en", 1.0, "base", "transcribe", tuple(segments))
        page = tmp_path / "page.html"
        content = WRITERS["html"].render(transcript, WriteOptions(folder=tmp_path, **options))
        assert isinstance(content, str)
        page.write_text(content)
        requested(browser)
        browser.get("about:blank")  # so that a new fragment is a new page
        browser.get(page.as_uri() + fragment)
        return content

    return show


@pytest.fixture
def page(show, tone, browser):
    show(SEGMENTS, tone)
    assert wait_for(lambda: browser.execute_script("return audio.readyState >= 2"), 30)
    return browser


def word(driver, text, nth=0):
    return [node for node in driver.find_elements(By.CSS_SELECTOR, ".w") if node.text == text][nth]


def position(driver):
    return driver.execute_script("return audio.currentTime")


def texts(driver, selector):
    return [node.text for node in driver.find_elements(By.CSS_SELECTOR, selector)]


@pytest.mark.parametrize(("text", "nth", "start"), [("nine.", 0, 3.5), ("Nine?", 0, 5.0), ("opens", 1, 12.0)])
def test_a_click_on_a_word_moves_the_audio_to_where_it_starts(page, text, nth, start):
    word(page, text, nth).click()
    assert wait_for(lambda: position(page) == pytest.approx(start, abs=0.01), 10)
    assert texts(page, ".w.spoken") == [text]


def test_words_light_up_while_they_are_spoken(page):
    word(page, "Nine?").click()
    seen = page.execute_async_script(
        """const done = arguments[0], seen = [];
        const note = () => {
          const lit = [...document.querySelectorAll(".w.spoken")].map((node) => [node.textContent, node.dataset.s]);
          if (lit.length) seen.push([audio.currentTime, ...lit[0], lit.length]);
          if (audio.currentTime < 7.2) requestAnimationFrame(note); else { audio.pause(); done(seen); }
        };
        document.getElementById("play").click();
        note();"""
    )
    order = list(dict.fromkeys(text for _, text, *_ in seen))
    assert order == ["Nine?", "I", "thought", "it", "was"][: len(order)]
    assert len(order) >= 3  # a busy machine may drop frames, and words with them
    assert all(count == 1 for *_, count in seen)
    here = page.find_element(By.CSS_SELECTOR, ".turn.here")
    assert here.find_element(By.CSS_SELECTOR, ".name").text == "SPEAKER_01"


def test_play_and_pause_by_button_and_space(page):
    page.find_element(By.ID, "play").click()
    assert wait_for(lambda: position(page) > 0.2, 10)
    page.find_element(By.TAG_NAME, "body").send_keys("x")  # a key without a meaning
    page.execute_script("document.activeElement.blur()")
    page.find_element(By.TAG_NAME, "body").send_keys(" ")
    assert wait_for(lambda: page.execute_script("return audio.paused"), 10)
    assert page.find_element(By.ID, "play").get_attribute("aria-pressed") == "false"


def test_keys_move_by_seconds_and_paragraphs(page):
    body = page.find_element(By.TAG_NAME, "body")
    for key, expected in [
        (Keys.ARROW_DOWN, 1.0),
        (Keys.ARROW_DOWN, 5.0),
        (Keys.ARROW_DOWN, 10.0),
        (Keys.ARROW_UP, 5.0),
        (Keys.ARROW_RIGHT, 10.0),
        (Keys.ARROW_LEFT, 5.0),
    ]:
        body.send_keys(key)
        at = pytest.approx(expected, abs=0.01)
        assert wait_for(lambda at=at: bool(position(page) == at), 10), key  # type: ignore[misc]


def test_search_finds_across_words_without_accents_and_steps_through(page):
    page.find_element(By.TAG_NAME, "body").send_keys("/")
    field = page.switch_to.active_element
    assert field.get_attribute("id") == "search"
    field.send_keys("CAFE opens")
    found = page.find_element(By.ID, "found")
    assert found.text == "1 / 2"
    assert texts(page, ".w.hit") == ["café", "opens"] * 2
    assert [node.get_attribute("data-s") for node in page.find_elements(By.CSS_SELECTOR, ".now")] == ["2.000", "2.500"]
    field.send_keys(Keys.ENTER)
    assert found.text == "2 / 2"
    field.send_keys(Keys.ENTER)
    assert found.text == "1 / 2"
    field.send_keys(" at eight")
    assert found.text == "nothing found"
    field.send_keys(Keys.ESCAPE)
    assert texts(page, ".w.hit") == []


def test_a_speaker_can_be_singled_out(page):
    assert [text.split()[0] for text in texts(page, ".chip")] == ["SPEAKER_00", "SPEAKER_01"]
    page.find_elements(By.CSS_SELECTOR, ".chip")[1].click()
    assert texts(page, ".turn.chosen .name") == ["SPEAKER_01"]
    colours = {
        page.execute_script("return getComputedStyle(arguments[0]).color", node)
        for node in page.find_elements(By.CSS_SELECTOR, ".name")
    }
    assert len(colours) == 2


def test_light_and_dark(page):
    def paper():
        return page.execute_script("return getComputedStyle(document.body).backgroundColor")

    before = paper()
    page.find_element(By.ID, "theme").click()
    assert paper() != before


def test_an_address_with_a_time_opens_there(show, tone, browser):
    show(SEGMENTS, tone, fragment="#t=5.5")
    assert wait_for(lambda: position(browser) == pytest.approx(5.5, abs=0.01), 30)
    assert texts(browser, ".w.spoken") == ["I"]


HOSTILE = (
    "</script><script>window.broken=1</script>",
    "<img/src=x/onerror=window.broken=2>",
    "\"'><svg/onload=window.broken=3>",
    "{{7*7}}{%raw%}",
    "<!--",
    "]]>&lt;b&gt;&amp;",
    "${window.broken=4}",
    "javascript:window.broken=5",
)


def test_hostile_text_is_shown_and_does_nothing(show, tone, tmp_path, browser):
    name = "\"><img src=x onerror='window.broken=6'>'.wav"
    audio = tmp_path / name
    audio.write_bytes(tone.read_bytes())
    segments = [said(" ".join(HOSTILE), 1.0, HOSTILE[1]), said("Fine.", 9.0, HOSTILE[0])]
    show(segments, audio, html_audio="link")
    assert wait_for(lambda: browser.execute_script("return audio.readyState >= 2"), 30)
    assert texts(browser, ".w") == [*HOSTILE, "Fine."]
    assert texts(browser, ".name") == [HOSTILE[1], HOSTILE[0]]
    assert browser.find_element(By.TAG_NAME, "h1").text == name
    for node in browser.find_elements(By.CSS_SELECTOR, ".w"):
        node.click()
    browser.find_element(By.ID, "search").send_keys("<img/src", Keys.ENTER)
    assert browser.find_element(By.ID, "found").text == "1 / 1"
    assert browser.execute_script("return window.broken") is None
    assert len(browser.find_elements(By.TAG_NAME, "script")) == 1
    assert browser.find_elements(By.CSS_SELECTOR, "img, svg[onload]") == []


def test_the_page_asks_nobody_and_runs_nothing_foreign(page):
    assert {address.split(":")[0] for address in requested(page)} <= {"file", "data"}
    page.execute_script(
        """const script = document.createElement("script");
        script.textContent = "window.broken = 1";
        const picture = document.createElement("img");
        picture.src = "http://127.0.0.1:9/picture.png";
        document.body.append(script, picture);
        document.body.insertAdjacentHTML("beforeend", "<p id=inline onclick='window.broken = 2'>click</p>");
        document.getElementById("inline").click();"""
    )
    refusals = [entry["message"] for entry in page.get_log("browser") if "Content Security Policy" in entry["message"]]
    assert page.execute_script("return window.broken") is None
    assert any("script-src" in refusal for refusal in refusals)
    assert any("picture.png" in refusal for refusal in refusals)


def test_a_large_or_unknown_file_is_linked_and_plays_beside_the_page(show, tone, tmp_path, browser):
    large = tmp_path / "50% of a #1 tone?.wav"
    large.write_bytes(tone.read_bytes() + bytes(MAX_EMBEDDED_BYTES))
    content = show(SEGMENTS, large)
    assert 'src="50%25%20of%20a%20%231%20tone%3F.wav"' in content
    assert len(content) < 100_000
    assert wait_for(lambda: browser.execute_script("return audio.readyState >= 2"), 30)
    word(browser, "Nine?").click()
    assert wait_for(lambda: position(browser) == pytest.approx(5.0, abs=0.01), 10)


@pytest.mark.parametrize("audio", ["-", "/nowhere/missing.wav"])
def test_without_audio_the_page_reads_and_takes_a_file(show, tone, browser, audio):
    show(SEGMENTS, audio)
    assert "Nine?" in texts(browser, ".w")
    word(browser, "Nine?").click()
    assert texts(browser, ".w.spoken") == ["Nine?"]
    choose = browser.find_element(By.ID, "choose")
    assert choose.is_displayed()
    browser.find_element(By.ID, "file").send_keys(str(tone))
    assert wait_for(lambda: position(browser) == pytest.approx(5.0, abs=0.01), 30)
    assert not choose.is_displayed()


@pytest.mark.parametrize(
    ("suffix", "codec"), [("mp3", "libmp3lame"), ("flac", "flac"), ("opus", "libopus"), ("webm", "libopus")]
)
def test_what_is_embedded_plays(show, tmp_path, browser, suffix, codec):
    path = tmp_path / f"tone.{suffix}"
    with av.open(str(path), "w", format="ogg" if suffix == "opus" else suffix) as container:
        stream = container.add_stream(codec, rate=48_000, layout="mono")
        samples = (np.sin(np.arange(48_000 * SECONDS) / 20) * 3000).astype(np.int16)
        for at in range(0, len(samples), 48_000):
            frame = av.AudioFrame.from_ndarray(samples[None, at : at + 48_000], format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = 48_000, at, Fraction(1, 48_000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert 'src="data:' in show(SEGMENTS, path)
    assert wait_for(lambda: browser.execute_script("return audio.readyState >= 2"), 30)
    word(browser, "Nine?").click()
    assert wait_for(lambda: position(browser) == pytest.approx(5.0, abs=0.01), 10)


def test_chinese_is_searched_without_spaces(show, tone, browser):
    words = tuple(
        Word(text, 1 + i, 1.9 + i, 0.9, "attention") for i, text in enumerate(("我们", "今天", "讨论", "语音", "识别"))
    )
    segment = replace(SEGMENTS[0], text="我们今天讨论语音识别。", words=words, speaker=None)
    show([segment], tone)
    assert browser.find_element(By.CSS_SELECTOR, ".turn p").text == "我们今天讨论语音识别。"
    browser.find_element(By.ID, "search").send_keys("天讨论语")
    assert texts(browser, ".w.hit") == ["今天", "讨论", "语音"]


def test_nobody_spoke(show, tone, browser):
    show([], tone)
    assert browser.find_element(By.CSS_SELECTOR, ".empty").is_displayed()
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []

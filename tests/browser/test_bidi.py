"""Where the characters of Hebrew and Arabic lines stand, in a real Chromium."""

import json

import pytest

from tests.browser.driving import chromium
from triscribe.formats import WRITERS, WriteOptions
from triscribe.types import AudioInfo, Segment, Transcript

HEBREW = "חברת Google הציגה היום 25 מוצרים!"
ARABIC = "أعلنت شركة Google عن 25 منتجا!"
NAME_FIRST = "Google הציגה היום 25 מוצרים!"

# The place of each word of an element's text, from the left, by its first character; the text is in one line.
PLACES = """
const [element, words] = arguments, text = element.textContent, nodes = [];
const walk = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
for (let at = 0; walk.nextNode(); at += walk.currentNode.length) nodes.push([at, walk.currentNode]);
return words.map(word => {
  const found = text.indexOf(word), [at, node] = nodes.findLast(([at]) => at <= found), range = new Range();
  range.setStart(node, found - at);
  range.setEnd(node, found - at + 1);
  return range.getBoundingClientRect().left;
});
"""


@pytest.fixture(scope="module")
def browser():
    with chromium() as driver:
        yield driver


def rendered(name, text, speaker=None, **options):
    said = Segment(0.0, 3.0, text, "he", -0.2, 0.01, 1.2, 0.0, speaker=speaker)
    transcript = Transcript(AudioInfo("-", 4.0), "he", 1.0, "base", "transcribe", (said,))
    content = WRITERS[name].render(transcript, WriteOptions(max_line_width=80, **options))
    assert isinstance(content, str)
    return content


@pytest.fixture
def from_the_left(browser, tmp_path):
    """The words of an element, as they stand from left to right."""

    def from_the_left(page, selector, text, script=""):
        file = tmp_path / "page.html"
        file.write_text(page, encoding="utf-8")
        browser.get(file.as_uri())
        browser.execute_script(script)
        words = [*text.removesuffix("!").split(" "), "!"]
        places = browser.execute_script(PLACES, browser.find_element("css selector", selector), words)
        return [word for _, word in sorted(zip(places, words, strict=True))]

    return from_the_left


def expected(text):
    return ["!", *reversed(text.removesuffix("!").split(" "))]


@pytest.mark.parametrize("text", [HEBREW, ARABIC, NAME_FIRST])
def test_the_page_reads_from_right_to_left(from_the_left, text):
    assert from_the_left(rendered("html", text, "SPEAKER_00"), ".turn p", text) == expected(text)


@pytest.mark.parametrize("text", [HEBREW, ARABIC, NAME_FIRST])
def test_a_cue_of_webvtt_reads_from_right_to_left(from_the_left, text):
    cue = rendered("vtt", text, "SPEAKER_00").split("\n", 3)[3].strip()
    # What the specification has a browser do with a cue; its own box cannot be looked into.
    box = '<meta charset="utf-8"><p id="cue" style="unicode-bidi: plaintext; white-space: pre-line"></p>'
    script = f"document.querySelector('#cue').append(new VTTCue(0, 3, {json.dumps(cue)}).getCueAsHTML())"
    assert from_the_left(box, "#cue", text, script) == expected(text)


@pytest.mark.parametrize("text", [HEBREW, ARABIC, NAME_FIRST])
@pytest.mark.parametrize("name", ["srt", "txt"])
def test_bidi_marks_turn_a_line_in_a_player_that_knows_one_direction(from_the_left, name, text):
    def shown(**options):
        lines = [line for line in rendered(name, text, "Ann", **options).splitlines() if "Ann" in line]
        return f'<meta charset="utf-8"><p dir="ltr">{lines[0]}</p>'

    spoken = f"Ann: {text}"
    assert from_the_left(shown(bidi_marks=True), "p", spoken) == expected(spoken)
    assert from_the_left(shown(), "p", spoken)[-1] == "!"

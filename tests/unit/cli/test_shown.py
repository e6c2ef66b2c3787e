"""Names of files act on no terminal."""

import os

import pytest

from triscribe.cli.shown import shown


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("talk.wav", "talk.wav"),
        ("Grüße 你好 שלום 👩‍🚀.wav", "Grüße 你好 שלום 👩‍🚀.wav"),
        ("[bold]id[/].wav", "[bold]id[/].wav"),
        ("-rf", "-rf"),
        ("a\nb", r"a\nb"),
        ("a\r\tb", r"a\r\tb"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\x9b31mred", r"\x9b31mred"),
        ("a\u2028b", r"a\u2028b"),
        ("a\u202evaw.exe", r"a\u202evaw.exe"),
        ("a\u2067b", r"a\u2067b"),
        (os.fsdecode(b"a\xff\x80.wav"), r"a\xff\x80.wav"),
        ("a\ud800b", r"a\ud800b"),
    ],
)
def test_what_acts_on_a_terminal_is_escaped(text, seen):
    assert shown(text) == seen
    shown(text).encode()


def test_a_message_of_several_lines_keeps_them_and_nothing_else():
    assert shown("a\nb\x1b\r\n", lines=True) == "a\nb\\x1b\\r\n"

"""Spelling words of any script for an aligner that knows Latin letters only."""

import builtins

import pytest

from triscribe_align import g2p
from triscribe_align.description import Calibration, Description, Emissions, Labels, Spelling, Text
from triscribe_align.errors import AlignError
from triscribe_align.g2p import CharacterSpeller

LETTERS = "abcdefghijklmnopqrstuvwxyz'"


def description(tmp_path, *, romanise):
    emissions = Emissions("model.onnx", "audio", "log_probs", 0.02, 0.0, "none", padding_parity=True)
    labels = Labels(("<blank>", *LETTERS), 0, None, frozenset())
    spelling = Spelling("characters", romanise=romanise)
    return Description("zh", tmp_path, "MIT", emissions, labels, spelling, Text(""), Calibration())


@pytest.mark.parametrize(
    ("word", "latin"),
    [("你好", "nihao"), ("世界", "shijie"), ("Привет", "privet"), ("안녕", "annyeong"), ("dog's", "dog's")],
)
def test_a_word_is_spelt_as_it_sounds_in_latin_letters(tmp_path, word, latin):
    spelt = CharacterSpeller(description(tmp_path, romanise=True)).spell([word])
    assert "".join(("<blank>", *LETTERS)[label] for label in spelt[word]) == latin


def test_without_it_other_scripts_have_no_labels(tmp_path):
    assert CharacterSpeller(description(tmp_path, romanise=False)).spell(["你好"]) == {"你好": ()}


def test_what_is_missing_is_named(tmp_path, monkeypatch):
    load = builtins.__import__

    def refuse(name, *arguments):
        if name == "uroman":
            raise ImportError(name)
        return load(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", refuse)
    monkeypatch.setattr(g2p, "_romaniser", g2p._romaniser.__wrapped__)  # not the one that was loaded already
    with pytest.raises(AlignError, match="romanise"):
        CharacterSpeller(description(tmp_path, romanise=True))
